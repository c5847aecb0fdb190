/** Recipients, identities and stanzas of age, held against npm `age-encryption` and the specification's examples. */
import * as age from "age-encryption";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { fromHex, utf8 } from "../../sdk/foundation/bytes.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import { encodeBase64 } from "../../sdk/messages/age/base64.js";
import { decodeBech32, encodeBech32 } from "../../sdk/messages/age/bech32.js";
import { parseScryptStanza, WORK_FACTOR } from "../../sdk/messages/age/scrypt.js";
import {
  generateIdentity,
  importIdentity,
  parseRecipient,
  parseX25519Stanza,
  recipientOf,
  unwrapX25519Stanza,
  wrapX25519Stanza,
} from "../../sdk/messages/age/x25519.js";
import { importFileKey, openVault, pattern } from "./support.js";

const RECIPIENT = "age";
const IDENTITY = "AGE-SECRET-KEY-";
/** The examples of the specification. */
const EXAMPLE = {
  identity: "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
  recipient: "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
};

let vault: Vault;
beforeAll(async () => {
  vault = await openVault();
});

/** What a call ends with: its result, or the code it throws. */
function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (isKeyloomError(error)) return error.code;
    throw error;
  }
}

describe("Bech32", () => {
  it("encodes every value as age-encryption reads it, and decodes it again", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const identity = await age.generateX25519Identity();
      const scalar = decodeBech32(IDENTITY, utf8(identity))!;
      expect(encodeBech32(IDENTITY, scalar)).toBe(identity);
      const recipient = await age.identityToRecipient(identity);
      expect(encodeBech32(RECIPIENT, parseRecipient(recipient))).toBe(recipient);
    }
    const value = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(value, (bytes) => {
        expect(decodeBech32(RECIPIENT, utf8(encodeBech32(RECIPIENT, bytes)))).toEqual(bytes);
      }),
    );
  });

  it("is refused with any one character changed, left out, doubled, exchanged or in the other case", () => {
    const { recipient } = EXAMPLE;
    const refused = (text: string) => expect(decodeBech32(RECIPIENT, utf8(text)), text).toBeNull();
    for (let at = 0; at < recipient.length; at++) {
      const [head, character, tail] = [recipient.slice(0, at), recipient[at]!, recipient.slice(at + 1)];
      for (let code = 0x20; code < 0x7f; code++) {
        const other = String.fromCharCode(code);
        if (other !== character) refused(head + other + tail);
      }
      refused(head + tail);
      refused(head + character + character + tail);
      if (tail !== "" && tail[0] !== character) refused(head + tail[0]! + character + tail.slice(1));
    }
    for (const text of [
      "",
      "age1",
      recipient.toUpperCase(),
      ` ${recipient}`,
      `${recipient}\n`,
      `${recipient}é`,
    ]) {
      refused(text);
    }
  });

  it("is refused with another checksum (Bech32m), another prefix, and padding that isn't zero", () => {
    // The last of 52 words has 4 bits of padding; the remainder of the code is 1, with Bech32m another constant.
    const words = [...EXAMPLE.recipient.slice(4, 56)];
    const withTail = (last: string, checksum: (sum: number) => number): string => {
      const all = [...words.slice(0, -1), last];
      return `age1${all.join("")}${checksumOf("age", all, checksum)}`;
    };
    const right = withTail(words.at(-1)!, (sum) => sum ^ 1);
    expect(right).toBe(EXAMPLE.recipient);
    expect(decodeBech32(RECIPIENT, utf8(withTail(words.at(-1)!, (sum) => sum ^ 0x2bc830a3)))).toBeNull();
    for (let padding = 1; padding < 16; padding++) {
      const last = CHARSET[(CHARSET.indexOf(words.at(-1)!) & 16) | padding]!;
      expect(decodeBech32(RECIPIENT, utf8(withTail(last, (sum) => sum ^ 1)))).toBeNull();
    }
    expect(decodeBech32("agf", utf8(EXAMPLE.recipient))).toBeNull();
    expect(decodeBech32(IDENTITY, utf8(EXAMPLE.recipient))).toBeNull();
  });
});

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** BIP 173's checksum once more, as polynomial division over plain numbers. */
function checksumOf(prefix: string, words: readonly string[], finish: (sum: number) => number): string {
  const codes = [...prefix].map((character) => character.charCodeAt(0));
  const values = [
    ...codes.map((code) => code >> 5),
    0,
    ...codes.map((code) => code & 31),
    ...words.map((word) => CHARSET.indexOf(word)),
    ...[0, 0, 0, 0, 0, 0],
  ];
  let sum = 1;
  for (const value of values) {
    const top = sum >> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].forEach((g, i) => {
      if ((top >> i) & 1) sum ^= g;
    });
  }
  const final = finish(sum);
  return [5, 4, 3, 2, 1, 0].map((i) => CHARSET[(final >> (5 * i)) & 31]).join("");
}

describe("an age identity", () => {
  it("has the recipient of the specification's example", () => {
    for (const identity of [EXAMPLE.identity, utf8(EXAMPLE.identity)]) {
      const handle = importIdentity(vault, identity);
      expect(recipientOf(vault, handle)).toBe(EXAMPLE.recipient);
      vault.dispose(handle);
    }
  });

  it("is generated anew each time, read by age-encryption, and leaves no slot taken", async () => {
    const live = vault.liveCount();
    const [one, other] = [generateIdentity(vault), generateIdentity(vault)];
    expect(one.identity).not.toBe(other.identity);
    expect(await age.identityToRecipient(one.identity)).toBe(one.recipient);
    expect(vault.liveCount()).toBe(live);
  });

  it.each([
    ["empty", ""],
    ["a recipient", EXAMPLE.recipient],
    ["in lower case", EXAMPLE.identity.toLowerCase()],
    ["followed by a line end", `${EXAMPLE.identity}\n`],
    [
      "for a post-quantum key",
      "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR",
    ],
  ])("is refused when it is %s, and isn't in the message", (_, identity) => {
    const live = vault.liveCount();
    try {
      importIdentity(vault, identity);
      expect.unreachable();
    } catch (error) {
      if (!isKeyloomError(error, "MESSAGE_INVALID_IDENTITY")) throw error;
      if (identity !== "") expect(`${JSON.stringify(error)} ${error.message}`).not.toContain(identity.trim());
    }
    expect(vault.liveCount()).toBe(live);
  });
});

describe("an X25519 stanza", () => {
  let identity: Handle;
  let fileKey: Handle;
  let recipient: Uint8Array;
  beforeAll(() => {
    identity = importIdentity(vault, EXAMPLE.identity);
    recipient = parseRecipient(EXAMPLE.recipient);
    fileKey = importFileKey(vault, pattern(16, 5));
  });

  it("is opened by its identity and by no other, and has a fresh share each time", () => {
    const stanza = wrapX25519Stanza(vault, recipient, fileKey);
    expect(stanza).not.toEqual(wrapX25519Stanza(vault, recipient, fileKey));
    const opened = unwrapX25519Stanza(vault, identity, parseX25519Stanza(stanza)!)!;
    expect(vault.ageHeaderMac(opened, utf8("x"))).toEqual(vault.ageHeaderMac(fileKey, utf8("x")));
    const other = importIdentity(vault, generateIdentity(vault).identity);
    expect(unwrapX25519Stanza(vault, other, parseX25519Stanza(stanza)!)).toBeNull();
    vault.dispose(opened);
    vault.dispose(other);
  });

  it("of another type is none, and of another form is malformed", () => {
    const { type, args, body } = wrapX25519Stanza(vault, recipient, fileKey);
    const [share] = args as [string];
    const verdict = (stanza: { type?: string; args?: string[]; body?: Uint8Array }) =>
      codeOf(() => parseX25519Stanza({ type, args, body, ...stanza }));
    expect(verdict({ type: "x25519" })).toBeNull();
    expect(verdict({ type: "scrypt", args: [] })).toBeNull();
    for (const wrong of [[], [share, "more"], [`${share}=`], [share.slice(1)], [`${share}A`], ["é"]]) {
      expect(verdict({ args: wrong })).toBe("MESSAGE_MALFORMED");
    }
    expect(verdict({ body: pattern(31) })).toBe("MESSAGE_MALFORMED");
    expect(verdict({ body: pattern(33) })).toBe("MESSAGE_MALFORMED");
  });

  it("is neither made for a recipient of small order nor opened with a share of it", () => {
    // Both coordinates of order 8, those of lower orders, and two encodings above the prime.
    const weakPoints = [
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for (const weak of weakPoints.map(fromHex)) {
      const text = encodeBech32(RECIPIENT, weak);
      expect(codeOf(() => wrapX25519Stanza(vault, parseRecipient(text), fileKey))).toBe(
        "MESSAGE_INVALID_RECIPIENT",
      );
      const stanza = parseX25519Stanza({ type: "X25519", args: [encodeBase64(weak)], body: pattern(32) })!;
      expect(codeOf(() => unwrapX25519Stanza(vault, identity, stanza))).toBe("MESSAGE_MALFORMED");
    }
  });
});

describe("a scrypt stanza", () => {
  it("of another type is none, and of another form, or with too much work, is malformed", () => {
    const stanza = { type: "scrypt", args: [encodeBase64(pattern(16)), "20"], body: pattern(32) };
    const verdict = (other: { type?: string; args?: string[]; body?: Uint8Array }) =>
      codeOf(() => parseScryptStanza({ ...stanza, ...other }, WORK_FACTOR.maximum));
    expect(verdict({})).toMatchObject({ workFactor: 20 });
    expect(verdict({ type: "SCRYPT" })).toBeNull();
    const [salt, factor] = stanza.args as [string, string];
    for (const args of [[salt], [salt, factor, "1"], [salt.slice(1), factor], [`${salt}==`, factor]]) {
      expect(verdict({ args })).toBe("MESSAGE_MALFORMED");
    }
    for (const wrong of [
      "",
      "0",
      "01",
      "+1",
      "-1",
      "1e1",
      "0x5",
      "1.0",
      "21",
      "99999999999999999999",
      "1\u0661",
    ]) {
      expect(verdict({ args: [salt, wrong] })).toBe("MESSAGE_MALFORMED");
    }
    expect(verdict({ body: pattern(31) })).toBe("MESSAGE_MALFORMED");
    expect(verdict({ body: pattern(33) })).toBe("MESSAGE_MALFORMED");
  });
});
