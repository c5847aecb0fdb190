import { beforeAll, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import type { Stanza } from "../../sdk/messages/age/header.js";
import {
  MANAGED_KEY_BODY_LENGTH,
  MANAGED_KEY_STANZA,
  parseManagedKeyStanza,
  unwrapManagedKeyStanza,
  wrapManagedKeyStanza,
} from "../../sdk/messages/age/stanza.js";
import { openStanzaIndependently } from "./oracle.js";
import { flipped, importFileKey, importKey, KEY_ID, KEY_VERSION, openVault, pattern } from "./support.js";

const ID_TEXT = "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf";
const MATERIAL = pattern(32, 4);
const FILE_KEY = pattern(16, 5);
const HEADER = new TextEncoder().encode("any header");

let vault: Vault;
let key: Handle;
let fileKey: Handle;
beforeAll(async () => {
  vault = await openVault();
  key = importKey(vault, MATERIAL);
  fileKey = importFileKey(vault, FILE_KEY);
});

function wrap(): Stanza {
  return wrapManagedKeyStanza(vault, key, KEY_ID, KEY_VERSION, fileKey);
}

/** The code of a refusal in parsing or unwrapping, or "unwrapped". */
function unwrap(stanza: Stanza, handle = key): string {
  try {
    vault.dispose(unwrapManagedKeyStanza(vault, handle, parseManagedKeyStanza(stanza)!));
    return "unwrapped";
  } catch (error) {
    if (isKeyloomError(error)) return error.code;
    throw error;
  }
}

describe("the managed-key stanza", () => {
  it("names the key and its version, and has a body of 88 bytes", () => {
    const stanza = wrap();
    expect(stanza.type).toBe("keyloom.dev/managed-key");
    expect(stanza.args).toEqual([ID_TEXT, "7"]);
    expect(stanza.body.length).toBe(MANAGED_KEY_BODY_LENGTH);
    expect(parseManagedKeyStanza(stanza)).toMatchObject({ keyId: KEY_ID, keyVersion: KEY_VERSION });
  });

  it("unwraps to the same file key", () => {
    const parsed = parseManagedKeyStanza(wrap())!;
    const unwrapped = unwrapManagedKeyStanza(vault, key, parsed);
    expect(vault.ageHeaderMac(unwrapped, HEADER)).toEqual(vault.ageHeaderMac(fileKey, HEADER));
    vault.dispose(unwrapped);
  });

  it("opens in an independent implementation, with its first line as associated data", () => {
    const { body } = wrap();
    const line = `-> keyloom.dev/managed-key ${ID_TEXT} 7`;
    expect(openStanzaIndependently(MATERIAL, line, body)).toEqual(FILE_KEY);
  });

  it("is refused whichever bit of its body was turned", () => {
    const stanza = wrap();
    expect(unwrap(stanza)).toBe("unwrapped");
    for (let at = 0; at < MANAGED_KEY_BODY_LENGTH; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = { ...stanza, body: flipped(stanza.body, at, bit) };
        expect(unwrap(changed)).toBe("MESSAGE_AUTHENTICATION_FAILED");
      }
    }
  });

  it("is refused under another id, another version and another key", () => {
    const stanza = wrap();
    const otherId = `b${ID_TEXT.slice(1)}`;
    for (const args of [
      [otherId, "7"],
      [ID_TEXT, "8"],
      [ID_TEXT, "70"],
    ]) {
      expect(unwrap({ ...stanza, args })).toBe("MESSAGE_AUTHENTICATION_FAILED");
    }
    const other = importKey(vault, pattern(32, 6));
    expect(unwrap(stanza, other)).toBe("MESSAGE_AUTHENTICATION_FAILED");
    vault.dispose(other);
    expect(unwrap(stanza, other)).toBe("CORE_HANDLE_STALE");
  });

  it("is left alone when it is of another type", () => {
    for (const type of ["X25519", "keyloom.dev/managed-key2", "keyloom.dev/Managed-key", "managed-key"]) {
      expect(parseManagedKeyStanza({ ...wrap(), type })).toBeNull();
    }
  });

  it.each([
    ["no arguments", []],
    ["one argument", [ID_TEXT]],
    ["three arguments", [ID_TEXT, "7", "7"]],
    ["an upper-case id", [ID_TEXT.toUpperCase(), "7"]],
    ["an id without hyphens", [ID_TEXT.replaceAll("-", ""), "7"]],
    ["an id in braces", [`{${ID_TEXT}}`, "7"]],
    ["a short id", [ID_TEXT.slice(1), "7"]],
    ["a leading zero", [ID_TEXT, "07"]],
    ["a plus sign", [ID_TEXT, "+7"]],
    ["a minus sign", [ID_TEXT, "-7"]],
    ["a fraction", [ID_TEXT, "7.0"]],
    ["an exponent", [ID_TEXT, "7e0"]],
    ["hexadecimal", [ID_TEXT, "0x7"]],
    ["33 bits", [ID_TEXT, "4294967296"]],
    ["eleven digits", [ID_TEXT, "10000000000"]],
    ["a line feed behind the version", [ID_TEXT, "7\n"]],
  ])("is malformed with %s", (_what, args) => {
    expect(unwrap({ ...wrap(), args })).toBe("MESSAGE_MALFORMED");
  });

  it("is malformed with a body of any other length", () => {
    for (const length of [0, 32, 87, 89, 104]) {
      const stanza: Stanza = { type: MANAGED_KEY_STANZA, args: [ID_TEXT, "7"], body: pattern(length) };
      expect(unwrap(stanza)).toBe("MESSAGE_MALFORMED");
    }
  });

  it("takes the whole range of versions", () => {
    for (const version of [0, 1, 4_294_967_295]) {
      const stanza = wrapManagedKeyStanza(vault, key, KEY_ID, version, fileKey);
      expect(parseManagedKeyStanza(stanza)?.keyVersion).toBe(version);
      expect(unwrap(stanza)).toBe("unwrapped");
    }
  });
});
