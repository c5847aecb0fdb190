/**
 * Of every export, what it is given that is secret and what it makes public. How each is called, over which lengths, counts
 * and refusals, is in the cases of test/core/memory: the same calls run here.
 *
 * Secret in every call besides: what lies in slots, and random bytes. Public in every call: numbers and addresses among the
 * arguments, and with them all lengths, counts and handles; and the status that comes back.
 */

/** Where verdicts become public: assembly/memory/declassify.ts, written down a second time. */
export const VERDICTS = {
  "AEAD tag": 0,
  commitment: 4,
  MAC: 8,
  "key wrap": 12,
  "all zero": 16,
  "key length": 20,
  "public key": 24,
  "factors of a batch": 28,
} as const;
export type Verdict = keyof typeof VERDICTS;

export const CELLS = {
  from: 0,
  to: 64,
  wide: [VERDICTS["key length"], VERDICTS["public key"], VERDICTS["factors of a batch"]],
};

export interface Entry {
  /** The secret ones among the inputs of the case's calls, by their place there. */
  secret: Record<number, string>;
  /** What the output is; `none` where there is none or where it is public from the start, so that no secret may be in it. */
  output: string;
  /** How many bytes at the output's end are statuses, which hold no secret. */
  statuses?: (args: readonly number[]) => number;
  /** "rule: function": what breaks a rule because the algorithm's specification does. */
  excepted?: readonly string[];
  /** The verdicts on secrets that the call makes public. */
  verdicts?: readonly Verdict[];
}

const KEY = "key";

export const EXPORTS: Record<string, Entry> = {
  sha256: { secret: { 0: "message" }, output: "digest" },
  hmacSha256: { secret: { 0: KEY, 1: "message" }, output: "MAC" },
  hkdfSha256: { secret: { 0: "input key" }, output: "key" },
  hkdfExpandSha256Batch: { secret: { 0: "pseudorandom key" }, output: "keys" },
  pbkdf2Sha256: { secret: { 0: "password" }, output: "key" },
  pbkdf2Batch: { secret: { 0: "passwords" }, output: "keys" },
  kbkdfCounterHmacSha256: { secret: { 0: KEY }, output: "key" },
  merkleHashes: { secret: { 0: "records" }, output: "hashes" },

  blake2b: { secret: { 0: "message", 1: KEY }, output: "digest" },
  sha512: { secret: { 0: "message" }, output: "digest" },
  hmacSha512: { secret: { 0: KEY, 1: "message" }, output: "MAC" },
  hkdfSha512: { secret: { 0: "input key" }, output: "key" },

  // RFC 9106: from the third slice of the first pass on, which block is read next depends on the blocks.
  argon2id: {
    secret: { 1: "password", 3: "secret" },
    output: "key",
    excepted: [
      "address of a load: kdf/argon2-block/compressFirst",
      "address of a load: kdf/argon2id/fillSegment",
      "condition of select: kdf/argon2id/fillSegment",
      "operand of a division: kdf/argon2id/fillSegment",
    ],
  },
  // RFC 7914 §5: which block is mixed in depends on the blocks.
  scrypt: { secret: { 1: "password" }, output: "key", excepted: ["address of a load: memory/xor/xorInto"] },

  aeadSealOne: { secret: { 0: KEY, 3: "plaintext" }, output: "ciphertext and tag" },
  aeadOpenOne: { secret: { 0: KEY }, output: "plaintext", verdicts: ["AEAD tag"] },
  aeadSealMany: { secret: { 0: KEY, 3: "plaintexts" }, output: "ciphertexts and tags" },
  aeadOpenMany: {
    secret: { 0: KEY },
    output: "plaintexts",
    statuses: (args) => args[8]!,
    verdicts: ["AEAD tag"],
  },

  aesKwWrapMany: { secret: { 0: KEY, 1: "keys" }, output: "wrapped keys" },
  aesKwUnwrapMany: {
    secret: { 0: KEY },
    output: "keys",
    statuses: (args) => args[5]!,
    verdicts: ["key wrap"],
  },
  aesKwpWrap: { secret: { 0: KEY, 1: KEY }, output: "wrapped key" },
  aesKwpUnwrap: { secret: { 0: KEY }, output: "key", verdicts: ["key wrap", "key length"] },

  x25519PublicKey: { secret: { 0: KEY }, output: "public key" },
  x25519SharedSecret: { secret: { 0: KEY }, output: "shared secret", verdicts: ["all zero"] },
  ed25519PublicKey: { secret: { 0: "seed" }, output: "public key" },
  ed25519Sign: { secret: { 0: "seed", 1: "message" }, output: "signature" },
  ed25519Verify: { secret: {}, output: "none", verdicts: ["factors of a batch"] },

  vaultGenerate: { secret: {}, output: "none" },
  vaultImport: { secret: { 1: KEY }, output: "none" },
  vaultFromPassword: { secret: { 1: "password" }, output: "none" },
  vaultDispose: { secret: {}, output: "none" },
  vaultDisposeAll: { secret: {}, output: "none" },
  vaultLiveCount: { secret: {}, output: "none" },
  vaultLength: { secret: {}, output: "none" },
  vaultOverhead: { secret: {}, output: "none" },
  vaultExport: { secret: {}, output: "key, by contract" },

  vaultGenerateAndWrap: { secret: {}, output: "wrapped keys" },
  vaultWrap: { secret: {}, output: "wrapped keys" },
  vaultUnwrap: { secret: {}, output: "none", verdicts: ["commitment", "AEAD tag"] },
  vaultOpenCheck: { secret: {}, output: "none", verdicts: ["commitment", "AEAD tag"] },
  vaultRewrap: {
    secret: {},
    output: "wrapped keys",
    statuses: (args) => args[4]!,
    verdicts: ["commitment", "AEAD tag"],
  },
  vaultDerive: { secret: {}, output: "none" },
  vaultDeriveAndWrap: { secret: {}, output: "wrapped keys" },

  vaultSeal: { secret: { 1: "plaintext" }, output: "commitment, nonce, ciphertext and tag" },
  vaultOpen: { secret: {}, output: "plaintext", verdicts: ["commitment", "AEAD tag"] },
  vaultMac: { secret: { 0: "message" }, output: "MAC" },
  vaultMacVerify: { secret: { 0: "message" }, output: "none", verdicts: ["MAC"] },
  vaultMacBatch: { secret: { 0: "messages" }, output: "MACs" },

  vaultRecordSeal: { secret: { 1: "records" }, output: "MACs and digests" },
  vaultRecordCheck: { secret: { 1: "records" }, output: "none", verdicts: ["MAC"] },
  vaultRecordSealRows: { secret: {}, output: "records with MACs" },
  vaultRecordCheckRows: { secret: {}, output: "none", verdicts: ["MAC"] },
  vaultMoveRows: {
    secret: {},
    output: "records with MACs, and digests",
    statuses: (args) => args[5]!,
    verdicts: ["MAC", "commitment", "AEAD tag", "key wrap"],
  },

  vaultPublicKey: { secret: {}, output: "none", verdicts: ["public key"] },
  vaultSign: { secret: { 0: "message" }, output: "signature", verdicts: ["public key"] },
  vaultVerify: { secret: {}, output: "none", verdicts: ["public key"] },
  vaultAgree: { secret: {}, output: "none", verdicts: ["public key", "all zero"] },
  vaultAgeX25519Wrap: { secret: {}, output: "share, ciphertext and tag", verdicts: ["all zero"] },
  vaultSealTo: { secret: {}, output: "share, head, ciphertext and tag", verdicts: ["all zero"] },
  vaultOpenFrom: { secret: {}, output: "none", verdicts: ["public key", "all zero", "AEAD tag"] },
  vaultAgeX25519Unwrap: { secret: {}, output: "none", verdicts: ["public key", "all zero", "AEAD tag"] },

  vaultAgeWrap: { secret: {}, output: "commitment, nonce, ciphertext and tag" },
  vaultAgeUnwrap: { secret: {}, output: "none", verdicts: ["commitment", "AEAD tag"] },
  vaultAgeScryptWrap: { secret: {}, output: "ciphertext and tag" },
  vaultAgeScryptUnwrap: { secret: {}, output: "none", verdicts: ["AEAD tag"] },
  vaultAgeHeaderMac: { secret: {}, output: "MAC" },
  vaultAgeHeaderMacVerify: { secret: {}, output: "none", verdicts: ["MAC"] },
  vaultAgePayloadKey: { secret: {}, output: "none" },
  vaultAgeChunkSeal: { secret: { 0: "plaintext" }, output: "ciphertext and tag" },
  vaultAgeChunkOpen: { secret: {}, output: "plaintext", verdicts: ["AEAD tag"] },
};

/** The functions of the SIMD build in which verdicts become public, in the order of the file. */
export const DECLASSIFIERS: Record<Verdict, string[]> = {
  "AEAD tag": ["mac/poly1305/sameTag"],
  commitment: ["vault/wrap/openPiece", "vault/use/openUnder"],
  MAC: [
    "mac/record-mac/recordCheck",
    "calls/vault-use/vaultMacVerify",
    "calls/vault-age/vaultAgeHeaderMacVerify",
  ],
  "key wrap": ["wrap/aes-kw/verdicts", "wrap/aes-kw/kwpUnwrap"],
  "key length": ["wrap/aes-kw/kwpUnwrap"],
  "all zero": ["curve/x25519/x25519"],
  "public key": ["vault/curve/prepare"],
  "factors of a batch": ["curve/ed25519-verify/ed25519Verify"],
};
