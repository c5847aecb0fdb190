/** Files to and from npm `age-encryption`, with recipients and identities of its kinds and of ours. */
import * as age from "age-encryption";
import { beforeAll, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { concat, equalBytes } from "../../sdk/foundation/bytes.js";
import { decryptAgeStream } from "../../sdk/messages/age/file.js";
import { encodeHeader, type Stanza } from "../../sdk/messages/age/header.js";
import { CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import { headerMacIndependently, openStanzaIndependently, sealStanzaIndependently } from "./oracle.js";
import {
  decryptWith,
  drain,
  encryptTo,
  flipped,
  importFileKey,
  importKey,
  openVault,
  pattern,
  randomBytes,
  readAll,
  streaming,
  unwrapWith,
} from "./support.js";

const MATERIAL = pattern(32, 42);
const ID_TEXT = "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf";
const ARGS = ["keyloom.dev/managed-key", ID_TEXT, "7"];
const LINE = `-> ${ARGS.join(" ")}`;
const LENGTHS = [0, 1, 15, 16, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES];

let vault: Vault;
let key: Handle;
beforeAll(async () => {
  vault = await openVault();
  key = importKey(vault, MATERIAL);
});

/** Our stanza as an age-encryption identity, unwrapped by the independent implementation. */
const identity: age.Identity = {
  unwrapFileKey(stanzas) {
    const ours = stanzas.find(({ args }) => args[0] === ARGS[0]);
    return ours === undefined
      ? null
      : openStanzaIndependently(MATERIAL, `-> ${ours.args.join(" ")}`, ours.body);
  },
};

/** The same the other way round. */
const recipient: age.Recipient = {
  wrapFileKey: (fileKey) => [
    new age.Stanza(ARGS, sealStanzaIndependently(MATERIAL, LINE, fileKey, randomBytes(24))),
  ],
};

function decrypter(...identities: (age.Identity | string)[]): age.Decrypter {
  const decrypter = new age.Decrypter();
  for (const one of identities) decrypter.addIdentity(one);
  return decrypter;
}

function encrypter(...recipients: (age.Recipient | string)[]): age.Encrypter {
  const encrypter = new age.Encrypter();
  for (const one of recipients) encrypter.addRecipient(one);
  return encrypter;
}

describe("age-encryption and Keyloom", () => {
  it("open what the other encrypted, at every length around a chunk", async () => {
    for (const length of LENGTHS) {
      const plaintext = pattern(length, length + 7);
      const ours = await readAll(encryptTo(vault, key, streaming([plaintext])));
      expect(equalBytes(await decrypter(identity).decrypt(ours), plaintext)).toBe(true);
      const theirs = await encrypter(recipient).encrypt(plaintext);
      expect(equalBytes(await readAll(decryptWith(vault, key, theirs)), plaintext)).toBe(true);
    }
  });

  it("open each other's streams", async () => {
    const plaintext = pattern(2 * CHUNK_BYTES + 77);
    const opened = await decrypter(identity).decrypt(encryptTo(vault, key, plaintext));
    expect(equalBytes(await readAll(opened), plaintext)).toBe(true);
    const theirs = await encrypter(recipient).encrypt(streaming([plaintext]));
    expect(equalBytes(await readAll(decryptWith(vault, key, theirs)), plaintext)).toBe(true);
  });

  it("refuse the same damaged files", async () => {
    const plaintext = pattern(90);
    const ours = await readAll(encryptTo(vault, key, plaintext));
    for (let at = 0; at < ours.length; at++) {
      const changed = flipped(ours, at);
      expect((await drain(decryptWith(vault, key, changed))).error).toBeDefined();
      await expect(decrypter(identity).decrypt(changed)).rejects.toThrow();
    }
  });

  it("write the same bytes from the same file key and nonce", async () => {
    const theirs = await encrypter(recipient).encrypt(pattern(CHUNK_BYTES + 9));
    let stanzas: readonly Stanza[] = [];
    const reading = decryptAgeStream(
      {
        vault,
        unwrapFileKey: async (read) => {
          stanzas = read;
          return unwrapWith(vault, key)(read);
        },
      },
      theirs,
    );
    const plaintext = await readAll(reading);
    const fileKey = openStanzaIndependently(MATERIAL, LINE, stanzas[0]!.body);
    const head = encodeHeader(stanzas);
    const mac = headerMacIndependently(fileKey, head);
    const macLine = ` ${btoa(String.fromCharCode(...mac)).replace(/=+$/, "")}\n`;
    const start = concat(head, new TextEncoder().encode(macLine));
    expect(equalBytes(start, theirs.subarray(0, start.length))).toBe(true);

    const handle = importFileKey(vault, fileKey);
    expect(vault.ageHeaderMac(handle, head)).toEqual(mac);
    const payloadKey = vault.agePayloadKey(handle, theirs.subarray(start.length, start.length + 16));
    const chunks = [
      vault.ageChunkSeal(payloadKey, 0, false, plaintext.subarray(0, CHUNK_BYTES)),
      vault.ageChunkSeal(payloadKey, 1, true, plaintext.subarray(CHUNK_BYTES)),
    ];
    expect(equalBytes(concat(...chunks), theirs.subarray(start.length + 16))).toBe(true);
    vault.dispose(payloadKey);
    vault.dispose(handle);
  });

  it("share a file between our stanza and X25519 recipients, each reading its own", async () => {
    const secret = await age.generateX25519Identity();
    const x25519 = await age.identityToRecipient(secret);
    const plaintext = pattern(5000);
    for (const recipients of [
      [x25519, recipient],
      [recipient, x25519],
      [x25519, recipient, x25519],
    ]) {
      const theirs = await encrypter(...recipients).encrypt(plaintext);
      expect(await readAll(decryptWith(vault, key, theirs))).toEqual(plaintext);
      expect(await decrypter(secret).decrypt(theirs)).toEqual(plaintext);
    }
  });

  it("pass over stanzas that they don't know", async () => {
    const unknown: Stanza[] = [
      { type: "x-grease", args: ["~"], body: pattern(48) },
      { type: "example.com/other", args: [], body: pattern(0) },
    ];
    const ours = await readAll(encryptTo(vault, key, pattern(10), unknown));
    expect(await decrypter(identity).decrypt(ours)).toEqual(pattern(10));
  });

  it("have files of their own: one for a passphrase alone is read, and no key of ours fits", async () => {
    const withPassphrase = new age.Encrypter();
    withPassphrase.setPassphrase("correct horse");
    withPassphrase.setScryptWorkFactor(2);
    const file = await withPassphrase.encrypt(pattern(10));
    const { error } = await drain(decryptWith(vault, key, file));
    expect(error).toMatchObject({ message: "no managed-key stanza" });
  });
});
