/** age files without a store, as callers see them; and stores' files with recipients of age beside the key. */
import * as age from "age-encryption";
import { beforeAll, describe, expect, it } from "vitest";
import { concat, equalBytes, fromUtf8, utf8 } from "../../sdk/foundation/bytes.js";
import {
  ageRecipient,
  decryptAge,
  type DecryptAgeOptions,
  encryptAge,
  type EncryptAgeOptions,
  generateAgeIdentity,
  KeyManager,
  rawKey,
} from "../../sdk/index.js";
import { readHeader } from "../../sdk/messages/age/header.js";
import { ByteReader } from "../../sdk/messages/age/byte-source.js";
import { CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { drain, flipped, pattern, readAll, streaming } from "./support.js";

interface Pair {
  identity: string;
  recipient: string;
}

let alice: Pair;
let bob: Pair;
beforeAll(async () => {
  alice = await generateAgeIdentity();
  bob = await generateAgeIdentity();
});

async function failure(file: Uint8Array, options: DecryptAgeOptions): Promise<unknown> {
  const { bytes, error } = await drain(decryptAge(file, options));
  expect(bytes.length).toBe(0);
  return (error as { code?: unknown }).code;
}

function decrypter(secret: { identity?: string; passphrase?: string }): age.Decrypter {
  const decrypter = new age.Decrypter();
  if (secret.identity !== undefined) decrypter.addIdentity(secret.identity);
  if (secret.passphrase !== undefined) decrypter.addPassphrase(secret.passphrase);
  return decrypter;
}

describe("a file for recipients", () => {
  it("is read by each of them, here and by age-encryption, at every length around a chunk", async () => {
    for (const length of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]) {
      const plaintext = pattern(length, length + 3);
      const recipients = [alice.recipient, bob.recipient];
      const file = await readAll(encryptAge(streaming([plaintext]), { recipients }));
      for (const { identity } of [alice, bob]) {
        expect(equalBytes(await readAll(decryptAge(file, { identities: [identity] })), plaintext)).toBe(true);
        expect(equalBytes(await decrypter({ identity }).decrypt(file), plaintext)).toBe(true);
      }
    }
  });

  it("comes from age-encryption as well, armored or not", async () => {
    const encrypter = new age.Encrypter();
    encrypter.addRecipient(bob.recipient);
    encrypter.addRecipient(alice.recipient);
    const file = await encrypter.encrypt(pattern(1000));
    for (const source of [file, utf8(age.armor.encode(file))]) {
      expect(await readAll(decryptAge(source, { identities: [alice.identity] }))).toEqual(pattern(1000));
    }
  });

  it("is text with armor, which age-encryption takes off", async () => {
    const text = fromUtf8(
      await readAll(encryptAge(pattern(500), { recipients: [alice.recipient], armor: true })),
    );
    expect(text.startsWith("-----BEGIN AGE ENCRYPTED FILE-----\n")).toBe(true);
    const opened = await decrypter({ identity: alice.identity }).decrypt(age.armor.decode(text));
    expect(opened).toEqual(pattern(500));
  });

  it("takes any of several identities, as strings or bytes, which stay as they are", async () => {
    const file = await readAll(encryptAge(pattern(9), { recipients: [alice.recipient] }));
    const bytes = utf8(alice.identity);
    for (const identities of [[bob.identity, bytes], [bytes, bob.identity], [bytes]]) {
      expect(await readAll(decryptAge(file, { identities }))).toEqual(pattern(9));
    }
    expect(fromUtf8(bytes)).toBe(alice.identity);
    expect(await ageRecipient(bytes)).toBe(alice.recipient);
  });

  it("has one code for who is no recipient and for a changed stanza", async () => {
    const file = await readAll(encryptAge(pattern(9), { recipients: [alice.recipient] }));
    expect(await failure(file, { identities: [bob.identity] })).toBe("MESSAGE_NO_MATCH");
    expect(await failure(file, { passphrase: "words" })).toBe("MESSAGE_NO_MATCH");
    const text = new TextDecoder("latin1").decode(file);
    for (const at of [text.indexOf("X25519 ") + 9, text.indexOf("\n---") - 9]) {
      const changed = file.with(at, file[at] === 0x41 ? 0x42 : 0x41);
      expect(await failure(changed, { identities: [alice.identity] })).toBe("MESSAGE_NO_MATCH");
    }
  });

  it("is refused where another stanza of its type is malformed, wherever that stands", async () => {
    const file = await readAll(encryptAge(pattern(9), { recipients: [alice.recipient] }));
    const text = new TextDecoder("latin1").decode(file);
    const at = text.indexOf("\n---") + 1;
    for (const from of [text.indexOf("->"), at]) {
      const bad = concat(file.subarray(0, from), utf8("-> X25519 AAAA\n\n"), file.subarray(from));
      expect(await failure(bad, { identities: [alice.identity] })).toBe("MESSAGE_MALFORMED");
    }
  });

  it("fails like any other where it was changed", async () => {
    const file = await readAll(encryptAge(pattern(9), { recipients: [alice.recipient] }));
    expect(await failure(flipped(file, file.length - 1), { identities: [alice.identity] })).toBe(
      "MESSAGE_AUTHENTICATION_FAILED",
    );
  });
});

describe("a file under a passphrase", () => {
  const passphrase = "correct horse é";

  it("is read with it, here and by age-encryption, and the other way round", async () => {
    const file = await readAll(encryptAge(pattern(70), { passphrase, workFactor: 4 }));
    expect(await readAll(decryptAge(file, { passphrase }))).toEqual(pattern(70));
    expect(await decrypter({ passphrase }).decrypt(file)).toEqual(pattern(70));
    const encrypter = new age.Encrypter();
    encrypter.setPassphrase(passphrase);
    encrypter.setScryptWorkFactor(3);
    const theirs = await encrypter.encrypt(pattern(71));
    expect(await readAll(decryptAge(theirs, { passphrase }))).toEqual(pattern(71));
  });

  it("has a fresh salt, and by default a work factor of 18", async () => {
    const file = await readAll(encryptAge(pattern(1), { passphrase }));
    const { stanzas } = await readHeader(new ByteReader(file));
    expect(stanzas[0]!.args[1]).toBe("18");
    const salts = await Promise.all(
      [1, 2].map(async () => {
        const made = await readAll(encryptAge(pattern(1), { passphrase, workFactor: 1 }));
        return (await readHeader(new ByteReader(made))).stanzas[0]!.args[0];
      }),
    );
    expect(salts[0]).not.toBe(salts[1]);
  });

  it("wipes a passphrase in bytes, and asks a function only where there is something to open", async () => {
    const bytes = () => utf8(passphrase);
    const [writing, reading] = [bytes(), bytes()];
    const file = await readAll(encryptAge(pattern(1), { passphrase: writing, workFactor: 1 }));
    expect(await readAll(decryptAge(file, { passphrase: async () => reading }))).toEqual(pattern(1));
    expect(writing.every((byte) => byte === 0)).toBe(true);
    expect(reading.every((byte) => byte === 0)).toBe(true);
    const other = await readAll(encryptAge(pattern(1), { recipients: [alice.recipient] }));
    const asked = () => expect.unreachable();
    expect(await failure(other, { passphrase: asked as never })).toBe("MESSAGE_NO_MATCH");
  });

  it("has one code for a wrong passphrase, and refuses what isn't one", async () => {
    const file = await readAll(encryptAge(pattern(1), { passphrase, workFactor: 1 }));
    expect(await failure(file, { passphrase: "other" })).toBe("MESSAGE_NO_MATCH");
    expect(await failure(file, { identities: [alice.identity] })).toBe("MESSAGE_NO_MATCH");
    for (const wrong of ["", "\ud800", new Uint8Array(0)]) {
      expect(await failure(file, { passphrase: wrong })).toBe("UNLOCK_INVALID_SECRET");
      const writing = await drain(encryptAge(pattern(1), { passphrase: wrong }));
      expect(writing.error).toMatchObject({ code: "UNLOCK_INVALID_SECRET" });
    }
  });

  it("is refused above the highest work factor that the reader accepts, before it asks", async () => {
    const file = await readAll(encryptAge(pattern(1), { passphrase, workFactor: 6 }));
    const asked = () => expect.unreachable();
    expect(await failure(file, { passphrase: asked as never, maxWorkFactor: 5 })).toBe("MESSAGE_MALFORMED");
    expect(await readAll(decryptAge(file, { passphrase, maxWorkFactor: 6 }))).toEqual(pattern(1));
  });
});

describe("options for age files", () => {
  it("are refused at once where they make no sense", () => {
    const encrypting = (options: object) => () => encryptAge(pattern(1), options as EncryptAgeOptions);
    const decrypting = (options: object) => () => decryptAge(pattern(1), options);
    const invalid = { code: "KEY_INVALID_OPTION" };
    const recipients = [alice.recipient];
    for (const options of [{}, { recipients: [] }, { recipients, passphrase: "x" }]) {
      expect(encrypting(options)).toThrow(expect.objectContaining(invalid));
    }
    for (const factor of [0, 22, 1.5, Number.NaN, "18"]) {
      expect(encrypting({ passphrase: "x", workFactor: factor })).toThrow(expect.objectContaining(invalid));
      expect(decrypting({ passphrase: "x", maxWorkFactor: factor })).toThrow(
        expect.objectContaining(invalid),
      );
    }
    for (const options of [{}, { identities: [] }]) {
      expect(decrypting(options)).toThrow(expect.objectContaining(invalid));
    }
    const unknown = { code: "MESSAGE_INVALID_RECIPIENT" };
    expect(encrypting({ recipients: ["age1"] })).toThrow(expect.objectContaining(unknown));
    const many = Array.from({ length: 129 }, () => alice.recipient);
    expect(encrypting({ recipients: many })).toThrow(expect.objectContaining(unknown));
    expect(encrypting({ recipients: alice.recipient })).toThrow(TypeError);
    expect(encrypting({ recipients: [7] })).toThrow(TypeError);
    expect(decrypting({ identities: alice.identity })).toThrow(TypeError);
  });

  it("leave the source unlocked when they are refused", () => {
    const source = streaming([pattern(1)]);
    expect(() => encryptAge(source, { recipients: ["age1"] })).toThrow();
    expect(source.locked).toBe(false);
  });
});

describe("a store's file with recipients of age beside the key", () => {
  it("is read with the store and by each recipient alone, armored too", async () => {
    const keys = await KeyManager.open({ storage: memoryStorage(), unlock: rawKey(pattern(32)) });
    await keys.create({ name: "files", algorithm: "XChaCha20-Poly1305", usages: ["encrypt", "decrypt"] });
    for (const armor of [false, true]) {
      const options = { recipients: [alice.recipient, bob.recipient], armor };
      const file = await readAll(keys.encryptStream("files", pattern(80), options));
      expect(await readAll(keys.decryptStream(file))).toEqual(pattern(80));
      for (const { identity } of [alice, bob]) {
        expect(await readAll(decryptAge(file, { identities: [identity] }))).toEqual(pattern(80));
        const binary = armor ? age.armor.decode(fromUtf8(file)) : file;
        expect(await decrypter({ identity }).decrypt(binary)).toEqual(pattern(80));
      }
    }
    const foreign = await readAll(encryptAge(pattern(1), { recipients: [alice.recipient] }));
    const { error } = await drain(keys.decryptStream(foreign));
    expect(error).toMatchObject({ code: "MESSAGE_NO_MATCH" });
    const source = streaming([pattern(1)]);
    expect(() => keys.encryptStream("files", source, { recipients: ["age1"] })).toThrow(
      expect.objectContaining({ code: "MESSAGE_INVALID_RECIPIENT" }),
    );
    expect(source.locked).toBe(false);
    await keys.close();
  });
});
