/** The byte-level door, `keyloom/core`, as its users see it. */
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand, hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { CoreError, loadCore, type Aead } from "../../bindings/index.js";
import { at, BUILDS, bytes, codeOf, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const MIB = 1024 * 1024;
const AEADS = [
  { name: "chacha20Poly1305", nonceLength: 12, noble: chacha20poly1305 },
  { name: "xchacha20Poly1305", nonceLength: 24, noble: xchacha20poly1305 },
] as const;

/** What isn't bytes. */
const NOT_BYTES = [
  "text",
  [1, 2, 3],
  new ArrayBuffer(4),
  new DataView(new ArrayBuffer(4)),
  null,
  undefined,
  7,
];

describe("loadCore", () => {
  it("gives the build that is asked for, and SIMD where nothing is asked", async () => {
    expect((await loadCore()).simd).toBe(true);
    expect((await loadCore({ simd: true })).simd).toBe(true);
    expect((await loadCore({ simd: false })).simd).toBe(false);
  });

  it("works where the host refuses instances that are made at once", async () => {
    const HostInstance = WebAssembly.Instance;
    WebAssembly.Instance = function () {
      throw new RangeError("WebAssembly.Instance is disallowed on the main thread");
    } as never;
    try {
      const core = await loadCore();
      expect(toHex(core.sha256(NONE))).toBe(toHex(sha256(NONE)));
    } finally {
      WebAssembly.Instance = HostInstance;
    }
  });

  it("makes a fresh core each time, with a vault of its own", async () => {
    const [one, other] = [await loadCore(), await loadCore()];
    expect(one.vault).not.toBe(other.vault);
    const id = bytes(16);
    one.vault.generate({ algorithm: 1, usages: 4, exportable: false, id, version: 1 });
    expect([one.vault.liveCount(), other.vault.liveCount()]).toEqual([1, 0]);
  });

  it("hands out no memory", async () => {
    const core = await loadCore();
    for (const owner of [core, core.vault, core.chacha20Poly1305]) {
      for (const value of Object.values(owner)) {
        expect(["function", "boolean", "number", "object"]).toContain(typeof value);
        expect(value).not.toBeInstanceOf(WebAssembly.Memory);
        expect(value).not.toBeInstanceOf(ArrayBuffer);
        expect(ArrayBuffer.isView(value)).toBe(false);
      }
    }
  });
});

describe.each(BUILDS)("the primitives, $name build,", async ({ simd }) => {
  const core = await loadCore({ simd });

  it("take bytes at any address of any buffer, leave them as they are, and give fresh ones", () => {
    for (let shift = 0; shift < 20; shift++) {
      const buffer = bytes(700, 40 + shift);
      const before = toHex(buffer);
      const view = (from: number, length: number): Uint8Array =>
        buffer.subarray(from + shift, from + shift + length);
      const [key, aad, text] = [view(0, 32), view(64, 33), view(100, 130)];
      expect(toHex(core.sha256(text))).toBe(toHex(sha256(text)));
      expect(toHex(core.hmacSha256(key, text))).toBe(toHex(hmac(sha256, key, text)));
      expect(toHex(core.hkdfSha256(key, aad, text, 70))).toBe(toHex(hkdf(sha256, key, aad, text, 70)));
      expect(toHex(core.pbkdf2Sha256(key, aad, 2, 40))).toBe(
        toHex(pbkdf2(sha256, key, aad, { c: 2, dkLen: 40 })),
      );
      const expanded = core.hkdfExpandSha256Batch(key, text, 35, 10);
      expect(toHex(at(expanded, 9, 35))).toBe(toHex(expand(sha256, key, at(text, 9, 13), 35)));
      for (const { name, nonceLength, noble } of AEADS) {
        const aead: Aead = core[name];
        const nonce = view(300, nonceLength);
        const sealed = aead.seal(key, nonce, aad, text);
        expect(toHex(sealed)).toBe(toHex(noble(key, nonce, aad).encrypt(text)));
        expect(toHex(aead.open(key, nonce, aad, sealed))).toBe(toHex(text));
        const nonces = view(300, nonceLength * 10);
        const batch = aead.sealBatch(key, nonces, NONE, text, 10);
        const ninth = noble(key, at(nonces, 9, nonceLength), NONE).encrypt(at(text, 9, 13));
        expect(toHex(at(batch, 9, 29))).toBe(toHex(ninth));
        expect(toHex(aead.openBatch(key, nonces, NONE, batch, 10))).toBe(toHex(text));
      }
      expect(toHex(buffer)).toBe(before);
    }
    const [first, second] = [core.sha256(NONE), core.sha256(NONE)];
    expect(first.buffer).not.toBe(second.buffer);
    expect(first.buffer.byteLength).toBe(32);
    first.fill(0);
    expect(toHex(second)).toBe(toHex(sha256(NONE)));
  });

  it("seal and open long data chunk by chunk in the caller's own buffer", () => {
    for (const { name, nonceLength, noble } of AEADS) {
      const aead: Aead = core[name];
      const [key, aad, chunk] = [bytes(32, 70), bytes(9, 71), 5000];
      const plaintext = bytes(23_001, 72);
      const nonceOf = (i: number): Uint8Array => new Uint8Array(nonceLength).fill(i);
      const starts = Array.from({ length: 5 }, (_, i) => i * chunk);
      const expected = new Uint8Array(plaintext.length + 16 * starts.length);
      // Chunks lie apart by their tags, so that each can be sealed where it lies.
      const buffer = new Uint8Array(expected.length);
      const places = starts.map((from, i) => {
        const text = plaintext.subarray(from, from + chunk);
        const at = from + 16 * i;
        expected.set(noble(key, nonceOf(i), aad).encrypt(text), at);
        buffer.set(text, at);
        return {
          text: buffer.subarray(at, at + text.length),
          sealed: buffer.subarray(at, at + text.length + 16),
        };
      });
      places.forEach(({ text, sealed }, i) => aead.sealInto(key, nonceOf(i), aad, text, sealed));
      expect(toHex(buffer)).toBe(toHex(expected));
      // One that was changed, and one at another's place, leave the buffer as it is.
      buffer[chunk - 1]! ^= 1;
      const before = buffer.slice();
      for (const i of [0, 1]) {
        const { text, sealed } = places[i]!;
        expect(codeOf(() => aead.openInto(key, nonceOf(2 * i), aad, sealed, text))).toBe(
          "CORE_AUTHENTICATION_FAILED",
        );
      }
      expect(toHex(buffer)).toBe(toHex(before));
      buffer[chunk - 1]! ^= 1;
      places.forEach(({ text, sealed }, i) => aead.openInto(key, nonceOf(i), aad, sealed, text));
      places.forEach(({ text }, i) =>
        expect(toHex(text)).toBe(toHex(plaintext.subarray(starts[i], starts[i]! + chunk))),
      );
      // Overlapping by a part: the plaintext is read before anything is written.
      const shifted = new Uint8Array(140);
      shifted.set(bytes(100, 73), 40);
      aead.sealInto(key, nonceOf(7), aad, shifted.subarray(40), shifted.subarray(13, 129));
      expect(toHex(shifted.subarray(13, 129))).toBe(
        toHex(noble(key, nonceOf(7), aad).encrypt(bytes(100, 73))),
      );
    }
  });

  it("refuse what isn't bytes with a TypeError", () => {
    const [key, nonce12, nonce24] = [bytes(32), bytes(12), bytes(24)];
    for (const wrong of NOT_BYTES as never[]) {
      const calls: (() => unknown)[] = [
        () => core.sha256(wrong),
        () => core.hmacSha256(wrong, NONE),
        () => core.hmacSha256(NONE, wrong),
        () => core.hkdfSha256(wrong, NONE, NONE, 32),
        () => core.hkdfSha256(NONE, wrong, NONE, 32),
        () => core.hkdfSha256(NONE, NONE, wrong, 32),
        () => core.hkdfExpandSha256Batch(wrong, NONE, 32, 1),
        () => core.hkdfExpandSha256Batch(key, wrong, 32, 1),
        () => core.pbkdf2Sha256(wrong, NONE, 1, 32),
        () => core.pbkdf2Sha256(NONE, wrong, 1, 32),
      ];
      for (const [aead, nonce] of [
        [core.chacha20Poly1305, nonce12],
        [core.xchacha20Poly1305, nonce24],
      ] as const) {
        for (const method of ["seal", "open", "sealBatch", "openBatch"] as const) {
          const right = [key, nonce, NONE, bytes(32), 1] as const;
          for (const place of [0, 1, 2, 3]) {
            const args = right.with(place, wrong) as Parameters<Aead["sealBatch"]>;
            calls.push(() => aead[method](...args));
          }
        }
      }
      for (const call of calls) expect(codeOf(call)).toBe("TypeError");
    }
  });

  it("refuse keys and nonces of another length", () => {
    for (const { name, nonceLength } of AEADS) {
      const aead: Aead = core[name];
      for (const length of [0, 1, 16, 31, 33, 64]) {
        const calls = [
          () => aead.seal(bytes(length), bytes(nonceLength), NONE, NONE),
          () => aead.open(bytes(length), bytes(nonceLength), NONE, bytes(16)),
          () => aead.sealBatch(bytes(length), bytes(nonceLength), NONE, NONE, 1),
          () => aead.openBatch(bytes(length), bytes(nonceLength), NONE, bytes(16), 1),
        ];
        for (const call of calls) expect(codeOf(call)).toBe("CORE_INVALID_LENGTH");
      }
      for (const length of [0, 8, 11, 12, 13, 16, 23, 24, 25, 32].filter((other) => other !== nonceLength)) {
        expect(codeOf(() => aead.seal(bytes(32), bytes(length), NONE, NONE))).toBe("CORE_INVALID_LENGTH");
        expect(codeOf(() => aead.open(bytes(32), bytes(length), NONE, bytes(16)))).toBe(
          "CORE_INVALID_LENGTH",
        );
        const batch = (): unknown => aead.sealBatch(bytes(32), bytes(length * 3), NONE, NONE, 3);
        expect(codeOf(batch)).toBe("CORE_INVALID_LENGTH");
      }
    }
  });

  it("refuse batches that can't be divided, and counts that are none", () => {
    const aead = core.chacha20Poly1305;
    const [key, nonces] = [bytes(32), bytes(36)];
    expect(codeOf(() => aead.sealBatch(key, nonces, bytes(4), bytes(6), 3))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => aead.sealBatch(key, nonces, bytes(3), bytes(7), 3))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => aead.sealBatch(key, NONE, bytes(1), NONE, 0))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => core.hkdfExpandSha256Batch(key, bytes(7), 32, 3))).toBe("CORE_INVALID_LENGTH");
    for (const count of [-1, 1.5, NaN, Infinity, 2 ** 32, "3", 3n, null] as number[]) {
      expect(codeOf(() => aead.sealBatch(key, nonces, NONE, NONE, count))).toBe("CORE_INVALID_PARAMETER");
      expect(codeOf(() => aead.openBatch(key, nonces, NONE, NONE, count))).toBe("CORE_INVALID_PARAMETER");
      expect(codeOf(() => core.hkdfExpandSha256Batch(key, NONE, 32, count))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const { name } of AEADS) {
      expect(core[name].sealBatch(key, NONE, NONE, NONE, 0)).toHaveLength(0);
      expect(core[name].openBatch(key, NONE, NONE, NONE, 0)).toHaveLength(0);
    }
  });

  it("name the records of a batch that don't open, in every piece of it, and return none", () => {
    for (const { name, nonceLength } of AEADS) {
      const aead: Aead = core[name];
      for (const [count, length] of [
        [1, 0],
        [3, 32],
        [9, 100],
        [9000, 32],
      ] as const) {
        const [key, nonces] = [bytes(32, 1), bytes(nonceLength * count, 2)];
        const sealed = aead.sealBatch(key, nonces, NONE, bytes(length * count, 3), count);
        const broken = [...new Set([0, Math.floor(count / 2), count - 1])];
        for (const i of broken) sealed[(i + 1) * (length + 16) - 1]! ^= 1;
        let thrown: unknown;
        let returned: unknown;
        try {
          returned = aead.openBatch(key, nonces, NONE, sealed, count);
        } catch (error) {
          thrown = error;
        }
        expect(returned).toBeUndefined();
        expect(thrown).toBeInstanceOf(CoreError);
        const { code, details } = thrown as CoreError;
        expect([code, details["indexes"]]).toEqual(["CORE_AUTHENTICATION_FAILED", broken]);
      }
      const short = (): unknown => aead.openBatch(bytes(32), bytes(nonceLength * 2), NONE, bytes(30), 2);
      expect(short).toThrow(expect.objectContaining({ details: { indexes: [0, 1] } }));
    }
  });

  it("seal and open batches of many pieces as each record alone, associated data and all", () => {
    const count = 4501;
    for (const name of ["chacha20Poly1305", "xchacha20Poly1305", "aesGcmSiv"] as const) {
      const aead: Aead = core[name];
      const nonceLength = name === "xchacha20Poly1305" ? 24 : 12;
      const [key, nonces] = [bytes(32, 1), bytes(nonceLength * count, 2)];
      const [aads, texts] = [bytes(20 * count, 3), bytes(40 * count, 4)];
      const sealed = aead.sealBatch(key, nonces, aads, texts, count);
      for (let i = 0; i < count; i += i < 4400 ? 100 : 1) {
        const one = aead.seal(key, at(nonces, i, nonceLength), at(aads, i, 20), at(texts, i, 40));
        expect(toHex(at(sealed, i, 56))).toBe(toHex(one));
      }
      expect(toHex(sha256(aead.openBatch(key, nonces, aads, sealed, count)))).toBe(toHex(sha256(texts)));
      const nothing = aead.seal(key, bytes(nonceLength), NONE, NONE);
      expect(aead.open(key, bytes(nonceLength), NONE, nothing)).toEqual(NONE);
      expect(aead.openBatch(key, bytes(nonceLength), NONE, nothing, 1)).toEqual(NONE);
    }
  });

  it("expand batches of many pieces as HKDF does each alone", () => {
    const [count, key, infos] = [12_001, bytes(32, 1), bytes(8 * 12_001, 2)];
    const expanded = core.hkdfExpandSha256Batch(key, infos, 35, count);
    for (let i = 0; i < count; i += i < 11_900 ? 100 : 1) {
      expect(toHex(at(expanded, i, 35))).toBe(toHex(expand(sha256, key, at(infos, i, 8), 35)));
    }
  });

  it("keep to the bounds of HKDF and PBKDF2", () => {
    const key = bytes(32);
    expect(core.hkdfSha256(key, NONE, NONE, 0)).toHaveLength(0);
    expect(toHex(core.hkdfSha256(key, NONE, NONE, 8160))).toBe(toHex(hkdf(sha256, key, NONE, NONE, 8160)));
    expect(core.hkdfExpandSha256Batch(key, bytes(6), 8160, 3)).toHaveLength(3 * 8160);
    for (const length of [-1, 8161, 1.5, NaN, "32", 32n, undefined] as number[]) {
      expect(codeOf(() => core.hkdfSha256(key, NONE, NONE, length))).toBe("CORE_INVALID_PARAMETER");
      expect(codeOf(() => core.hkdfExpandSha256Batch(key, NONE, length, 1))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const iterations of [0, -1, 1.5, NaN, 2 ** 32, "1", 1n] as number[]) {
      expect(codeOf(() => core.pbkdf2Sha256(key, NONE, iterations, 32))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const length of [0, -1, 1.5, 2 ** 31, "1"] as number[]) {
      expect(codeOf(() => core.pbkdf2Sha256(key, NONE, 1, length))).toBe("CORE_INVALID_PARAMETER");
    }
    expect(toHex(core.pbkdf2Sha256(NONE, NONE, 1, 1))).toBe(
      toHex(pbkdf2(sha256, NONE, NONE, { c: 1, dkLen: 1 })),
    );
  });

  it("refuse what no memory can hold", () => {
    expect(codeOf(() => core.pbkdf2Sha256(NONE, NONE, 1, 2 ** 31 - 1))).toBe("CORE_INPUT_TOO_LARGE");
    expect(codeOf(() => core.hkdfExpandSha256Batch(bytes(32), NONE, 8160, 2 ** 32 - 1))).toBe(
      "CORE_INPUT_TOO_LARGE",
    );
    expect(toHex(core.sha256(NONE))).toBe(toHex(sha256(NONE)));
  });

  it("take inputs larger than the memory they begin with, each in a core that has not grown yet", async () => {
    const large = bytes(8 * MIB, 6);
    const digest = toHex(sha256(large));
    const hashing = await loadCore({ simd });
    expect(toHex(hashing.sha256(large))).toBe(digest);
    expect(toHex(hashing.hmacSha256(NONE, bytes(9)))).toBe(toHex(hmac(sha256, NONE, bytes(9))));

    const sealing = await loadCore({ simd });
    const [key, nonce, text] = [bytes(32), bytes(24), large.subarray(0, 5 * MIB)];
    const sealed = sealing.xchacha20Poly1305.seal(key, nonce, NONE, text);
    expect(toHex(sha256(sealed))).toBe(toHex(sha256(xchacha20poly1305(key, nonce, NONE).encrypt(text))));
    // And once more beyond the first growth.
    const opened = sealing.xchacha20Poly1305.open(
      key,
      nonce,
      large,
      sealing.xchacha20Poly1305.seal(key, nonce, large, large),
    );
    expect(toHex(sha256(opened))).toBe(digest);

    const batching = await loadCore({ simd });
    const batch = batching.chacha20Poly1305.sealBatch(key, nonce, NONE, large, 2);
    expect(toHex(sha256(batching.chacha20Poly1305.openBatch(key, nonce, NONE, batch, 2)))).toBe(digest);
    expect(batching.hkdfExpandSha256Batch(key, NONE, 8160, 1000)).toHaveLength(8_160_000);
  });
});
