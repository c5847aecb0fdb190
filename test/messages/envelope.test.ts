import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { concat, getU32, utf8 } from "../../sdk/foundation/bytes.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import {
  ENVELOPE_HEADER_LENGTH,
  ENVELOPE_OVERHEAD,
  MAX_ENVELOPE_PLAINTEXT,
  openEnvelope,
  parseEnvelope,
  sealEnvelope,
} from "../../sdk/messages/envelope.js";
import { openEnvelopeIndependently } from "./oracle.js";
import { flipped, importKey, KEY_ID, KEY_VERSION, openVault, pattern } from "./support.js";

const AAD = utf8("invoice 17");
const NONE = new Uint8Array(0);
const MATERIAL = pattern(32, 5);

let vault: Vault;
let key: Handle;
beforeAll(async () => {
  vault = await openVault();
  key = importKey(vault, MATERIAL);
});

function seal(plaintext: Uint8Array, aad = AAD): Uint8Array {
  return sealEnvelope(vault, key, KEY_ID, KEY_VERSION, plaintext, aad);
}

function open(envelope: Uint8Array, aad = AAD, handle = key): Uint8Array {
  return openEnvelope(vault, handle, parseEnvelope(envelope), aad);
}

/** The code of the KeyloomError that `run` throws. */
function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isKeyloomError(error)) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("the envelope", () => {
  it("gives back every message it sealed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), fc.uint8Array({ maxLength: 256 }), (plaintext, aad) => {
        const before = [plaintext.slice(), aad.slice()];
        const envelope = seal(plaintext, aad);
        expect(envelope.length).toBe(plaintext.length + ENVELOPE_OVERHEAD);
        expect(open(envelope, aad)).toEqual(plaintext);
        expect([plaintext, aad]).toEqual(before);
      }),
    );
  });

  it("opens in an independent implementation that knows the key's material", () => {
    for (const length of [0, 1, 63, 64, 1024]) {
      const plaintext = pattern(length);
      expect(openEnvelopeIndependently(MATERIAL, seal(plaintext), AAD)).toEqual(plaintext);
    }
  });

  it("starts with the format, the key's id and the key's version", () => {
    const envelope = sealEnvelope(vault, key, KEY_ID, 0x01020304, pattern(10), NONE);
    expect(envelope[0]).toBe(1);
    expect(envelope.subarray(1, 17)).toEqual(KEY_ID);
    expect(getU32(envelope, 17)).toBe(0x01020304);
    const parsed = parseEnvelope(envelope);
    expect(parsed.keyId).toEqual(KEY_ID);
    expect(parsed.keyVersion).toBe(0x01020304);
    expect(concat(parsed.header, parsed.sealed)).toEqual(envelope);
  });

  it("keeps versions of the whole unsigned 32-bit range apart", () => {
    for (const version of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      expect(parseEnvelope(sealEnvelope(vault, key, KEY_ID, version, NONE, NONE)).keyVersion).toBe(version);
    }
  });

  it("seals the same message into other bytes each time", () => {
    const [a, b] = [seal(pattern(32)), seal(pattern(32))];
    expect(a.subarray(ENVELOPE_HEADER_LENGTH + 32)).not.toEqual(b.subarray(ENVELOPE_HEADER_LENGTH + 32));
  });

  it("seals 1 MiB and refuses one byte more, naming encryptStream", () => {
    const largest = pattern(MAX_ENVELOPE_PLAINTEXT);
    const opened = open(seal(largest));
    expect(opened.length).toBe(largest.length);
    expect(opened.every((byte, i) => byte === largest[i])).toBe(true);
    expect(() => seal(new Uint8Array(MAX_ENVELOPE_PLAINTEXT + 1))).toThrow(/encryptStream/);
    expect(codeOf(() => seal(new Uint8Array(MAX_ENVELOPE_PLAINTEXT + 1)))).toBe("MESSAGE_TOO_LARGE");
  });
});

describe("a changed envelope", () => {
  const plaintext = pattern(48);

  it("is refused whichever bit of whichever byte was turned", () => {
    const envelope = seal(plaintext);
    for (let at = 0; at < envelope.length; at++) {
      const expected = at === 0 ? "MESSAGE_MALFORMED" : "MESSAGE_AUTHENTICATION_FAILED";
      for (let bit = 0; bit < 8; bit++) expect(codeOf(() => open(flipped(envelope, at, bit)))).toBe(expected);
    }
  });

  it("is refused at every shorter length, and with a byte behind", () => {
    const envelope = seal(plaintext);
    for (let length = 0; length < envelope.length; length++) {
      const expected = length < ENVELOPE_OVERHEAD ? "MESSAGE_MALFORMED" : "MESSAGE_AUTHENTICATION_FAILED";
      expect(codeOf(() => open(envelope.subarray(0, length)))).toBe(expected);
    }
    expect(codeOf(() => open(concat(envelope, Uint8Array.of(0))))).toBe("MESSAGE_AUTHENTICATION_FAILED");
  });

  it("is refused when a field was taken from another envelope of the same key", () => {
    const [a, b] = [seal(plaintext), seal(pattern(48, 2))];
    // Commitment (bytes 21 to 53) is the key's own and equal in both.
    expect(a.subarray(21, 53)).toEqual(b.subarray(21, 53));
    for (const [from, to] of [
      [53, 77],
      [77, a.length - 16],
      [a.length - 16, a.length],
    ] as const) {
      const mixed = a.slice();
      mixed.set(b.subarray(from, to), from);
      expect(codeOf(() => open(mixed))).toBe("MESSAGE_AUTHENTICATION_FAILED");
    }
  });

  it("is refused under other associated data, also where it slides across the header's end", () => {
    const envelope = seal(plaintext, AAD);
    for (const aad of [NONE, AAD.subarray(1), concat(AAD, Uint8Array.of(0)), flipped(AAD, 3)]) {
      expect(codeOf(() => open(envelope, aad))).toBe("MESSAGE_AUTHENTICATION_FAILED");
    }
  });

  it("is refused under another key, by the same error as a wrong tag", () => {
    const other = importKey(vault, pattern(32, 6));
    const envelope = seal(plaintext);
    const caught = [() => open(envelope, AAD, other), () => open(flipped(envelope, envelope.length - 1))].map(
      (run) => {
        try {
          return run();
        } catch (error) {
          return JSON.stringify(error);
        }
      },
    );
    expect(caught[0]).toMatch(/MESSAGE_AUTHENTICATION_FAILED/);
    expect(caught[0]).toBe(caught[1]);
    vault.dispose(other);
  });
});

describe("parseEnvelope", () => {
  it("refuses what no envelope can be", () => {
    const tooLong = new Uint8Array(MAX_ENVELOPE_PLAINTEXT + ENVELOPE_OVERHEAD + 1).fill(1);
    const otherFormat = seal(NONE);
    otherFormat[0] = 2;
    for (const bytes of [NONE, new Uint8Array(ENVELOPE_OVERHEAD - 1).fill(1), tooLong, otherFormat]) {
      expect(codeOf(() => parseEnvelope(bytes))).toBe("MESSAGE_MALFORMED");
    }
    expect(codeOf(() => parseEnvelope(utf8("age-encryption.org/v1\n".repeat(9))))).toBe("MESSAGE_MALFORMED");
  });

  it("leaves errors about the handle as they are", () => {
    const gone = importKey(vault, MATERIAL);
    const envelope = seal(NONE);
    vault.dispose(gone);
    expect(codeOf(() => open(envelope, AAD, gone))).toBe("CORE_HANDLE_STALE");
    expect(codeOf(() => sealEnvelope(vault, gone, KEY_ID, 1, NONE, NONE))).toBe("CORE_HANDLE_STALE");
  });
});
