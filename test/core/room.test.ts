/**
 * A memory that can't grow, filled to its last bytes: an input that fits is worked on as in a memory with room to spare, one
 * that does not is refused as too large.
 */
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import type { Abi } from "../../bindings/abi.js";
import { ALGORITHM, USAGE } from "../../bindings/attributes.js";
import { compile, INITIAL_PAGES, newInstance, PAGE } from "../../bindings/instantiate.js";
import { memoryHardOf } from "../../bindings/memory-hard.js";
import { primitivesOf, type Primitives } from "../../bindings/primitives/index.js";
import { Staging } from "../../bindings/staging.js";
import { vaultOf, type Handle, type Vault } from "../../bindings/vault.js";
import { runEngine, STAGING } from "./memory/probe.js";
import { ALL_CIPHER, ALL_MAC, bytes, template, toHex } from "./support.js";

interface Room {
  vault: Vault;
  primitives: Primitives;
}

/** A core whose staging is `size` bytes at the end of its memory. */
async function roomOf(size: number): Promise<Room> {
  const module = await compile("simd");
  const { memory, exports } = runEngine(module, () => 0);
  const end = memory.buffer.byteLength;
  const instance = { abi: exports as unknown as Abi, staging: new Staging(memory, end - size) };
  const memoryHard = memoryHardOf(module, STAGING);
  return { vault: vaultOf(instance, memoryHard), primitives: primitivesOf(instance, memoryHard) };
}

const CAPACITY = 65_536;
const narrow = await roomOf(CAPACITY);
const wide = await roomOf(16 * CAPACITY);
const LARGE = bytes(CAPACITY + 64, 1);
/** Of lengths that leave the most to be filled up to the next address. */
const SHORT = bytes(81, 2);
const FOUR = bytes(84, 2);
const KEY = bytes(32, 3);

/** `times`: how many bytes of memory a byte of the input takes, outputs counted. `n`: the input's length. */
type Uses<Side> = Record<string, readonly [times: number, call: (side: Side, n: number) => unknown]>;

const some = (n: number): Uint8Array => LARGE.subarray(0, n);

const primitives: Uses<Primitives> = {
  sha256: [1, (p, n) => p.sha256(some(n))],
  sha512: [1, (p, n) => p.sha512(some(n))],
  blake2b: [1, (p, n) => p.blake2b(some(n), { key: bytes(64) })],
  "hmacSha256, data": [1, (p, n) => p.hmacSha256(SHORT, some(n))],
  "hmacSha256, key": [1, (p, n) => p.hmacSha256(some(n), SHORT)],
  "hmacSha512, data": [1, (p, n) => p.hmacSha512(SHORT, some(n))],
  "hmacSha512, key": [1, (p, n) => p.hmacSha512(some(n), SHORT)],
  merkleLeafHash: [1, (p, n) => p.merkleLeafHash(some(n))],
  merkleLeafHashBatch: [4, (p, n) => p.merkleLeafHashBatch(some(n * 4), 4)],
  "hkdfSha256, ikm": [1, (p, n) => p.hkdfSha256(some(n), SHORT, SHORT, 100)],
  "hkdfSha256, salt": [1, (p, n) => p.hkdfSha256(SHORT, some(n), SHORT, 100)],
  "hkdfSha256, info": [1, (p, n) => p.hkdfSha256(SHORT, SHORT, some(n), 100)],
  "hkdfSha512, ikm": [1, (p, n) => p.hkdfSha512(some(n), SHORT, SHORT, 100)],
  "hkdfSha512, salt": [1, (p, n) => p.hkdfSha512(SHORT, some(n), SHORT, 100)],
  "hkdfSha512, info": [1, (p, n) => p.hkdfSha512(SHORT, SHORT, some(n), 100)],
  "hkdfExpandSha256Batch, prk": [1, (p, n) => p.hkdfExpandSha256Batch(some(n), FOUR, 100, 4)],
  "hkdfExpandSha256Batch, infos": [4, (p, n) => p.hkdfExpandSha256Batch(KEY, some(n * 4), 100, 4)],
  "pbkdf2Sha256, password": [1, (p, n) => p.pbkdf2Sha256(some(n), SHORT, 1, 100)],
  "pbkdf2Sha256, salt": [1, (p, n) => p.pbkdf2Sha256(SHORT, some(n), 1, 32)],
  "pbkdf2Sha256Batch, passwords": [1, (p, n) => p.pbkdf2Sha256Batch([some(n), KEY], [KEY, KEY], 1, 100)],
  "pbkdf2Sha256Batch, salts": [1, (p, n) => p.pbkdf2Sha256Batch([KEY, KEY], [KEY, some(n)], 1, 32)],
  "kbkdfCounterHmacSha256, key": [1, (p, n) => p.kbkdfCounterHmacSha256(some(n), SHORT, 100)],
  "kbkdfCounterHmacSha256, input": [1, (p, n) => p.kbkdfCounterHmacSha256(SHORT, some(n), 32)],
  "aesKw.wrap": [2, (p, n) => p.aesKw.wrap(KEY, some(n & ~7))],
  "aesKw.unwrap": [2, (p, n) => p.aesKw.unwrap(KEY, some(n & ~7))],
  "aesKw.wrapBatch": [8, (p, n) => p.aesKw.wrapBatch(KEY, some((n & ~7) * 4), 4)],
  "aesKw.unwrapBatch": [8, (p, n) => p.aesKw.unwrapBatch(KEY, some((n & ~7) * 4), 4)],
  "aesKwp.wrap": [2, (p, n) => p.aesKwp.wrap(KEY, some(n))],
  "aesKwp.unwrap": [2, (p, n) => p.aesKwp.unwrap(KEY, some(n & ~7))],
  "ed25519.sign": [1, (p, n) => p.ed25519.sign(KEY, some(n))],
  "ed25519.verify": [1, (p, n) => p.ed25519.verify(p.ed25519.publicKey(KEY), some(n), bytes(64))],
};

for (const name of ["chacha20Poly1305", "xchacha20Poly1305", "aesGcmSiv"] as const) {
  const nonce = bytes(name === "xchacha20Poly1305" ? 24 : 12, 4);
  const nonces = new Uint8Array(nonce.length * 4);
  // One message is worked on in place, where the cipher can.
  const times = name === "aesGcmSiv" ? 2 : 1;
  primitives[`${name}.seal, text`] = [times, (p, n) => p[name].seal(KEY, nonce, SHORT, some(n))];
  primitives[`${name}.seal, aad`] = [1, (p, n) => p[name].seal(KEY, nonce, some(n), SHORT)];
  primitives[`${name}.open, text`] = [times, (p, n) => p[name].open(KEY, nonce, SHORT, some(n))];
  primitives[`${name}.open, aad`] = [1, (p, n) => p[name].open(KEY, nonce, some(n), SHORT)];
  primitives[`${name}.sealBatch, text`] = [8, (p, n) => p[name].sealBatch(KEY, nonces, FOUR, some(n * 4), 4)];
  primitives[`${name}.sealBatch, aad`] = [4, (p, n) => p[name].sealBatch(KEY, nonces, some(n * 4), FOUR, 4)];
  primitives[`${name}.openBatch, text`] = [8, (p, n) => p[name].openBatch(KEY, nonces, FOUR, some(n * 4), 4)];
  primitives[`${name}.openBatch, aad`] = [4, (p, n) => p[name].openBatch(KEY, nonces, some(n * 4), FOUR, 4)];
}

const once = (vault: Vault, use: (key: Handle) => unknown, ...key: Parameters<typeof template>): unknown => {
  const handle = vault.import(
    template(...key),
    bytes(key[1]?.algorithm === ALGORITHM.AGE_FILE_KEY ? 16 : 32, 5),
  );
  try {
    return use(handle);
  } finally {
    vault.disposeAll();
  }
};
const mac = { algorithm: ALGORITHM.HMAC_SHA256 };
const file = { algorithm: ALGORITHM.AGE_FILE_KEY };
const signer = { algorithm: ALGORITHM.ED25519 };
const PREFIX = bytes(64, 6);
const rowsOf = (n: number): Uint8Array => LARGE.slice(0, n * 4);

const vaults: Uses<Vault> = {
  "deriveFromPassword, password": [
    1,
    (v, n) =>
      once(
        v,
        () =>
          v.exportInsecureCleartext(
            v.deriveFromPassword(template(ALL_CIPHER, { exportable: true }), some(n), SHORT, 1),
          ),
        0,
        file,
      ),
  ],
  "deriveFromPassword, salt": [
    1,
    (v, n) =>
      once(
        v,
        () =>
          v.exportInsecureCleartext(
            v.deriveFromPassword(template(ALL_CIPHER, { exportable: true }), SHORT, some(n), 1),
          ),
        0,
        file,
      ),
  ],
  "seal, aad": [1, (v, n) => once(v, (key) => v.seal(key, some(n), SHORT), ALL_CIPHER)],
  "open, aad": [1, (v, n) => once(v, (key) => v.open(key, some(n), SHORT), ALL_CIPHER)],
  mac: [1, (v, n) => once(v, (key) => v.mac(key, some(n)), ALL_MAC, mac)],
  macVerify: [1, (v, n) => once(v, (key) => v.macVerify(key, some(n), KEY), ALL_MAC, mac)],
  macBatch: [1, (v, n) => once(v, (key) => v.macBatch(key, some(n), Uint32Array.of(n)), ALL_MAC, mac)],
  recordSeal: [
    1,
    (v, n) => once(v, (key) => v.recordSeal(key, PREFIX, some(n), Uint32Array.of(n)), ALL_MAC, mac),
  ],
  "recordSeal, no digests": [
    1,
    (v, n) => once(v, (key) => v.recordSeal(key, PREFIX, some(n), Uint32Array.of(n), false), ALL_MAC, mac),
  ],
  recordCheck: [
    1,
    (v, n) =>
      once(v, (key) => v.recordCheck(key, PREFIX, some(n), Uint32Array.of(n), KEY).statuses, ALL_MAC, mac),
  ],
  recordSealRows: [4, (v, n) => once(v, (key) => v.recordSealRows(key, PREFIX, rowsOf(n), n), ALL_MAC, mac)],
  "recordSealRows, no digests": [
    4,
    (v, n) => {
      const rows = rowsOf(n);
      return once(
        v,
        (key) => [v.recordSealRows(key, PREFIX, rows, n, false), rows.slice(n * 4 - 32)],
        ALL_MAC,
        mac,
      );
    },
  ],
  recordCheckRows: [
    4,
    (v, n) => once(v, (key) => v.recordCheckRows(key, PREFIX, rowsOf(n), n).statuses, ALL_MAC, mac),
  ],
  ageWrapFileKey: [
    1,
    (v, n) =>
      once(v, (key) => v.ageWrapFileKey(key, some(n), v.import(template(0, file), bytes(16))), ALL_CIPHER),
  ],
  ageUnwrapFileKey: [1, (v, n) => once(v, (key) => v.ageUnwrapFileKey(key, some(n), bytes(88)), ALL_CIPHER)],
  ageHeaderMac: [1, (v, n) => once(v, (key) => v.ageHeaderMac(key, some(n)), 0, file)],
  ageHeaderMacVerify: [1, (v, n) => once(v, (key) => v.ageHeaderMacVerify(key, some(n), KEY), 0, file)],
  ageChunkSeal: [
    2,
    (v, n) => once(v, (key) => v.ageChunkSeal(v.agePayloadKey(key, bytes(16)), 0, true, some(n)), 0, file),
  ],
  ageChunkOpen: [
    2,
    (v, n) => once(v, (key) => v.ageChunkOpen(v.agePayloadKey(key, bytes(16)), 0, true, some(n)), 0, file),
  ],
  sign: [1, (v, n) => once(v, (key) => v.sign(key, some(n)), USAGE.SIGN, signer)],
  verify: [1, (v, n) => once(v, (key) => v.verify(key, some(n), bytes(64)), USAGE.VERIFY, signer)],
  openFrom: [
    1,
    (v, n) => once(v, (key) => v.openFrom(key, some(n)), USAGE.AGREE, { algorithm: ALGORITHM.X25519 }),
  ],
};

/** What comes of a call: its bytes, or the code of its error. */
function outcome(run: () => unknown): string {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  const all = (Array.isArray(result) ? result : [result]) as unknown[];
  return all
    .map((one) => (one instanceof Uint8Array ? toHex(wide.primitives.sha256(one)) : String(one)))
    .join();
}

/** A call needs no more than this beside the input and an output of its length: what is short, and alignment. */
const REST = 900;

function fill<Side>([times, call]: Uses<Side>[string], [here, there]: readonly [Side, Side]): void {
  const most = Math.floor(CAPACITY / times);
  for (let n = most + 1; n > most - REST; n -= 3) {
    const found = outcome(() => call(here, n));
    if (found === "CORE_INPUT_TOO_LARGE") continue;
    expect(n).toBeLessThan(most);
    expect(found).toBe(outcome(() => call(there, n)));
    return;
  }
  throw new Error("nothing fits");
}

it("a memory grows by what is missing, up to its maximum", async () => {
  const instance = await newInstance(await compile("simd"), () => undefined, INITIAL_PAGES + 4);
  const { sha256 } = primitivesOf(instance, memoryHardOf(await compile("simd"), STAGING));
  const most = (INITIAL_PAGES + 4) * PAGE - STAGING - 64;
  expect(() => sha256(new Uint8Array(most + 65))).toThrow(
    expect.objectContaining({ code: "CORE_INPUT_TOO_LARGE" }),
  );
  const data = bytes(most);
  expect(toHex(sha256(data))).toBe(toHex(nobleSha256(data)));
});

describe("the last bytes of a memory", () => {
  it.each(Object.keys(primitives))("are of use to %s", (name) => {
    fill(primitives[name]!, [narrow.primitives, wide.primitives]);
  });

  it.each(Object.keys(vaults))("of the vault are of use to %s", (name) => {
    fill(vaults[name]!, [narrow.vault, wide.vault]);
  });
});
