/**
 * The community test vectors of age (C2SP CCTV, npm `cctv-age`) in their framing: header, MAC, STREAM
 * and armor. Each case runs with its own file key in place of a recipient, so a case that fails only
 * because of what a recipient makes of its stanza has to open here. Then once more, with the identity or passphrase
 * that the case names: what it expects is exactly what has to happen. ML-KEM recipients aren't implemented.
 */
import * as vectors from "cctv-age";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Vault } from "../../sdk/crypto/core.js";
import { concat, equalBytes, fromHex, toHex } from "../../sdk/foundation/bytes.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import { decryptAge } from "../../sdk/messages/age-files.js";
import { ByteReader } from "../../sdk/messages/age/byte-source.js";
import { decryptAgeStream } from "../../sdk/messages/age/file.js";
import { encodeHeader, encodeMac, readHeader } from "../../sdk/messages/age/header.js";
import { Payload, CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import { drain, importFileKey, openVault, type Outcome, yielding } from "./support.js";

interface Case {
  readonly name: string;
  readonly expect: string;
  readonly fileKey: Uint8Array;
  readonly identities: readonly string[];
  readonly passphrase: string | undefined;
  /** SHA-256 of all plaintext that may come out, in hexadecimal. */
  readonly payload: string | undefined;
  readonly file: Uint8Array;
}

/** What a case must do here. */
type Verdict =
  | "opens"
  | "opens, recipient's fault" // `no match`, or a header failure that only a recipient can see
  | "header refused"
  | "MAC refused"
  | "payload refused"
  | "file key refused"
  | "armor refused";

const COUNTS: Record<Verdict, number> = {
  opens: 26,
  "opens, recipient's fault": 42, // 13 `no match`, 29 header failures
  "header refused": 31,
  "MAC refused": 1,
  "payload refused": 19,
  "file key refused": 3,
  "armor refused": 21,
};

/**
 * Header failures in the arguments of a stanza or in what its body unwraps to: rules of X25519, scrypt
 * and ML-KEM, not of the header.
 */
const RECIPIENT_ONLY = new Set([
  ...["x25519_extra_argument", "x25519_identity", "x25519_long_share", "x25519_low_order"],
  ...["x25519_not_canonical_share", "x25519_short_share"],
  ...["hybrid_extra_argument", "hybrid_identity", "hybrid_long_share", "hybrid_low_order"],
  ...["hybrid_not_canonical_enc", "hybrid_short_share", "hybrid_x25519_arg"],
  ...["scrypt_extra_argument", "scrypt_not_canonical_salt"],
  ...["scrypt_salt_long", "scrypt_salt_missing", "scrypt_salt_short"],
  ...["scrypt_work_factor_23", "scrypt_work_factor_hex", "scrypt_work_factor_leading_garbage"],
  ...["scrypt_work_factor_leading_plus", "scrypt_work_factor_leading_zero_decimal"],
  ...["scrypt_work_factor_leading_zero_octal", "scrypt_work_factor_missing", "scrypt_work_factor_negative"],
  ...["scrypt_work_factor_overflow", "scrypt_work_factor_trailing_garbage", "scrypt_work_factor_zero"],
]);

/** File keys of 25 bytes: no slot takes them. */
const LONG_FILE_KEY = new Set(["x25519_long_file_key", "scrypt_long_file_key", "hybrid_long_file_key"]);

function verdictOf(test: Case): Verdict {
  // Its first byte is neither that of a file nor that of armor: nothing says which was meant.
  if (test.name === "armor_garbage_leading") return "header refused";
  if (LONG_FILE_KEY.has(test.name)) return "file key refused";
  if (RECIPIENT_ONLY.has(test.name)) return "opens, recipient's fault";
  switch (test.expect) {
    case "success":
      return "opens";
    case "no match":
      return "opens, recipient's fault";
    case "header failure":
      return "header refused";
    case "HMAC failure":
      return "MAC refused";
    case "payload failure":
      return "payload refused";
    case "armor failure":
      return "armor refused";
    default:
      throw new Error(`${test.name} expects ${test.expect}, which this test does not know`);
  }
}

async function readCase(name: string, bytes: Uint8Array): Promise<Case> {
  const fields = new Map<string, string>();
  const identities: string[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, at);
    const line = new TextDecoder().decode(bytes.subarray(at, end));
    at = end + 1;
    if (line === "") break;
    const colon = line.indexOf(": ");
    const [field, value] = [line.slice(0, colon), line.slice(colon + 2)];
    fields.set(field, value);
    if (field === "identity") identities.push(value);
  }
  let file = bytes.slice(at);
  if (fields.get("compressed") === "zlib") {
    const inflated = new Blob([file as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
    file = new Uint8Array(await new Response(inflated).arrayBuffer());
  }
  return {
    name,
    expect: fields.get("expect") ?? "",
    identities,
    passphrase: fields.get("passphrase"),
    fileKey: fromHex(fields.get("file key") ?? ""),
    payload: fields.get("payload"),
    file,
  };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

const encoded = Object.entries(vectors as unknown as Record<string, unknown>).filter(
  (entry): entry is [string, Uint8Array] => entry[1] instanceof Uint8Array,
);

let vault: Vault;
beforeAll(async () => {
  vault = await openVault();
});

async function open(test: Case, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<Outcome> {
  const unwrapFileKey = async () => importFileKey(vault, test.fileKey);
  return drain(decryptAgeStream({ vault, unwrapFileKey }, source));
}

/** Where and how the stream ended: "opened", a code, or a code and the stage it names. */
function ending({ error }: Outcome): string {
  if (error === undefined) return "opened";
  if (!isKeyloomError(error)) throw error;
  const stage = error.details["stage"];
  return stage === undefined ? error.code : `${error.code} ${String(stage)}`;
}

const ENDINGS: Record<Verdict, string> = {
  opens: "opened",
  "opens, recipient's fault": "opened",
  "header refused": "MESSAGE_MALFORMED",
  "MAC refused": "MESSAGE_AUTHENTICATION_FAILED header",
  "payload refused": "MESSAGE_AUTHENTICATION_FAILED payload",
  "file key refused": "CORE_INVALID_LENGTH",
  "armor refused": "MESSAGE_MALFORMED armor",
};

describe("the CCTV cases of age, with the file key in place of a recipient", () => {
  const seen: Record<string, number> = {};

  it.each(encoded)("%s", async (name, bytes) => {
    const test = await readCase(name, bytes);
    const verdict = verdictOf(test);
    const live = vault.liveCount();
    const size = test.file.length < 4096 ? 1 : 10_007;
    for (const source of [test.file, yielding(pieces(test.file, size))]) {
      const outcome = await open(test, source);
      expect(ending(outcome)).toBe(ENDINGS[verdict]);
      // Also where the payload fails: not a byte more may come out than the case lists, and not a byte less.
      if (test.payload !== undefined) {
        expect(await sha256(outcome.bytes)).toBe(test.payload);
      }
      if (verdict.endsWith("refused") && verdict !== "payload refused") expect(outcome.bytes.length).toBe(0);
    }
    expect(vault.liveCount()).toBe(live);
    seen[verdict] = (seen[verdict] ?? 0) + 1;
  });

  it("are all there, each in the category it belongs to", () => {
    expect(seen).toEqual(COUNTS);
    expect(Object.values(COUNTS).reduce((sum, count) => sum + count, 0)).toBe(encoded.length);
    const names = new Set(encoded.map(([name]) => name));
    for (const name of [...RECIPIENT_ONLY, ...LONG_FILE_KEY]) expect(names).toContain(name);
  });

  afterAll(() => {
    const rows = Object.entries(seen).map(([verdict, count]) => `  ${String(count).padStart(3)}  ${verdict}`);
    console.info(`CCTV age: ${encoded.length} cases\n${rows.join("\n")}`);
  });
});

const ML_KEM = "ML-KEM, not implemented";
const OUTCOMES: Record<string, string> = {
  success: "opened",
  "no match": "MESSAGE_NO_MATCH",
  "header failure": "MESSAGE_MALFORMED",
  "HMAC failure": "MESSAGE_AUTHENTICATION_FAILED header",
  "payload failure": "MESSAGE_AUTHENTICATION_FAILED payload",
  "armor failure": "MESSAGE_MALFORMED armor",
};
const OUTCOME_COUNTS: Record<string, number> = {
  success: 21,
  "no match": 8,
  "header failure": 54,
  "HMAC failure": 1,
  "payload failure": 19,
  "armor failure": 21,
  [ML_KEM]: 19,
};

describe("the CCTV cases of age, with their own identities and passphrases", () => {
  const seen: Record<string, number> = {};

  it.each(encoded)("%s", async (name, bytes) => {
    const test = await readCase(name, bytes);
    const identities = test.identities.filter((identity) => !identity.startsWith("AGE-SECRET-KEY-PQ-"));
    const needsMlKem = identities.length < test.identities.length;
    if (needsMlKem) {
      seen[ML_KEM] = (seen[ML_KEM] ?? 0) + 1;
      return;
    }
    // Where there is nothing to open, there is nothing to open it with.
    const passphrase = test.passphrase ?? (identities.length === 0 ? "none" : undefined);
    const expected = name === "armor_garbage_leading" ? "header failure" : test.expect;
    const size = test.file.length < 4096 ? 1 : 10_007;
    for (const source of [test.file, yielding(pieces(test.file, size))]) {
      const outcome = await drain(decryptAge(source, { identities, passphrase }));
      expect(ending(outcome)).toBe(OUTCOMES[expected]);
      if (test.payload !== undefined) expect(await sha256(outcome.bytes)).toBe(test.payload);
      else expect(outcome.bytes.length).toBe(0);
    }
    seen[expected] = (seen[expected] ?? 0) + 1;
  });

  it("are all there, each with what it expects", () => {
    expect(seen).toEqual(OUTCOME_COUNTS);
    expect(Object.values(seen).reduce((sum, count) => sum + count, 0)).toBe(encoded.length);
  });

  afterAll(() => {
    const rows = Object.entries(seen).map(([outcome, count]) => `  ${String(count).padStart(3)}  ${outcome}`);
    console.info(`CCTV age, own recipients: ${encoded.length} cases\n${rows.join("\n")}`);
  });
});

describe("a CCTV case whose header parses", () => {
  const parsing = async () => {
    const cases = await Promise.all(encoded.map(([name, bytes]) => readCase(name, bytes)));
    return cases.filter((test) => !/header refused|armor/.test(`${verdictOf(test)} ${test.name}`));
  };

  it("is written again with the same bytes", async () => {
    const cases = await parsing();
    for (const { file, name } of cases) {
      const { stanzas, mac } = await readHeader(new ByteReader(file));
      const again = concat(encodeHeader(stanzas), encodeMac(mac));
      expect(equalBytes(again, file.subarray(0, again.length)), name).toBe(true);
    }
    expect(cases.length).toBe(82);
  });

  it("and whose payload opens is sealed again to the same bytes", async () => {
    const cases = (await parsing()).filter((test) => verdictOf(test).startsWith("opens"));
    for (const test of cases) {
      const { authenticated, mac } = await readHeader(new ByteReader(test.file));
      const start = authenticated.length + encodeMac(mac).length;
      const nonce = test.file.subarray(start, start + 16);
      const { bytes } = await open(test, test.file);

      const fileKey = importFileKey(vault, test.fileKey);
      const payload = new Payload(vault, vault.agePayloadKey(fileKey, nonce));
      vault.dispose(fileKey);
      const sealed: Uint8Array[] = [];
      const reader = new ByteReader(bytes);
      for (let last = false; !last;) {
        const chunk = await reader.readChunk(CHUNK_BYTES);
        sealed.push(payload.seal(chunk));
        last = chunk.last;
      }
      expect(equalBytes(concat(...sealed), test.file.subarray(start + 16)), test.name).toBe(true);
    }
    expect(cases.length).toBe(60);
  });
});
