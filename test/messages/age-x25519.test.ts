/** age's X25519 stanzas: files to and from npm `age-encryption`, with the identity in the vault. */
import * as age from "age-encryption";
import { beforeAll, describe, expect, it } from "vitest";
import { ALGORITHM, type Handle, USAGE, type Vault } from "../../sdk/crypto/core.js";
import { equalBytes } from "../../sdk/foundation/bytes.js";
import { decodeBase64, encodeBase64 } from "../../sdk/messages/age/base64.js";
import { decryptAgeStream, encryptAgeStream } from "../../sdk/messages/age/file.js";
import type { Stanza } from "../../sdk/messages/age/header.js";
import { flipped, openVault, pattern, randomBytes, readAll } from "./support.js";

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** The 32 bytes in a Bech32 string (BIP 173), which age-encryption has checked. */
function bech32(text: string): Uint8Array {
  const lower = text.toLowerCase();
  const values = [...lower.slice(lower.lastIndexOf("1") + 1, -6)].map((letter) => CHARSET.indexOf(letter));
  const bits = values.map((value) => value.toString(2).padStart(5, "0")).join("");
  return Uint8Array.from({ length: 32 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8), 2));
}

let vault: Vault;
let identity: string;
let recipient: string;
let key: Handle;
beforeAll(async () => {
  vault = await openVault();
  identity = await age.generateX25519Identity();
  recipient = await age.identityToRecipient(identity);
  key = vault.import(
    {
      algorithm: ALGORITHM.X25519,
      usages: USAGE.AGREE,
      exportable: false,
      id: new Uint8Array(16),
      version: 1,
    },
    bech32(identity),
  );
});

function unwrap(stanzas: readonly Stanza[]): Handle {
  const { args, body } = stanzas.find(({ type }) => type === "X25519")!;
  return vault.ageX25519Unwrap(key, decodeBase64(new TextEncoder().encode(args[0]))!, body);
}

function stanzaFor(fileKey: Handle): Stanza {
  const { share, body } = vault.ageX25519Wrap(bech32(recipient), fileKey);
  return { type: "X25519", args: [encodeBase64(share)], body };
}

describe("an X25519 identity in the vault", () => {
  it("has the public key that age-encryption names as its recipient", () => {
    expect(equalBytes(vault.publicKey(key), bech32(recipient))).toBe(true);
  });

  it("opens files that age-encryption made for it, among other stanzas", async () => {
    for (const length of [0, 100, 70_000]) {
      const encrypter = new age.Encrypter();
      encrypter.addRecipient(await age.identityToRecipient(await age.generateX25519Identity()));
      const alone = new age.Encrypter();
      alone.addRecipient(recipient);
      const file = await alone.encrypt(pattern(length));
      const opened = await readAll(
        decryptAgeStream({ vault, unwrapFileKey: async (all) => unwrap(all) }, file),
      );
      expect(equalBytes(opened, pattern(length))).toBe(true);
      const foreign = await encrypter.encrypt(pattern(length));
      const stream = decryptAgeStream({ vault, unwrapFileKey: async (all) => unwrap(all) }, foreign);
      await expect(readAll(stream)).rejects.toMatchObject({ code: "CORE_AUTHENTICATION_FAILED" });
    }
  });

  it("is written to so that age-encryption opens the file", async () => {
    const options = { vault, random: randomBytes, stanzas: (fileKey: Handle) => [stanzaFor(fileKey)] };
    const file = await readAll(encryptAgeStream(options, pattern(70_000)));
    const decrypter = new age.Decrypter();
    decrypter.addIdentity(identity);
    expect(equalBytes(await decrypter.decrypt(file), pattern(70_000))).toBe(true);
  });

  it("refuses a changed share or body with one code, and a share of small order with another", () => {
    const fileKey = vault.generate({
      algorithm: ALGORITHM.AGE_FILE_KEY,
      usages: 0,
      exportable: false,
      id: new Uint8Array(16),
      version: 0,
    });
    const { share, body } = vault.ageX25519Wrap(bech32(recipient), fileKey);
    const failed = expect.objectContaining({ code: "CORE_AUTHENTICATION_FAILED" }) as Error;
    for (const i of [0, 15, 31]) {
      expect(() => vault.ageX25519Unwrap(key, flipped(share, i), body)).toThrow(failed);
      expect(() => vault.ageX25519Unwrap(key, share, flipped(body, i))).toThrow(failed);
    }
    // age has the whole file refused for a share of small order.
    expect(() => vault.ageX25519Unwrap(key, new Uint8Array(32), body)).toThrow(
      expect.objectContaining({ code: "CORE_WEAK_PUBLIC_KEY" }),
    );
    vault.dispose(vault.ageX25519Unwrap(key, share, body));
  });
});
