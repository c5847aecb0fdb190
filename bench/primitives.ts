/** The byte-level door against what a user would pick instead, on one core. */
import * as nodeCrypto from "node:crypto";
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand } from "@noble/hashes/hkdf.js";
import { pbkdf2 as noblePbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import sodium from "libsodium-wrappers";
import { loadCore } from "../bindings/index.js";
import { AAD, at, batch, COUNT, KEY, random, TAG, type Batch } from "./data.js";
import { assertSame, type Comparison } from "./harness.js";

type Seal = (i: number) => Uint8Array;

/** Runs a per-key function over the batch, collecting as a caller would: contiguous. */
function perKey(count: number, length: number, one: Seal): Uint8Array {
  const out = new Uint8Array(count * length);
  for (let i = 0; i < count; i++) out.set(one(i), i * length);
  return out;
}

/** sodium-native is optional here: it is a native addon and may be absent on a platform. */
async function sodiumNative(): Promise<Record<string, (...args: unknown[]) => number> | null> {
  try {
    return ((await import("sodium-native" as string)) as { default: never }).default;
  } catch {
    return null;
  }
}

const SEALED = KEY + TAG;

export async function primitiveComparisons(): Promise<Comparison[]> {
  await sodium.ready;
  const core = await loadCore();
  const native = await sodiumNative();
  const comparisons: Comparison[] = [];

  const sealing = (
    title: string,
    ours: () => Uint8Array,
    peers: Record<string, Seal>,
    floors: Record<string, number>,
  ): void => {
    const contenders = [
      { name: "keyloom", run: ours },
      ...Object.entries(peers).map(([name, one]) => ({
        name,
        run: (): Uint8Array => perKey(COUNT, title.includes("open") ? KEY : SEALED, one),
      })),
    ];
    comparisons.push({
      title: `${title}: ${COUNT.toLocaleString("en")} keys of 32 bytes, 48 bytes of associated data`,
      units: COUNT,
      unit: "key",
      contenders,
      floors,
      check: () => {
        const expected = ours();
        for (const { name, run } of contenders)
          assertSame(run() as Uint8Array, expected, `${title}: ${name}`);
      },
    });
  };

  const ietf = batch(12);
  const keyObject = nodeCrypto.createSecretKey(ietf.key);
  const node = {
    seal: (i: number): Uint8Array => {
      const cipher = nodeCrypto.createCipheriv("chacha20-poly1305", keyObject, at(ietf.nonces, i, 12), {
        authTagLength: TAG,
      });
      cipher.setAAD(at(ietf.aads, i, AAD), { plaintextLength: KEY });
      const first = cipher.update(at(ietf.plaintexts, i, KEY));
      cipher.final();
      return Buffer.concat([first, cipher.getAuthTag()]);
    },
    open: (sealed: Uint8Array, i: number): Uint8Array => {
      const one = at(sealed, i, SEALED);
      const decipher = nodeCrypto.createDecipheriv("chacha20-poly1305", keyObject, at(ietf.nonces, i, 12), {
        authTagLength: TAG,
      });
      decipher.setAAD(at(ietf.aads, i, AAD), { plaintextLength: KEY });
      decipher.setAuthTag(one.subarray(KEY));
      const opened = decipher.update(one.subarray(0, KEY));
      decipher.final();
      return opened;
    },
  };
  const nativeSeal = (b: Batch, extended: boolean): Record<string, Seal> => {
    if (native === null) return {};
    const encrypt = extended
      ? native["crypto_aead_xchacha20poly1305_ietf_encrypt"]!
      : native["crypto_aead_chacha20poly1305_ietf_encrypt"]!;
    return {
      "sodium-native": (i) => {
        const out = Buffer.allocUnsafe(SEALED);
        encrypt(
          out,
          at(b.plaintexts, i, KEY),
          at(b.aads, i, AAD),
          null,
          at(b.nonces, i, b.nonceLength),
          b.key,
        );
        return out;
      },
    };
  };

  sealing(
    "ChaCha20-Poly1305 seal",
    () => core.chacha20Poly1305.sealBatch(ietf.key, ietf.nonces, ietf.aads, ietf.plaintexts, COUNT),
    {
      "libsodium-wrappers": (i) =>
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
          at(ietf.plaintexts, i, KEY),
          at(ietf.aads, i, AAD),
          null,
          at(ietf.nonces, i, 12),
          ietf.key,
        ),
      "node:crypto": node.seal,
      ...nativeSeal(ietf, false),
      noble: (i) =>
        chacha20poly1305(ietf.key, at(ietf.nonces, i, 12), at(ietf.aads, i, AAD)).encrypt(
          at(ietf.plaintexts, i, KEY),
        ),
    },
    { "libsodium-wrappers": 7, "node:crypto": 28 },
  );

  const sealedIetf = core.chacha20Poly1305.sealBatch(
    ietf.key,
    ietf.nonces,
    ietf.aads,
    ietf.plaintexts,
    COUNT,
  );
  sealing(
    "ChaCha20-Poly1305 open",
    () => core.chacha20Poly1305.openBatch(ietf.key, ietf.nonces, ietf.aads, sealedIetf, COUNT),
    {
      "libsodium-wrappers": (i) =>
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
          null,
          at(sealedIetf, i, SEALED),
          at(ietf.aads, i, AAD),
          at(ietf.nonces, i, 12),
          ietf.key,
        ),
      "node:crypto": (i) => node.open(sealedIetf, i),
    },
    { "libsodium-wrappers": 7, "node:crypto": 28 },
  );

  const x = batch(24);
  sealing(
    "XChaCha20-Poly1305 seal",
    () => core.xchacha20Poly1305.sealBatch(x.key, x.nonces, x.aads, x.plaintexts, COUNT),
    {
      "libsodium-wrappers": (i) =>
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
          at(x.plaintexts, i, KEY),
          at(x.aads, i, AAD),
          null,
          at(x.nonces, i, 24),
          x.key,
        ),
      ...nativeSeal(x, true),
      noble: (i) =>
        xchacha20poly1305(x.key, at(x.nonces, i, 24), at(x.aads, i, AAD)).encrypt(at(x.plaintexts, i, KEY)),
    },
    { "libsodium-wrappers": 6 },
  );
  const sealedX = core.xchacha20Poly1305.sealBatch(x.key, x.nonces, x.aads, x.plaintexts, COUNT);
  sealing(
    "XChaCha20-Poly1305 open",
    () => core.xchacha20Poly1305.openBatch(x.key, x.nonces, x.aads, sealedX, COUNT),
    {
      "libsodium-wrappers": (i) =>
        sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
          null,
          at(sealedX, i, SEALED),
          at(x.aads, i, AAD),
          at(x.nonces, i, 24),
          x.key,
        ),
    },
    { "libsodium-wrappers": 6 },
  );

  const prk = random(32);
  const infos = random(COUNT * 16);
  const one = new Uint8Array([1]);
  const hkdf = {
    ours: (): Uint8Array => core.hkdfExpandSha256Batch(prk, infos, 32, COUNT),
    "node createHmac": (i: number): Uint8Array =>
      nodeCrypto
        .createHmac("sha256", prk)
        .update(at(infos, i, 16))
        .update(one)
        .digest(),
    noble: (i: number): Uint8Array => expand(nobleSha256, prk, at(infos, i, 16), 32),
  };
  comparisons.push({
    title: `HKDF-Expand-SHA256: ${COUNT.toLocaleString("en")} outputs of 32 bytes from one PRK, 16 bytes of info`,
    units: COUNT,
    unit: "output",
    contenders: [
      { name: "keyloom", run: hkdf.ours },
      { name: "node createHmac", run: () => perKey(COUNT, 32, hkdf["node createHmac"]) },
      { name: "noble", run: () => perKey(COUNT, 32, hkdf.noble) },
    ],
    floors: { "node createHmac": 12 },
    check: () => {
      const expected = hkdf.ours();
      assertSame(perKey(COUNT, 32, hkdf["node createHmac"]), expected, "node createHmac");
      assertSame(perKey(COUNT, 32, hkdf.noble), expected, "noble");
    },
  });

  const password = random(16);
  const salt = random(32);
  const iterations = 600_000;
  const pbkdf2 = {
    ours: (): Uint8Array => core.pbkdf2Sha256(password, salt, iterations, 32),
    node: (): Uint8Array => nodeCrypto.pbkdf2Sync(password, salt, iterations, 32, "sha256"),
    noble: (): Uint8Array => noblePbkdf2(nobleSha256, password, salt, { c: iterations, dkLen: 32 }),
  };
  comparisons.push({
    title:
      "PBKDF2-HMAC-SHA256: one password, 600,000 iterations (node:crypto uses the CPU's SHA instructions)",
    units: 1,
    unit: "password",
    rounds: 3,
    contenders: [
      { name: "keyloom", run: pbkdf2.ours },
      { name: "node:crypto", run: pbkdf2.node },
      { name: "noble", run: pbkdf2.noble },
    ],
    check: () => {
      assertSame(pbkdf2.node(), pbkdf2.ours(), "node:crypto");
    },
  });
  return comparisons;
}
