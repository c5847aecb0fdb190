/** Hashes and key derivation that are not in `primitives.ts`: SHA-512's family, many passwords, Merkle trees. */
import * as nodeCrypto from "node:crypto";
import { hkdf as nobleHkdf } from "@noble/hashes/hkdf.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { pbkdf2 as noblePbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 as nobleSha256, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import sodium from "libsodium-wrappers";
import { loadCore } from "../bindings/index.js";
import { at, random } from "./data.js";
import { assertSame, type Comparison, type Contender } from "./harness.js";

/** A comparison whose contenders all return the same bytes. */
function same(
  comparison: Omit<Comparison, "contenders" | "check">,
  runs: Record<string, () => Uint8Array>,
): Comparison {
  const contenders: Contender[] = Object.entries(runs).map(([name, run]) => ({ name, run }));
  const check = (): void => {
    const [, ...peers] = Object.entries(runs);
    const expected = runs["keyloom"]!();
    for (const [name, run] of peers) assertSame(run(), expected, `${comparison.title}: ${name}`);
  };
  return { ...comparison, contenders, check };
}

/** Runs a function for each of `count` and collects its outputs, contiguous. */
function each(count: number, length: number, one: (i: number) => Uint8Array): Uint8Array {
  const out = new Uint8Array(count * length);
  for (let i = 0; i < count; i++) out.set(one(i), i * length);
  return out;
}

export async function hashComparisons(): Promise<Comparison[]> {
  await sodium.ready;
  const core = await loadCore();
  const comparisons: Comparison[] = [];

  const message = random(1 << 20);
  comparisons.push(
    same(
      { title: "SHA-512: 1 MiB", units: 1, unit: "MiB" },
      {
        keyloom: () => core.sha512(message),
        "node:crypto": () => nodeCrypto.createHash("sha512").update(message).digest(),
        "libsodium-wrappers": () => sodium.crypto_hash(message),
        noble: () => nobleSha512(message),
      },
    ),
  );

  const [ikm, salt, info] = [random(32), random(64), random(32)];
  comparisons.push(
    same(
      { title: "HKDF-SHA512: 64 bytes from a key, a salt and an info", units: 1, unit: "output" },
      {
        keyloom: () => core.hkdfSha512(ikm, salt, info, 64),
        "node:crypto": () => new Uint8Array(nodeCrypto.hkdfSync("sha512", ikm, salt, info, 64)),
        noble: () => nobleHkdf(nobleSha512, ikm, salt, info, 64),
      },
    ),
    same(
      { title: "SP 800-108, counter mode, HMAC-SHA256: 32 bytes", units: 1, unit: "output" },
      {
        keyloom: () => core.kbkdfCounterHmacSha256(ikm, info, 32),
        "node createHmac": () =>
          nodeCrypto
            .createHmac("sha256", ikm)
            .update(Uint8Array.of(0, 0, 0, 1))
            .update(info)
            .digest(),
        noble: () => nobleHmac(nobleSha256, ikm, Uint8Array.of(0, 0, 0, 1, ...info)),
      },
    ),
  );

  const passwords = [random(8), random(12), random(16), random(40)];
  const salts = passwords.map(() => random(16));
  for (const [hash, batch, count, iterations, noble, floors] of [
    ["sha256", core.pbkdf2Sha256Batch, 4, 600_000, nobleSha256, { "node:crypto": 1.25 }],
    ["sha512", core.pbkdf2Sha512Batch, 2, 210_000, nobleSha512, {}],
  ] as const) {
    const some = passwords.slice(0, count);
    comparisons.push(
      same(
        {
          title: `PBKDF2-HMAC-${hash.toUpperCase()}: ${count} passwords at once, ${iterations.toLocaleString("en")} iterations`,
          units: count,
          unit: "password",
          rounds: 3,
          floors,
        },
        {
          keyloom: () => {
            const derived = batch(some, salts.slice(0, count), iterations, 32);
            return each(count, 32, (i) => derived[i]!);
          },
          "node:crypto": () =>
            each(count, 32, (i) => nodeCrypto.pbkdf2Sync(some[i]!, salts[i]!, iterations, 32, hash)),
          noble: () =>
            each(count, 32, (i) => noblePbkdf2(noble, some[i]!, salts[i]!, { c: iterations, dkLen: 32 })),
        },
      ),
    );
  }
  comparisons.push(
    same(
      {
        title: "PBKDF2-HMAC-SHA512: one password, 210,000 iterations",
        units: 1,
        unit: "password",
        rounds: 3,
      },
      {
        keyloom: () => core.pbkdf2Sha512(passwords[0]!, salts[0]!, 210_000, 64),
        "node:crypto": () => nodeCrypto.pbkdf2Sync(passwords[0]!, salts[0]!, 210_000, 64, "sha512"),
        noble: () => noblePbkdf2(nobleSha512, passwords[0]!, salts[0]!, { c: 210_000, dkLen: 64 }),
      },
    ),
  );

  const [records, nodes] = [random(10_000 * 200), random(10_000 * 64)];
  const tree = (prefix: number, all: Uint8Array, length: number): Record<string, () => Uint8Array> => {
    const first = Uint8Array.of(prefix);
    return {
      "node:crypto": () =>
        each(10_000, 32, (i) =>
          nodeCrypto
            .createHash("sha256")
            .update(first)
            .update(at(all, i, length))
            .digest(),
        ),
      noble: () =>
        each(10_000, 32, (i) =>
          nobleSha256
            .create()
            .update(first)
            .update(at(all, i, length))
            .digest(),
        ),
    };
  };
  comparisons.push(
    same(
      { title: "Merkle tree (RFC 6962): 10,000 leaves of 200 bytes", units: 10_000, unit: "leaf" },
      { keyloom: () => core.merkleLeafHashBatch(records, 10_000), ...tree(0, records, 200) },
    ),
    same(
      {
        title: "Merkle tree (RFC 6962): a level of 20,000 nodes to 10,000 parents",
        units: 10_000,
        unit: "parent",
      },
      { keyloom: () => core.merkleLevel(nodes), ...tree(1, nodes, 64) },
    ),
  );
  return comparisons;
}
