/** From how many keys on a batch is worth it: one call of ours for n keys, against node:crypto key by key. */
import * as nodeCrypto from "node:crypto";
import { loadCore } from "../bindings/index.js";
import { at, random } from "./data.js";
import { assertSame, type Comparison } from "./harness.js";

const SIZES = [1, 4, 8, 64, 1000, 100_000];
const KEY = 32;
const AAD_LENGTH = 48;
const NONCE = 12;

type PerKey = (i: number) => readonly Uint8Array[];

/** Puts what a peer makes key by key into one array, as a caller of it would. */
function oneByOne(n: number, length: number, make: PerKey): Uint8Array {
  const out = new Uint8Array(n * length);
  for (let i = 0; i < n; i++) {
    let offset = i * length;
    for (const part of make(i)) {
      out.set(part, offset);
      offset += part.length;
    }
  }
  return out;
}

export async function crossoverComparisons(): Promise<Comparison[]> {
  const core = await loadCore();
  const most = SIZES.at(-1)!;
  const [kek, keys, nonces, aads] = [KEY, most * KEY, most * NONCE, most * AAD_LENGTH].map(random) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const keyObject = nodeCrypto.createSecretKey(kek);
  const iv = new Uint8Array(8).fill(0xa6);
  const jobs: { title: string; length: number; ours: (n: number) => Uint8Array; theirs: PerKey }[] = [
    {
      title: "ChaCha20-Poly1305 wrap",
      length: KEY + 16,
      ours: (n) =>
        core.chacha20Poly1305.sealBatch(
          kek,
          nonces.subarray(0, n * NONCE),
          aads.subarray(0, n * AAD_LENGTH),
          keys.subarray(0, n * KEY),
          n,
        ),
      theirs(i) {
        const cipher = nodeCrypto.createCipheriv("chacha20-poly1305", keyObject, at(nonces, i, NONCE), {
          authTagLength: 16,
        });
        cipher.setAAD(at(aads, i, AAD_LENGTH), { plaintextLength: KEY });
        const sealed = cipher.update(at(keys, i, KEY));
        cipher.final();
        return [sealed, cipher.getAuthTag()];
      },
    },
    {
      title: "AES-256-KW wrap",
      length: KEY + 8,
      ours: (n) => core.aesKw.wrapBatch(kek, keys.subarray(0, n * KEY), n),
      theirs(i) {
        const cipher = nodeCrypto.createCipheriv("id-aes256-wrap", keyObject, iv);
        const wrapped = cipher.update(at(keys, i, KEY));
        cipher.final();
        return [wrapped];
      },
    },
    {
      title: "HKDF-Expand-SHA256, 32 bytes",
      length: KEY,
      ours: (n) => core.hkdfExpandSha256Batch(kek, aads.subarray(0, n * AAD_LENGTH), KEY, n),
      theirs: (i) => [
        nodeCrypto
          .createHmac("sha256", keyObject)
          .update(at(aads, i, AAD_LENGTH))
          .update(new Uint8Array([1]))
          .digest(),
      ],
    },
  ];
  return jobs.flatMap(({ title, length, ours, theirs }) =>
    SIZES.map((n): Comparison => ({
      title: `${title}, n = ${n.toLocaleString("en")}`,
      units: n,
      unit: "key",
      rounds: 3,
      contenders: [
        { name: "keyloom", run: () => ours(n) },
        { name: "node:crypto", run: () => oneByOne(n, length, theirs) },
      ],
      check: () => assertSame(ours(n), oneByOne(n, length, theirs), title),
    })),
  );
}
