/** Wrapping many keys with Keyloom's core, with node:crypto and with libsodium, in one run; outputs compared first. */
import { createCipheriv, createSecretKey, randomFillSync } from "node:crypto";
import { loadCore } from "../../bindings/index.js";

const KEY = 32;
const AAD = 48;
const TAG = 16;
const SEALED = KEY + TAG;
const ROUNDS = 3;

interface Sodium {
  ready: Promise<void>;
  crypto_aead_xchacha20poly1305_ietf_encrypt(
    message: Uint8Array,
    aad: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): Uint8Array;
}

/** A development dependency: absent where Keyloom is installed as a package. */
async function loadSodium(): Promise<Sodium | null> {
  try {
    const { default: sodium } = (await import("libsodium-wrappers")) as unknown as { default: Sodium };
    await sodium.ready;
    return sodium;
  } catch {
    return null;
  }
}

type Wrap = () => Uint8Array;

function random(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length));
}

function perKey(count: number, one: (i: number) => Uint8Array): Uint8Array {
  const out = new Uint8Array(count * SEALED);
  for (let i = 0; i < count; i++) out.set(one(i), i * SEALED);
  return out;
}

/** Medians of interleaved rounds, as the rows of a table with a heading. */
export async function compareWrapping(count: number): Promise<string[][]> {
  const core = await loadCore();
  const key = random(32);
  const nonces = { short: random(count * 12), long: random(count * 24) };
  const aads = random(count * AAD);
  const plaintexts = random(count * KEY);
  const at = (all: Uint8Array, i: number, length: number): Uint8Array =>
    all.subarray(i * length, (i + 1) * length);

  const keyObject = createSecretKey(key);
  const nodeOne = (i: number): Uint8Array => {
    const cipher = createCipheriv("chacha20-poly1305", keyObject, at(nonces.short, i, 12), {
      authTagLength: TAG,
    });
    cipher.setAAD(at(aads, i, AAD), { plaintextLength: KEY });
    const out = new Uint8Array(SEALED);
    out.set(cipher.update(at(plaintexts, i, KEY)));
    cipher.final();
    out.set(cipher.getAuthTag(), KEY);
    return out;
  };
  const sodium = await loadSodium();
  const pairs: { name: string; ours: Wrap; peer: string; theirs: Wrap | null }[] = [
    {
      name: "ChaCha20-Poly1305",
      ours: () => core.chacha20Poly1305.sealBatch(key, nonces.short, aads, plaintexts, count),
      peer: "node:crypto",
      theirs: () => perKey(count, nodeOne),
    },
    {
      name: "XChaCha20-Poly1305",
      ours: () => core.xchacha20Poly1305.sealBatch(key, nonces.long, aads, plaintexts, count),
      peer: "libsodium-wrappers",
      theirs:
        sodium === null
          ? null
          : () =>
              perKey(count, (i) =>
                sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
                  at(plaintexts, i, KEY),
                  at(aads, i, AAD),
                  null,
                  at(nonces.long, i, 24),
                  key,
                ),
              ),
    },
  ];

  const rows = [["ALGORITHM", "KEYLOOM", "", "PEER, PER KEY", "RATIO"]];
  for (const { name, ours, peer, theirs } of pairs) {
    if (theirs !== null && Buffer.compare(ours(), theirs()) !== 0)
      throw new Error(`${peer} gives other bytes`);
    const times = { ours: [] as number[], theirs: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.ours.push(timeOf(ours));
      if (theirs !== null) times.theirs.push(timeOf(theirs));
    }
    const mine = median(times.ours);
    const other = theirs === null ? null : median(times.theirs);
    rows.push([
      name,
      `${mine.toFixed(1)} ms`,
      peer,
      other === null ? "not installed" : `${other.toFixed(1)} ms`,
      other === null ? "-" : `${(other / mine).toFixed(1)} ×`,
    ]);
  }
  return rows;
}

function timeOf(run: Wrap): number {
  const from = performance.now();
  run();
  return performance.now() - from;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
