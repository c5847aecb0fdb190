/** Managed X25519 pairs as recipients and identities of age, beside age's own implementation. */
import * as age from "age-encryption";
import { beforeEach, describe, expect, it } from "vitest";
import { ageRecipient, generateAgeIdentity, type KeyManager } from "../../sdk/index.js";
import { virtualClock, type VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, collect, openMemory, text } from "../flows/support.js";

let keys: KeyManager;
let clock: VirtualClock;

beforeEach(async () => {
  clock = virtualClock(Date.UTC(2030, 0, 1));
  ({ keys } = await openMemory({ clock, seed: 1 }));
  await keys.create({ name: "me", algorithm: "X25519", usages: ["agree"] });
});

const open = async (file: Uint8Array, identity?: string): Promise<string> =>
  new TextDecoder().decode(await collect(keys.decryptStream(file, { identity })));
const recipientOf = async (key: string, version?: number): Promise<string> =>
  ageRecipient(await keys.publicKey(key, { version }));

async function encryptedByAge(...recipients: string[]): Promise<Uint8Array> {
  const encrypter = new age.Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt("from age");
}

describe("a managed pair", () => {
  it("opens what age encrypted to its public half, under any of its versions", async () => {
    const other = await generateAgeIdentity();
    const first = await encryptedByAge(other.recipient, await recipientOf("me"));
    await keys.rotate("me");
    expect(await recipientOf("me", 1)).not.toBe(await recipientOf("me"));
    const second = await encryptedByAge(await recipientOf("me"));
    for (const file of [first, second]) expect(await open(file, "me")).toBe("from age");
    const foreign = await encryptedByAge(other.recipient);
    expect(await codeOf(open(foreign, "me"))).toBe("MESSAGE_NO_MATCH");
    expect(await codeOf(open(first))).toBe("MESSAGE_NO_MATCH");
    expect(await codeOf(open(first, "nobody"))).toBe("KEY_NOT_FOUND");
    await keys.create({ name: "aead", algorithm: AEAD });
    expect(await codeOf(open(first, "aead"))).toBe("KEY_NOT_USABLE");
    const changed = second.with(second.length - 1, second.at(-1)! ^ 1);
    expect(await codeOf(open(changed, "me"))).toBe("MESSAGE_AUTHENTICATION_FAILED");
  });

  it("is a recipient of age's kind, beside others, whose file age opens", async () => {
    const other = await generateAgeIdentity();
    const file = await collect(keys.encryptStream("me", text("to both"), { recipients: [other.recipient] }));
    expect(new TextDecoder("latin1").decode(file)).not.toContain("keyloom.dev");
    expect(await open(file, "me")).toBe("to both");
    const decrypter = new age.Decrypter();
    decrypter.addIdentity(other.identity);
    expect(await decrypter.decrypt(file, "text")).toBe("to both");
  });

  it("imported from an identity of age is that identity", async () => {
    const scalar = Uint8Array.from({ length: 32 }, (_, i) => i * 5);
    await keys.import(scalar, { name: "imported", algorithm: "X25519" });
    const file = await encryptedByAge(await recipientOf("imported"));
    expect(await open(file, "imported")).toBe("from age");
    await keys.create({ name: "signer", algorithm: "Ed25519" });
    expect(await codeOf(recipientOf("signer"))).toBe("MESSAGE_INVALID_IDENTITY");
  });

  it("protects until it is deactivated, opens by grant after that, and never once it is suspended, compromised or gone", async () => {
    const file = await collect(keys.encryptStream("me", text("m")));
    await keys.suspend("me");
    expect(await codeOf(open(file, "me"))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(collect(keys.encryptStream("me", text("m"))))).toBe("KEY_NOT_USABLE");
    await keys.deactivate("me");
    expect(await open(file, "me")).toBe("m");
    expect(await codeOf(collect(keys.encryptStream("me", text("m"))))).toBe("KEY_NOT_USABLE");
    await keys.rotate("me");
    expect(await open(file, "me")).toBe("m");
    await keys.destroy("me", { version: 1 });
    expect(await codeOf(open(file, "me"))).toBe("KEY_DESTROYED");
    const next = await collect(keys.encryptStream("me", text("n")));
    expect(await open(next, "me")).toBe("n");
    await keys.revoke("me", { version: 2, reason: "key-compromise" });
    expect(await codeOf(open(next, "me"))).toBe("KEY_NOT_USABLE");
  });

  it("is counted where it has limits", async () => {
    await keys.create({ name: "once", algorithm: "X25519", limits: { operations: 1 } });
    await collect(keys.encryptStream("once", text("m")));
    expect(await codeOf(collect(keys.encryptStream("once", text("m"))))).toBe("KEY_NOT_USABLE");
  });
});
