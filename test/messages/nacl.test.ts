/** NaCl's boxes: the published example of the NaCl paper, boxes of libsodium's API twin TweetNaCl, and refusals. */
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { openNaClBox, openNaClSecretbox } from "../../sdk/messages/nacl.js";
import { flipped, pattern } from "./support.js";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16));

// "Cryptography in NaCl" (Bernstein 2009), §§ 2, 5, 9 and 10: Bob's secret key, Alice's public key, nonce and box.
const BOB = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
const ALICE = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
const FIRST_KEY = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
const NONCE = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
const BOX = hex(
  "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b" +
    "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da" +
    "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
);
const MESSAGE =
  "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce" +
  "314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040" +
  "e082f937763848645e0705";

const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

describe("messages of NaCl", () => {
  it("are read as the example of the NaCl paper says", async () => {
    expect(toHex(await openNaClBox(BOB, ALICE, NONCE, BOX))).toBe(MESSAGE);
    expect(toHex(await openNaClSecretbox(FIRST_KEY, NONCE, BOX))).toBe(MESSAGE);
  });

  it("of every length open, from either side", async () => {
    const [mine, theirs] = [nacl.box.keyPair(), nacl.box.keyPair()];
    for (const length of [0, 1, 31, 32, 63, 64, 65, 1000]) {
      const box = nacl.box(pattern(length), NONCE, theirs.publicKey, mine.secretKey);
      expect(await openNaClBox(theirs.secretKey, mine.publicKey, NONCE, box)).toEqual(pattern(length));
      expect(await openNaClBox(mine.secretKey, theirs.publicKey, NONCE, box)).toEqual(pattern(length));
    }
  });

  it("fail with one code, whatever was changed", async () => {
    const failed = { code: "MESSAGE_AUTHENTICATION_FAILED" };
    for (const i of [0, 15, 16, BOX.length - 1]) {
      await expect(openNaClSecretbox(FIRST_KEY, NONCE, flipped(BOX, i))).rejects.toMatchObject(failed);
    }
    await expect(openNaClSecretbox(flipped(FIRST_KEY, 3), NONCE, BOX)).rejects.toMatchObject(failed);
    await expect(openNaClSecretbox(FIRST_KEY, flipped(NONCE, 23), BOX)).rejects.toMatchObject(failed);
    await expect(openNaClBox(BOB, flipped(ALICE, 0), NONCE, BOX)).rejects.toMatchObject(failed);
  });

  it("of a wrong form are refused before anything is tried", async () => {
    const malformed = { code: "MESSAGE_MALFORMED" };
    await expect(openNaClSecretbox(FIRST_KEY, NONCE, BOX.subarray(0, 15))).rejects.toMatchObject(malformed);
    await expect(openNaClSecretbox(FIRST_KEY, NONCE.subarray(1), BOX)).rejects.toMatchObject(malformed);
    const length = { code: "CORE_INVALID_LENGTH" };
    await expect(openNaClSecretbox(pattern(31), NONCE, BOX)).rejects.toMatchObject(length);
    await expect(openNaClBox(BOB, pattern(33), NONCE, BOX)).rejects.toMatchObject(length);
    await expect(openNaClSecretbox("key" as never, NONCE, BOX)).rejects.toThrow(TypeError);
    await expect(openNaClBox(BOB, ALICE, NONCE, null as never)).rejects.toThrow(TypeError);
  });
});
