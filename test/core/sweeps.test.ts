import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand, hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Aead } from "../../bindings/primitives/index.js";
import { ALL_MAC, at, bytes, codeOf, cores, template, toHex } from "./support.js";

const AEADS = [
  { name: "ChaCha20-Poly1305", field: "chacha20Poly1305", nonce: 12, noble: chacha20poly1305 },
  { name: "XChaCha20-Poly1305", field: "xchacha20Poly1305", nonce: 24, noble: xchacha20poly1305 },
] as const;

const builds = await cores();

describe.each(builds)("every length, $name build", ({ core }) => {
  it("hashes and MACs every length from 0 to three blocks and one as noble does", () => {
    const key = bytes(33, 9);
    for (let length = 0; length <= 3 * 64 + 1; length++) {
      const data = bytes(length, length + 1);
      expect(toHex(core.sha256(data))).toBe(toHex(sha256(data)));
      expect(toHex(core.hmacSha256(key, data))).toBe(toHex(hmac(sha256, key, data)));
    }
    for (let length = 0; length <= 3 * 64 + 1; length++) {
      const longKey = bytes(length, 5);
      expect(toHex(core.hmacSha256(longKey, key))).toBe(toHex(hmac(sha256, longKey, key)));
    }
  });

  it("derives every output length from 0 to 100, with inputs of every length", () => {
    for (let length = 0; length <= 100; length++) {
      const [ikm, salt, info] = [bytes(length, 1), bytes(100 - length, 2), bytes(length, 3)];
      const expected = length === 0 ? "" : toHex(hkdf(sha256, ikm, salt, info, length));
      expect(toHex(core.hkdfSha256(ikm, salt, info, length))).toBe(expected);
      if (length > 0) {
        const stretched = toHex(pbkdf2(sha256, ikm, salt, { c: 3, dkLen: length }));
        expect(toHex(core.pbkdf2Sha256(ikm, salt, 3, length))).toBe(stretched);
      }
    }
    expect(core.hkdfSha256(bytes(1), bytes(1), bytes(1), 8160)).toHaveLength(8160);
    expect(codeOf(() => core.hkdfSha256(bytes(1), bytes(1), bytes(1), 8161))).toBe("CORE_INVALID_PARAMETER");
  });

  it.each(AEADS)("seals and opens every text and every associated data of 0 to 200 bytes: $name", (row) => {
    const aead: Aead = core[row.field];
    const key = bytes(32, 3);
    for (let length = 0; length <= 3 * 64 + 1; length++) {
      const nonce = bytes(row.nonce, length + 7);
      const pairs = [
        [bytes(length, 5), bytes(13, 6)],
        [bytes(40, 5), bytes(length, 6)],
      ] as const;
      for (const [text, aad] of pairs) {
        const sealed = aead.seal(key, nonce, aad, text);
        expect(toHex(sealed)).toBe(toHex(row.noble(key, nonce, aad).encrypt(text)));
        expect(toHex(aead.open(key, nonce, aad, sealed))).toBe(toHex(text));
      }
    }
    // Around the boundary of four blocks at once.
    for (const length of [255, 256, 257, 447, 448, 449, 511, 512, 513, 4096, 65_536 + 17]) {
      const [nonce, text, aad] = [bytes(row.nonce, 1), bytes(length, 2), bytes(5, 3)];
      const sealed = aead.seal(key, nonce, aad, text);
      expect(toHex(sealed)).toBe(toHex(row.noble(key, nonce, aad).encrypt(text)));
      expect(toHex(aead.open(key, nonce, aad, sealed))).toBe(toHex(text));
    }
  });

  it.each(AEADS)("does in a batch what it does one by one: $name", (row) => {
    const aead: Aead = core[row.field];
    const key = bytes(32, 3);
    for (const length of [0, 1, 16, 31, 32, 33, 63, 64, 65, 100, 129]) {
      for (const aadLength of [0, 1, 48, 127, 128, 129]) {
        for (const count of [0, 1, 3, 4, 5, 13]) {
          const nonces = bytes(row.nonce * count, 4);
          const [texts, aads] = [bytes(length * count, 5), bytes(aadLength * count, 6)];
          const sealed = aead.sealBatch(key, nonces, aads, texts, count);
          expect(sealed).toHaveLength(count * (length + 16));
          for (let i = 0; i < count; i++) {
            const one = aead.seal(
              key,
              at(nonces, i, row.nonce),
              at(aads, i, aadLength),
              at(texts, i, length),
            );
            expect(toHex(at(sealed, i, length + 16))).toBe(toHex(one));
          }
          expect(toHex(aead.openBatch(key, nonces, aads, sealed, count))).toBe(toHex(texts));
        }
      }
    }
  });

  it.each(AEADS)("handles batches larger than its pieces: $name", (row) => {
    const aead: Aead = core[row.field];
    const count = 9001;
    const [key, nonces, texts, aads] = [
      bytes(32, 1),
      bytes(row.nonce * count, 2),
      bytes(32 * count, 3),
      bytes(48 * count, 4),
    ];
    const sealed = aead.sealBatch(key, nonces, aads, texts, count);
    for (const i of [0, 1, 2047, 4095, 4096, 8999, 9000]) {
      const one = row.noble(key, at(nonces, i, row.nonce), at(aads, i, 48)).encrypt(at(texts, i, 32));
      expect(toHex(at(sealed, i, 48))).toBe(toHex(one));
    }
    expect(aead.openBatch(key, nonces, aads, sealed, count)).toEqual(texts);
  });

  it.each(AEADS)("names the records of a batch that fail, and returns nothing: $name", (row) => {
    const aead: Aead = core[row.field];
    for (const length of [32, 100]) {
      const count = 11;
      const [key, nonces, texts, aads] = [
        bytes(32, 1),
        bytes(row.nonce * count, 2),
        bytes(length * count, 3),
        bytes(48 * count, 4),
      ];
      const sealed = aead.sealBatch(key, nonces, aads, texts, count);
      sealed[3 * (length + 16)]! ^= 1;
      sealed[10 * (length + 16) + length + 15]! ^= 0x80;
      let thrown: unknown;
      try {
        aead.openBatch(key, nonces, aads, sealed, count);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: "CORE_AUTHENTICATION_FAILED", details: { indexes: [3, 10] } });
    }
  });

  it.each(AEADS)("refuses a message with any one bit changed: $name", (row) => {
    const aead: Aead = core[row.field];
    const [key, nonce, aad] = [bytes(32, 1), bytes(row.nonce, 2), bytes(20, 3)];
    const sealed = aead.seal(key, nonce, aad, bytes(33, 4));
    const inputs = [key, nonce, aad, sealed];
    for (const input of inputs) {
      for (let bit = 0; bit < input.length * 8; bit++) {
        input[bit >> 3]! ^= 1 << (bit & 7);
        expect(codeOf(() => aead.open(key, nonce, aad, sealed))).toBe("CORE_AUTHENTICATION_FAILED");
        input[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
    expect(toHex(aead.open(key, nonce, aad, sealed))).toBe(toHex(bytes(33, 4)));
  });

  it("expands a batch as it does one by one", () => {
    const prk = bytes(32, 1);
    for (const infoLength of [0, 1, 16, 48, 55, 56, 64, 200]) {
      for (const count of [0, 1, 3, 4, 5, 130]) {
        for (const length of [1, 32, 33, 64, 100]) {
          const infos = bytes(infoLength * count, 2);
          const out = core.hkdfExpandSha256Batch(prk, infos, length, count);
          expect(out).toHaveLength(length * count);
          for (const i of new Set([0, 1, count - 1].filter((index) => index >= 0 && index < count))) {
            const one = expand(sha256, prk, at(infos, i, infoLength), length);
            expect(toHex(at(out, i, length))).toBe(toHex(one));
          }
        }
      }
    }
  });
});

describe("the two builds", () => {
  const [simd, scalar] = [builds[0]!.core, builds[1]!.core];

  it("agree with each other and with noble on random input", () => {
    const array = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(
        key,
        fc.uint8Array({ minLength: 24, maxLength: 24 }),
        array(300),
        array(700),
        (k, nonce, aad, text) => {
          for (const { field, nonce: length, noble } of AEADS) {
            const n = nonce.slice(0, length);
            const sealed = toHex(simd[field].seal(k, n, aad, text));
            expect(toHex(scalar[field].seal(k, n, aad, text))).toBe(sealed);
            expect(toHex(noble(k, n, aad).encrypt(text))).toBe(sealed);
          }
          const mac = toHex(simd.hmacSha256(aad, text));
          expect(toHex(scalar.hmacSha256(aad, text))).toBe(mac);
          expect(toHex(hmac(sha256, aad, text))).toBe(mac);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("the two builds' batches", () => {
  const [simd, scalar] = [builds[0]!.core, builds[1]!.core];
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const seed = fc.integer({ min: 1, max: 1_000_000 });

  it("agree with each other and with noble on random shapes", () => {
    // Both sides of what is a short record: at most 64 bytes of text and 128 of associated data.
    const shape = fc.record({
      count: fc.integer({ min: 1, max: 11 }),
      length: fc.integer({ min: 0, max: 140 }),
      aadLength: fc.integer({ min: 0, max: 150 }),
    });
    fc.assert(
      fc.property(key, seed, shape, (k, from, { count, length, aadLength }) => {
        for (const { field, nonce, noble } of AEADS) {
          const [nonces, aads] = [bytes(nonce * count, from), bytes(aadLength * count, from + 1)];
          const texts = bytes(length * count, from + 2);
          const sealed = simd[field].sealBatch(k, nonces, aads, texts, count);
          expect(toHex(scalar[field].sealBatch(k, nonces, aads, texts, count))).toBe(toHex(sealed));
          for (let i = 0; i < count; i++) {
            const one = noble(k, at(nonces, i, nonce), at(aads, i, aadLength)).encrypt(at(texts, i, length));
            expect(toHex(at(sealed, i, length + 16))).toBe(toHex(one));
          }
          for (const core of [simd, scalar]) {
            expect(toHex(core[field].openBatch(k, nonces, aads, sealed, count))).toBe(toHex(texts));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("name the same records where any of them are broken", () => {
    const broken = fc.array(fc.boolean(), { minLength: 1, maxLength: 13 });
    const length = fc.constantFrom(0, 16, 32, 33, 64, 65, 100);
    fc.assert(
      fc.property(key, seed, broken, length, (k, from, pattern, textLength) => {
        const count = pattern.length;
        for (const { field, nonce } of AEADS) {
          const nonces = bytes(nonce * count, from);
          const none = new Uint8Array(0);
          const sealed = simd[field].sealBatch(k, nonces, none, bytes(textLength * count, from), count);
          const indexes = pattern.flatMap((isBroken, i) => (isBroken ? [i] : []));
          for (const i of indexes) sealed[i * (textLength + 16) + (from % (textLength + 16))]! ^= 1;
          for (const core of [simd, scalar]) {
            const open = (): Uint8Array => core[field].openBatch(k, nonces, none, sealed, count);
            if (indexes.length === 0) open();
            else expect(open).toThrow(expect.objectContaining({ details: { indexes } }));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("expand and MAC as noble does on random shapes", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 12 });
    const vaults = [simd.vault, scalar.vault];
    const handles = vaults.map((vault) => vault.import(template(ALL_MAC), bytes(32, 1)));
    const macKey = hkdf(
      sha256,
      bytes(32, 1),
      new Uint8Array(0),
      new TextEncoder().encode("keyloom/v1/mac"),
      32,
    );
    fc.assert(
      fc.property(key, seed, lengths, fc.integer({ min: 1, max: 100 }), (k, from, list, length) => {
        const infos = bytes(list.length * 21, from);
        const expanded = simd.hkdfExpandSha256Batch(k, infos, length, list.length);
        expect(toHex(scalar.hkdfExpandSha256Batch(k, infos, length, list.length))).toBe(toHex(expanded));
        const messages = bytes(
          list.reduce((sum, n) => sum + n, 0),
          from,
        );
        const macs = vaults.map((vault, i) => vault.macBatch(handles[i]!, messages, Uint32Array.from(list)));
        expect(toHex(macs[1]!)).toBe(toHex(macs[0]!));
        let offset = 0;
        list.forEach((n, i) => {
          expect(toHex(at(expanded, i, length))).toBe(toHex(expand(sha256, k, at(infos, i, 21), length)));
          const mac = hmac(sha256, macKey, messages.subarray(offset, offset + n));
          expect(toHex(at(macs[0]!, i, 32))).toBe(toHex(mac));
          offset += n;
        });
      }),
      { numRuns: 150 },
    );
  });
});

describe.each(builds)("inputs, $name build", ({ core }) => {
  it("are never modified, and results are the caller's own", () => {
    // Views in the middle of a larger buffer, at odd addresses.
    const buffer = bytes(1000, 5);
    const view = (from: number, length: number): Uint8Array => buffer.subarray(from, from + length);
    const before = toHex(buffer);
    const [key, nonce, aad, text] = [view(1, 32), view(35, 12), view(51, 100), view(161, 300)];
    const sealed = core.chacha20Poly1305.seal(key, nonce, aad, text);
    const opened = core.chacha20Poly1305.open(key, nonce, aad, sealed);
    core.hkdfSha256(key, nonce, aad, 50);
    core.pbkdf2Sha256(key, nonce, 2, 40);
    core.hkdfExpandSha256Batch(key, text, 32, 10);
    core.chacha20Poly1305.sealBatch(key, view(500, 48), view(600, 40), view(700, 80), 4);
    expect(toHex(buffer)).toBe(before);
    const again = core.chacha20Poly1305.open(key, nonce, aad, sealed);
    opened.fill(0);
    expect(toHex(again)).toBe(toHex(text));
  });

  it("of another type or a wrong length are refused", () => {
    const aead = core.chacha20Poly1305;
    const [key, nonce, none] = [bytes(32), bytes(12), new Uint8Array(0)];
    expect(codeOf(() => core.sha256("abc" as never))).toBe("TypeError");
    expect(codeOf(() => core.hmacSha256(key, [1] as never))).toBe("TypeError");
    expect(codeOf(() => aead.seal(key, nonce, none, null as never))).toBe("TypeError");
    for (const length of [0, 16, 31, 33, 64]) {
      expect(codeOf(() => aead.seal(bytes(length), nonce, none, none))).toBe("CORE_INVALID_LENGTH");
    }
    for (const length of [0, 11, 13, 24]) {
      expect(codeOf(() => aead.open(key, bytes(length), none, bytes(16)))).toBe("CORE_INVALID_LENGTH");
    }
    for (let length = 0; length < 16; length++) {
      expect(codeOf(() => aead.open(key, nonce, none, bytes(length)))).toBe("CORE_AUTHENTICATION_FAILED");
    }
    expect(codeOf(() => aead.sealBatch(key, bytes(24), bytes(3), bytes(8), 2))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => aead.sealBatch(key, bytes(24), none, bytes(8), -1))).toBe("CORE_INVALID_PARAMETER");
    expect(codeOf(() => core.pbkdf2Sha256(key, none, 0, 32))).toBe("CORE_INVALID_PARAMETER");
    expect(codeOf(() => core.pbkdf2Sha256(key, none, 1.5, 32))).toBe("CORE_INVALID_PARAMETER");
  });

  it("larger than the memory at first make it grow", () => {
    const large = bytes(9 * 1024 * 1024, 3);
    expect(toHex(core.sha256(large))).toBe(toHex(sha256(large)));
    const sealed = core.chacha20Poly1305.seal(bytes(32), bytes(12), new Uint8Array(0), large);
    expect(
      toHex(core.sha256(core.chacha20Poly1305.open(bytes(32), bytes(12), new Uint8Array(0), sealed))),
    ).toBe(toHex(sha256(large)));
    expect(toHex(core.sha256(bytes(3)))).toBe(toHex(sha256(bytes(3))));
  });
});
