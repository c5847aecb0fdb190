/** The algorithm table: one row says everything about an algorithm of managed keys. */
import { KeyloomError } from "../foundation/errors.js";
import { ALGORITHM, USAGE } from "./core.js";

/** Usages by the names of the public API, with their bits (KMIP 2.1 §11.12, cryptographic usage mask). */
export const USAGES = {
  sign: USAGE.SIGN,
  verify: USAGE.VERIFY,
  encrypt: USAGE.ENCRYPT,
  decrypt: USAGE.DECRYPT,
  wrap: USAGE.WRAP,
  unwrap: USAGE.UNWRAP,
  "mac-generate": USAGE.MAC_GENERATE,
  "mac-verify": USAGE.MAC_VERIFY,
  derive: USAGE.DERIVE,
  agree: USAGE.AGREE,
} as const;

export type Usage = keyof typeof USAGES;

interface AlgorithmRow {
  /** The id in attributes and records; never reused. */
  readonly id: number;
  readonly materialBytes: number;
  readonly usages: readonly Usage[];
  /** Used when `create` names no usages. */
  readonly defaultUsages: readonly Usage[];
  /** Usages that the key itself never has, but that keys made from it may have. */
  readonly handsDown?: readonly Usage[];
  /** A key pair: what each of its halves is for. The mask of a half is what it shares with the key's usages. */
  readonly halves?: { readonly private: readonly Usage[]; readonly public: readonly Usage[] };
}

/** Public halves of pairs have one length: RFC 8032, RFC 7748. */
export const PUBLIC_KEY_LENGTH = 32;

export const ALGORITHMS = {
  "XChaCha20-Poly1305": {
    id: ALGORITHM.XCHACHA20_POLY1305,
    materialBytes: 32,
    usages: ["encrypt", "decrypt", "wrap", "unwrap"],
    defaultUsages: ["encrypt", "decrypt"],
  },
  "HMAC-SHA256": {
    id: ALGORITHM.HMAC_SHA256,
    materialBytes: 32,
    usages: ["mac-generate", "mac-verify"],
    defaultUsages: ["mac-generate", "mac-verify"],
  },
  Ed25519: {
    id: ALGORITHM.ED25519,
    materialBytes: 32,
    usages: ["sign", "verify"],
    defaultUsages: ["sign", "verify"],
    halves: { private: ["sign"], public: ["verify"] },
  },
  X25519: {
    id: ALGORITHM.X25519,
    materialBytes: 32,
    usages: ["agree"],
    defaultUsages: ["agree", "encrypt", "decrypt"],
    handsDown: ["encrypt", "decrypt", "wrap", "unwrap", "mac-generate", "mac-verify"],
    halves: { private: ["agree"], public: ["agree"] },
  },
  A256KW: {
    id: ALGORITHM.A256KW,
    materialBytes: 32,
    usages: ["wrap", "unwrap"],
    defaultUsages: ["wrap", "unwrap"],
  },
  A256KWP: {
    id: ALGORITHM.A256KWP,
    materialBytes: 32,
    usages: ["wrap", "unwrap"],
    defaultUsages: ["wrap", "unwrap"],
  },
} as const satisfies Record<string, AlgorithmRow>;

export type Algorithm = keyof typeof ALGORITHMS;

/**
 * AEADs with 96-bit nonces need a count of protect operations per version (at most 2^32 with one key),
 * so they can't be managed until usage is counted. They live in `keyloom/core` and in age's STREAM.
 */
const COUNTED_NONCES: readonly string[] = [
  "ChaCha20-Poly1305",
  "AES-256-GCM",
  "A256GCM",
  "AES-256-GCM-SIV",
  "A256GCMSIV",
];

const BY_ID = new Map<number, Algorithm>(
  (Object.keys(ALGORITHMS) as Algorithm[]).map((name) => [ALGORITHMS[name].id, name]),
);

/** @throws {KeyloomError} `KEY_ALGORITHM_NOT_SUPPORTED` */
export function requireAlgorithm(name: string): Algorithm {
  if (Object.hasOwn(ALGORITHMS, name)) return name as Algorithm;
  throw new KeyloomError("KEY_ALGORITHM_NOT_SUPPORTED", {
    message: COUNTED_NONCES.includes(name)
      ? `${name} has 96-bit nonces and can't be managed yet; use XChaCha20-Poly1305`
      : `unknown algorithm; supported: ${Object.keys(ALGORITHMS).join(", ")}`,
    supported: Object.keys(ALGORITHMS),
  });
}

export function algorithmOfId(id: number): Algorithm | null {
  return BY_ID.get(id) ?? null;
}

/** The part of a key's usage mask that is its own, not only that of keys made from it. */
export function ownUsages(algorithm: number, mask: number): number {
  const name = algorithmOfId(algorithm);
  if (name === null) return 0;
  return ALGORITHMS[name].usages.reduce((own, usage) => own | (mask & USAGES[usage]), 0);
}

/** What the halves of a pair are for; `null` for keys that have none. */
export function halvesOf(algorithm: number): NonNullable<AlgorithmRow["halves"]> | null {
  const name = algorithmOfId(algorithm);
  return name === null ? null : ((ALGORITHMS[name] as AlgorithmRow).halves ?? null);
}

/**
 * The mask of `usages`, checked against the algorithm and against key separation.
 *
 * @throws {KeyloomError} `KEY_USAGE_CONFLICT` when the algorithm has no such usage, when none is named, or
 * when wrapping and encrypting meet on one key
 */
export function usageMask(algorithm: Algorithm, usages: readonly string[]): number {
  const row: AlgorithmRow = ALGORITHMS[algorithm];
  const allowed: readonly string[] = [...row.usages, ...(row.handsDown ?? [])];
  let mask = 0;
  for (const usage of usages) {
    if (!allowed.includes(usage)) {
      throw new KeyloomError("KEY_USAGE_CONFLICT", {
        message: `${algorithm} keys can't have this usage; they can ${allowed.join(", ")}`,
        algorithm,
        allowed,
      });
    }
    mask |= USAGES[usage as Usage];
  }
  if (ownUsages(row.id, mask) === 0)
    throw new KeyloomError("KEY_USAGE_CONFLICT", { message: "a key needs at least one usage" });
  // What is handed down meets on the key that it is handed down to.
  const together = row.handsDown === undefined ? mask : mask & ~ownUsages(row.id, mask);
  const wraps = together & (USAGES.wrap | USAGES.unwrap);
  if (wraps !== 0 && together !== wraps) {
    throw new KeyloomError("KEY_USAGE_CONFLICT", {
      message: "a key that wraps keys can't have any other usage",
      algorithm,
      usages,
    });
  }
  return mask;
}

export function usagesOfMask(mask: number): Usage[] {
  return (Object.keys(USAGES) as Usage[]).filter((name) => (mask & USAGES[name]) !== 0);
}
