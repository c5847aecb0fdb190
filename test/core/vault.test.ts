import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand, extract, hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { beforeEach, describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE, type KeyTemplate } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle, Vault } from "../../bindings/vault.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, at, BUILDS, bytes, codeOf, template, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The subkey of a key, computed from the formats' page. */
function subkey(material: Uint8Array, label: string): Uint8Array {
  return hkdf(sha256, material, NONE, text(`keyloom/v1/${label}`), 32);
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe.each(BUILDS)("the vault, $name build", ({ simd }) => {
  let vault: Vault;
  const kekId = bytes(16, 50);
  const kekTemplate = (version = 1): KeyTemplate => template(ALL_WRAP, { id: kekId, version });
  const dataTemplate = (i = 0): KeyTemplate =>
    template(ALL_CIPHER, { id: bytes(16, 100 + i), version: i + 1 });
  const attributesFor = (count: number, kekVersion = 1): Uint8Array => {
    const all = new Uint8Array(count * 48);
    for (let i = 0; i < count; i++) encodeAttributes(dataTemplate(i), kekId, kekVersion, all, i * 48);
    return all;
  };

  beforeEach(async () => {
    vault = (await loadCoreWith({ simd })).vault;
  });

  describe("handles", () => {
    it("are stale once their key is disposed of, also when the slot is in use again", () => {
      const first = vault.generate(dataTemplate());
      vault.dispose(first);
      const others = Array.from({ length: vault.capacity }, () => vault.generate(dataTemplate()));
      expect(others).not.toContain(first);
      expect(codeOf(() => vault.seal(first, NONE, NONE))).toBe("CORE_HANDLE_STALE");
      expect(codeOf(() => vault.dispose(first))).toBe("CORE_HANDLE_STALE");
    });

    it("of numbers that nobody was given are stale", () => {
      vault.generate(dataTemplate());
      for (const forged of [0, 1, 5, 1025, 2048, 0x7fff_ffff, -1, 2 ** 32]) {
        expect(codeOf(() => vault.seal(forged as Handle, NONE, NONE))).toBe("CORE_HANDLE_STALE");
      }
    });

    it("run out at the vault's capacity, and come back", () => {
      const all = Array.from({ length: vault.capacity }, () => vault.generate(dataTemplate()));
      expect(vault.liveCount()).toBe(vault.capacity);
      expect(codeOf(() => vault.generate(dataTemplate()))).toBe("CORE_SLOTS_EXHAUSTED");
      vault.dispose(all[500]!);
      vault.seal(vault.generate(dataTemplate()), NONE, NONE);
      vault.disposeAll();
      expect(vault.liveCount()).toBe(0);
      expect(codeOf(() => vault.seal(all[0]!, NONE, NONE))).toBe("CORE_HANDLE_STALE");
    });

    it("belong to one vault", async () => {
      const other = (await loadCoreWith({ simd })).vault;
      const [mine, theirs] = [
        vault.import(dataTemplate(), bytes(32, 1)),
        other.import(dataTemplate(), bytes(32, 2)),
      ];
      expect(mine).toBe(theirs);
      const sealed = vault.seal(mine, NONE, bytes(5));
      expect(codeOf(() => other.open(theirs, NONE, sealed))).toBe("CORE_AUTHENTICATION_FAILED");
    });
  });

  describe("usages", () => {
    const EVERY = [
      USAGE.ENCRYPT,
      USAGE.DECRYPT,
      USAGE.WRAP,
      USAGE.UNWRAP,
      USAGE.MAC_GENERATE,
      USAGE.MAC_VERIFY,
      USAGE.DERIVE,
    ];
    const calls: Record<string, [number, (key: Handle, kek: Handle) => unknown]> = {
      seal: [USAGE.ENCRYPT, (key) => vault.seal(key, NONE, NONE)],
      open: [USAGE.DECRYPT, (key) => vault.open(key, NONE, bytes(72))],
      ageWrapFileKey: [
        USAGE.ENCRYPT,
        (key) =>
          vault.ageWrapFileKey(key, NONE, vault.generate(template(0, { algorithm: ALGORITHM.AGE_FILE_KEY }))),
      ],
      ageUnwrapFileKey: [USAGE.DECRYPT, (key) => vault.ageUnwrapFileKey(key, NONE, bytes(88))],
      generateAndWrapBatch: [USAGE.WRAP, (key) => vault.generateAndWrapBatch(key, attributesFor(1), 1)],
      wrap: [USAGE.WRAP, (key) => vault.wrap(key, vault.generate(dataTemplate()))],
      unwrap: [USAGE.UNWRAP, (key) => vault.unwrap(key, attributesFor(1), bytes(104))],
      openCheckBatch: [USAGE.UNWRAP, (key) => vault.openCheckBatch(key, attributesFor(1), bytes(104), 1)],
      "rewrapBatch from": [
        USAGE.UNWRAP,
        (key, kek) => vault.rewrapBatch(key, kek, attributesFor(1), bytes(104), 1),
      ],
      "rewrapBatch to": [
        USAGE.WRAP,
        (key, kek) => vault.rewrapBatch(kek, key, attributesFor(1), bytes(104), 1),
      ],
      derive: [USAGE.DERIVE, (key) => vault.derive(key, template(USAGE.DERIVE), NONE)],
      "deriveBatch from": [
        USAGE.DERIVE,
        (key, kek) => vault.deriveBatch(key, kek, attributesFor(1), NONE, 0, 1),
      ],
      mac: [USAGE.MAC_GENERATE, (key) => vault.mac(key, NONE)],
      macVerify: [USAGE.MAC_VERIFY, (key) => vault.macVerify(key, NONE, bytes(32))],
      macBatch: [USAGE.MAC_GENERATE, (key) => vault.macBatch(key, bytes(3), new Uint32Array([3]))],
      recordSeal: [
        USAGE.MAC_GENERATE,
        (key) => vault.recordSeal(key, bytes(64), bytes(3), new Uint32Array([3])),
      ],
      recordCheck: [
        USAGE.MAC_VERIFY,
        (key) => vault.recordCheck(key, bytes(64), bytes(3), new Uint32Array([3]), bytes(32)),
      ],
      recordSealRows: [USAGE.MAC_GENERATE, (key) => vault.recordSealRows(key, bytes(64), bytes(40), 40)],
      recordCheckRows: [USAGE.MAC_VERIFY, (key) => vault.recordCheckRows(key, bytes(64), bytes(40), 40)],
    };

    it.each(Object.entries(calls))(
      "are enforced by %s: a key with every other bit is refused",
      (_, [bit, call]) => {
        const kek = vault.generate(kekTemplate());
        for (const usage of EVERY.filter((other) => other !== bit)) {
          const key = vault.generate(template(usage, { id: kekId }));
          expect(codeOf(() => call(key, kek))).toBe("CORE_HANDLE_MISUSE");
        }
      },
    );

    it("for wrapping and for encrypting don't meet on one key, however it is made", () => {
      const kek = vault.generate(kekTemplate());
      const deriver = vault.import(
        template(USAGE.DERIVE | ALL_CIPHER, { algorithm: ALGORITHM.HKDF_SHA256 }),
        bytes(32),
      );
      for (const wraps of [USAGE.WRAP, USAGE.UNWRAP]) {
        for (const encrypts of [USAGE.ENCRYPT, USAGE.DECRYPT]) {
          const both = template(wraps | encrypts);
          expect(codeOf(() => vault.generate(both))).toBe("CORE_HANDLE_MISUSE");
          expect(codeOf(() => vault.import(both, bytes(32)))).toBe("CORE_HANDLE_MISUSE");
          expect(codeOf(() => vault.derive(deriver, both, NONE))).toBe("CORE_HANDLE_MISUSE");
          const attributes = encodeAttributes(both, kekId, 1);
          expect(codeOf(() => vault.generateAndWrapBatch(kek, attributes, 1))).toBe("CORE_HANDLE_MISUSE");
        }
      }
    });

    it("must fit the algorithm", () => {
      const mac = template(ALL_MAC | USAGE.ENCRYPT, { algorithm: ALGORITHM.HMAC_SHA256 });
      expect(codeOf(() => vault.generate(mac))).toBe("CORE_HANDLE_MISUSE");
      expect(codeOf(() => vault.generate(template(1)))).toBe("CORE_HANDLE_MISUSE");
      for (const algorithm of [0, 32, 200, 255]) {
        expect(codeOf(() => vault.generate(template(0, { algorithm })))).toBe("CORE_INVALID_LENGTH");
      }
    });
  });

  describe("wrapped keys", () => {
    it("are what the formats' page says", () => {
      const material = bytes(32, 60);
      const kek = vault.import(kekTemplate(), material);
      const key = vault.import(dataTemplate(), bytes(32, 61));
      const wrapped = vault.wrap(kek, key);
      expect(toHex(wrapped.subarray(0, 32))).toBe(toHex(subkey(material, "wrap/commit")));
      const aead = xchacha20poly1305(
        subkey(material, "wrap/enc"),
        wrapped.subarray(32, 56),
        attributesFor(1),
      );
      expect(toHex(aead.decrypt(wrapped.subarray(56)))).toBe(toHex(bytes(32, 61)));
    });

    it("open to the same key, with what their attributes say", () => {
      const kek = vault.generate(kekTemplate());
      const key = vault.import(dataTemplate(), bytes(32, 61));
      const sealed = vault.seal(key, bytes(3), bytes(10));
      const again = vault.unwrap(kek, attributesFor(1), vault.wrap(kek, key));
      expect(toHex(vault.open(again, bytes(3), sealed))).toBe(toHex(bytes(10)));
      expect(codeOf(() => vault.mac(again, NONE))).toBe("CORE_HANDLE_MISUSE");
      expect(codeOf(() => vault.exportInsecureCleartext(again))).toBe("CORE_NOT_EXPORTABLE");
    });

    it("don't open when any bit of their attributes or any byte of theirs is changed", () => {
      const kek = vault.generate(kekTemplate());
      const attributes = attributesFor(1);
      const wrapped = vault.generateAndWrapBatch(kek, attributes, 1);
      const live = vault.liveCount();
      for (let bit = 0; bit < attributes.length * 8; bit++) {
        const changed = attributes.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(codeOf(() => vault.unwrap(kek, changed, wrapped))).toBe("CORE_AUTHENTICATION_FAILED");
        expect(vault.openCheckBatch(kek, changed, wrapped, 1).failed).toBe(1);
      }
      for (let i = 0; i < wrapped.length; i++) {
        const changed = wrapped.slice();
        changed[i]! ^= 0x40;
        expect(codeOf(() => vault.unwrap(kek, attributes, changed))).toBe("CORE_AUTHENTICATION_FAILED");
      }
      expect(vault.liveCount()).toBe(live);
      expect(vault.openCheckBatch(kek, attributes, wrapped, 1)).toEqual({
        failed: 0,
        statuses: new Uint8Array(1),
      });
    });

    it("don't open under another key, nor under the same key by another name", () => {
      const material = bytes(32, 60);
      const kek = vault.import(kekTemplate(), material);
      const wrapped = vault.generateAndWrapBatch(kek, attributesFor(1), 1);
      const foreign = vault.generate(kekTemplate());
      const renamed = vault.import(kekTemplate(2), material);
      for (const other of [foreign, renamed]) {
        expect(codeOf(() => vault.unwrap(other, attributesFor(1), wrapped))).toBe(
          "CORE_AUTHENTICATION_FAILED",
        );
      }
    });

    it("are made only with attributes that name the wrapping key", () => {
      const kek = vault.generate(kekTemplate());
      expect(codeOf(() => vault.generateAndWrapBatch(kek, attributesFor(3, 2), 3))).toBe(
        "CORE_HANDLE_MISUSE",
      );
      const otherId = encodeAttributes(dataTemplate(), bytes(16, 51), 1);
      expect(codeOf(() => vault.generateAndWrapBatch(kek, otherId, 1))).toBe("CORE_HANDLE_MISUSE");
    });

    it.each([ALGORITHM.AGE_FILE_KEY, ALGORITHM.AGE_PAYLOAD_KEY, ALGORITHM.AGE_SCRYPT_KEY])(
      "are never made of a key of an age file (algorithm %i)",
      (algorithm) => {
        const age = template(0, { algorithm, id: bytes(16, 100) });
        const kek = vault.generate(kekTemplate());
        const key = vault.generate(age);
        expect(codeOf(() => vault.wrap(kek, key))).toBe("CORE_HANDLE_MISUSE");
        const data = vault.generate(dataTemplate());
        expect(codeOf(() => vault.wrapBatch(kek, [data, key]))).toBe("CORE_HANDLE_MISUSE");
        const attributes = encodeAttributes(age, kekId, 1);
        expect(codeOf(() => vault.generateAndWrapBatch(kek, attributes, 1))).toBe("CORE_HANDLE_MISUSE");
        const deriver = vault.generate(template(USAGE.DERIVE, { algorithm: ALGORITHM.HKDF_SHA256 }));
        expect(codeOf(() => vault.derive(deriver, age, NONE))).toBe("CORE_HANDLE_MISUSE");
        expect(codeOf(() => vault.deriveBatch(deriver, kek, attributes, NONE, 0, 1))).toBe(
          "CORE_HANDLE_MISUSE",
        );
        // Nor do they open, were they made by something else.
        const material = bytes(32, 60);
        const other = vault.import(kekTemplate(), material);
        const nonce = bytes(24, 61);
        const aead = xchacha20poly1305(subkey(material, "wrap/enc"), nonce, attributes);
        const length = algorithm === ALGORITHM.AGE_FILE_KEY ? 16 : 32;
        const wrapped = concat(subkey(material, "wrap/commit"), nonce, aead.encrypt(bytes(length, 62)));
        expect(codeOf(() => vault.unwrap(other, attributes, wrapped))).toBe("CORE_AUTHENTICATION_FAILED");
        expect(vault.openCheckBatch(other, attributes, wrapped, 1).failed).toBe(1);
      },
    );

    it.each([0, 1, 3, 4, 5, 129, 1000])("of a batch of %i all open, each to a key of its own", (count) => {
      const kek = vault.generate(kekTemplate());
      const wrapped = vault.generateAndWrapBatch(kek, attributesFor(count), count);
      expect(wrapped).toHaveLength(count * 104);
      expect(vault.openCheckBatch(kek, attributesFor(count), wrapped, count).failed).toBe(0);
      const all = new Set(Array.from({ length: count }, (_, i) => toHex(at(wrapped, i, 104).subarray(32))));
      expect(all.size).toBe(count);
      if (count === 0) return;
      const last = count - 1;
      const key = vault.unwrap(kek, at(attributesFor(count), last, 48), at(wrapped, last, 104));
      expect(vault.open(key, NONE, vault.seal(key, NONE, bytes(7)))).toEqual(bytes(7));
    });

    it.each([0, 1, 3, 4, 5, 129, 1000])("move to another key in a batch of %i", (count) => {
      const [old, next] = [vault.generate(kekTemplate(1)), vault.generate(kekTemplate(2))];
      const keys = Array.from({ length: Math.min(count, 200) }, (_, i) =>
        vault.import(dataTemplate(i), bytes(32, 500 + i)),
      );
      const wrapped = vault.wrapBatch(
        old,
        Array.from({ length: count }, (_, i) => keys[i % 200]!),
      );
      const attributes = new Uint8Array(count * 48);
      for (let i = 0; i < count; i++)
        attributes.set(attributesFor(200).subarray((i % 200) * 48, (i % 200) * 48 + 48), i * 48);
      const moved = vault.rewrapBatch(old, next, attributes, wrapped, count);
      expect(moved.failed).toBe(0);
      const renamed = attributes.slice();
      for (let i = 0; i < count; i++) renamed[i * 48 + 47] = 2;
      expect(vault.openCheckBatch(next, renamed, moved.wrapped, count).failed).toBe(0);
      expect(vault.openCheckBatch(old, attributes, moved.wrapped, count).failed).toBe(count);
      if (count === 0) return;
      const again = vault.unwrap(next, at(renamed, 0, 48), at(moved.wrapped, 0, 104));
      const sealed = vault.seal(keys[0]!, NONE, bytes(9));
      expect(vault.open(again, NONE, sealed)).toEqual(bytes(9));
    });

    it("that don't open leave a batch as zeros, with a status, and the others move", () => {
      const [old, next] = [vault.generate(kekTemplate(1)), vault.generate(kekTemplate(2))];
      const count = 300;
      const wrapped = vault.generateAndWrapBatch(old, attributesFor(count), count);
      const broken = [0, 7, 128, 299];
      for (const i of broken) wrapped[i * 104 + (i % 104)]! ^= 1;
      const moved = vault.rewrapBatch(old, next, attributesFor(count), wrapped, count);
      expect(moved.failed).toBe(broken.length);
      for (let i = 0; i < count; i++) {
        const isBroken = broken.includes(i);
        expect(moved.statuses[i]).toBe(isBroken ? 1 : 0);
        expect(at(moved.wrapped, i, 104).every((byte) => byte === 0)).toBe(isBroken);
      }
      const checked = vault.openCheckBatch(next, attributesFor(count, 2), moved.wrapped, count);
      expect(checked.statuses).toEqual(moved.statuses);
    });

    it("of exportable keys alone can be exported, and unwrapping doesn't change that", () => {
      const kek = vault.generate(kekTemplate());
      const material = bytes(32, 9);
      const exportable = vault.import({ ...dataTemplate(), exportable: true }, material);
      expect(toHex(vault.exportInsecureCleartext(exportable))).toBe(toHex(material));
      const wrapped = vault.wrap(kek, exportable);
      const attributes = encodeAttributes({ ...dataTemplate(), exportable: true }, kekId, 1);
      expect(toHex(vault.exportInsecureCleartext(vault.unwrap(kek, attributes, wrapped)))).toBe(
        toHex(material),
      );
      const closed = vault.import(dataTemplate(), material);
      expect(codeOf(() => vault.exportInsecureCleartext(closed))).toBe("CORE_NOT_EXPORTABLE");
      expect(codeOf(() => vault.unwrap(kek, attributes, vault.wrap(kek, closed)))).toBe(
        "CORE_AUTHENTICATION_FAILED",
      );
    });
  });

  describe("derived keys", () => {
    const parentUsages = USAGE.DERIVE | ALL_CIPHER;
    const material = bytes(32, 70);
    const parent = (exportable = false): Handle =>
      vault.import(template(parentUsages, { algorithm: ALGORITHM.HKDF_SHA256, exportable }), material);

    it("are what the formats' page says, alone and in a batch", () => {
      const child = { ...dataTemplate(), exportable: true };
      const attributes = encodeAttributes(child, kekId, 1);
      const prk = extract(sha256, subkey(material, "derive"), NONE);
      expect(prk).toHaveLength(32);
      const info = bytes(11, 8);
      const expected = expand(
        sha256,
        subkey(material, "derive"),
        concat(attributes.subarray(0, 8), info),
        32,
      );
      const derived = vault.derive(parent(true), child, info);
      expect(toHex(vault.exportInsecureCleartext(derived))).toBe(toHex(expected));
      const kek = vault.generate(kekTemplate());
      const wrapped = vault.deriveBatch(parent(true), kek, attributes, info, info.length, 1);
      const again = vault.unwrap(kek, attributes, wrapped);
      expect(toHex(vault.exportInsecureCleartext(again))).toBe(toHex(expected));
    });

    it("differ by info and by attributes", () => {
      const make = (usages: number, info: Uint8Array): string => {
        const key = vault.derive(parent(true), template(usages, { exportable: true }), info);
        return toHex(vault.exportInsecureCleartext(key));
      };
      const all = [make(ALL_CIPHER, bytes(1)), make(ALL_CIPHER, bytes(2)), make(USAGE.ENCRYPT, bytes(1))];
      expect(new Set(all).size).toBe(3);
      expect(make(ALL_CIPHER, bytes(1))).toBe(all[0]);
    });

    it("never gain a usage or exportability", () => {
      const from = parent();
      const gaining = [
        template(ALL_WRAP),
        template(ALL_CIPHER | USAGE.MAC_GENERATE),
        template(ALL_CIPHER, { exportable: true }),
      ];
      const kek = vault.generate(kekTemplate());
      for (const child of gaining) {
        expect(codeOf(() => vault.derive(from, child, NONE))).toBe("CORE_HANDLE_MISUSE");
        const attributes = encodeAttributes(child, kekId, 1);
        expect(codeOf(() => vault.deriveBatch(from, kek, attributes, NONE, 0, 1))).toBe("CORE_HANDLE_MISUSE");
      }
      vault.derive(from, template(ALL_CIPHER), NONE);
    });

    it("in a batch equal those made one by one", () => {
      const kek = vault.generate(kekTemplate());
      const count = 133;
      const infos = bytes(count * 5, 3);
      const wrapped = vault.deriveBatch(parent(), kek, attributesFor(count), infos, 5, count);
      for (const i of [0, 1, 127, 128, 132]) {
        const single = vault.derive(parent(), dataTemplate(i), at(infos, i, 5));
        const batched = vault.unwrap(kek, at(attributesFor(count), i, 48), at(wrapped, i, 104));
        expect(vault.open(batched, NONE, vault.seal(single, NONE, bytes(4)))).toEqual(bytes(4));
      }
    });
  });

  describe("messages and MACs", () => {
    it("are what the formats' page says", () => {
      const material = bytes(32, 80);
      const key = vault.import(template(ALL_CIPHER | ALL_MAC), material);
      const sealed = vault.seal(key, bytes(21), bytes(100));
      expect(toHex(sealed.subarray(0, 32))).toBe(toHex(subkey(material, "message/commit")));
      const aead = xchacha20poly1305(subkey(material, "message/enc"), sealed.subarray(32, 56), bytes(21));
      expect(toHex(aead.decrypt(sealed.subarray(56)))).toBe(toHex(bytes(100)));
      expect(toHex(vault.mac(key, bytes(50)))).toBe(toHex(hmac(sha256, subkey(material, "mac"), bytes(50))));
      expect(vault.macVerify(key, bytes(50), vault.mac(key, bytes(50)))).toBe(true);
      expect(vault.macVerify(key, bytes(51), vault.mac(key, bytes(50)))).toBe(false);
    });

    it("don't open when any byte of them or of the associated data is changed", () => {
      const key = vault.generate(dataTemplate());
      const [aad, plaintext] = [bytes(9, 1), bytes(20, 2)];
      const sealed = vault.seal(key, aad, plaintext);
      for (const input of [sealed, aad]) {
        for (let i = 0; i < input.length; i++) {
          input[i]! ^= 1;
          expect(codeOf(() => vault.open(key, aad, sealed))).toBe("CORE_AUTHENTICATION_FAILED");
          input[i]! ^= 1;
        }
      }
      for (let length = 0; length < sealed.length; length++) {
        expect(codeOf(() => vault.open(key, aad, sealed.subarray(0, length)))).toBe(
          "CORE_AUTHENTICATION_FAILED",
        );
      }
      expect(vault.open(key, aad, sealed)).toEqual(plaintext);
      expect(codeOf(() => vault.seal(key, aad, new Uint8Array(1024 * 1024 + 1)))).toBe(
        "CORE_INPUT_TOO_LARGE",
      );
      const largest = bytes(1024 * 1024, 5);
      expect(toHex(sha256(vault.open(key, aad, vault.seal(key, aad, largest))))).toBe(toHex(sha256(largest)));
    });

    it("of records are HMACs with the prefix and digests without it, for every mixture of lengths", () => {
      const material = bytes(32, 81);
      const key = vault.import(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }), material);
      const prefix = bytes(64, 82);
      const mixtures = [
        [],
        [0],
        [1, 2, 3],
        [160, 160, 160, 160],
        [55, 56, 63, 64, 65, 200, 160, 160, 160, 160, 9],
      ];
      for (const list of mixtures) {
        const lengths = Uint32Array.from(list);
        const messages = bytes(
          list.reduce((sum, length) => sum + length, 0),
          83,
        );
        const sealed = vault.recordSeal(key, prefix, messages, lengths);
        const macsOnly = vault.recordSeal(key, prefix, messages, lengths, false);
        const macs = new Uint8Array(list.length * 32);
        let offset = 0;
        list.forEach((length, i) => {
          const message = messages.subarray(offset, offset + length);
          offset += length;
          const mac = hmac(sha256, subkey(material, "record-mac"), concat(prefix, message));
          expect(toHex(at(sealed, i, 64))).toBe(toHex(mac) + toHex(sha256(message)));
          expect(toHex(at(macsOnly, i, 32))).toBe(toHex(mac));
          macs.set(mac, i * 32);
        });
        expect(vault.recordCheck(key, prefix, messages, lengths, macs).failed).toBe(0);
        for (let i = 0; i < list.length; i++) {
          macs[i * 32 + (i % 32)]! ^= 1;
          const { failed, statuses } = vault.recordCheck(key, prefix, messages, lengths, macs);
          expect([failed, statuses[i]]).toEqual([1, 1]);
          macs[i * 32 + (i % 32)]! ^= 1;
        }
      }
    });

    it("of rows equal those of records, in place", () => {
      const key = vault.generate(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }));
      const prefix = bytes(64, 82);
      for (const count of [0, 1, 3, 4, 5, 700]) {
        const rows = bytes(count * 193, 84);
        const messages = concat(
          ...Array.from({ length: count }, (_, i) => at(rows, i, 193).subarray(0, 161)),
        );
        const expected = vault.recordSeal(key, prefix, messages, new Uint32Array(count).fill(161));
        const bare = rows.slice();
        const digests = vault.recordSealRows(key, prefix, rows, 193);
        expect(vault.recordSealRows(key, prefix, bare, 193, false)).toHaveLength(0);
        expect(bare).toEqual(rows);
        for (let i = 0; i < count; i++) {
          expect(toHex(at(rows, i, 193).subarray(161))).toBe(toHex(at(expected, i, 64).subarray(0, 32)));
          expect(toHex(at(digests, i, 32))).toBe(toHex(at(expected, i, 64).subarray(32)));
        }
        expect(vault.recordCheckRows(key, prefix, rows, 193).failed).toBe(0);
        if (count === 0) continue;
        rows[(count - 1) * 193 + 100]! ^= 1;
        expect(vault.recordCheckRows(key, prefix, rows, 193)).toMatchObject({ failed: 1 });
      }
    });

    it("let a material record move once, to where it opens under the new key and no longer under the old", () => {
      const recorder = vault.generate(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }));
      const [oldKek, newKek] = [1, 2].map((version) => vault.generate(kekTemplate(version)));
      const prefix = bytes(64, 82);
      const one = encodeAttributes(template(ALL_CIPHER), kekId, 1);
      const row = new Uint8Array(193);
      row.set([
        0x30,
        ...one.subarray(28),
        ...one.subarray(8, 28),
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        ...one.subarray(0, 8),
      ]);
      row.set(vault.generateAndWrapBatch(oldKek!, one, 1), 57);
      vault.recordSealRows(recorder, prefix, row, 193, false);
      for (let i = 0; i < row.length; i++) {
        const changed = row.slice();
        changed[i]! ^= 1;
        const { statuses } = vault.moveRows(recorder, oldKek!, newKek!, prefix, changed, 193);
        expect([...statuses]).toEqual([1]);
        expect(changed.every((byte) => byte === 0)).toBe(true);
      }
      const moved = row.slice();
      const { failed, digests } = vault.moveRows(recorder, oldKek!, newKek!, prefix, moved, 193);
      expect([failed, toHex(digests)]).toEqual([0, toHex(sha256(moved.subarray(0, 161)))]);
      expect([moved[20], moved[48]]).toEqual([2, 2]);
      expect(vault.recordCheckRows(recorder, prefix, moved, 193).failed).toBe(0);
      const two = encodeAttributes(template(ALL_CIPHER), kekId, 2);
      expect(vault.openCheckBatch(newKek!, two, moved.subarray(57, 161), 1).failed).toBe(0);
      expect(vault.openCheckBatch(oldKek!, one, moved.subarray(57, 161), 1).failed).toBe(1);
      // Sealed anew with a wrapped key that doesn't open.
      moved[100]! ^= 1;
      vault.recordSealRows(recorder, prefix, moved, 193, false);
      const { statuses } = vault.moveRows(recorder, newKek!, oldKek!, prefix, moved, 193);
      expect([...statuses]).toEqual([2]);
    });

    it("in a batch equal those made one by one", () => {
      const key = vault.generate(template(ALL_MAC));
      const lengths = new Uint32Array([0, 5, 64, 64, 64, 64, 100, 3000]);
      const messages = bytes(
        lengths.reduce((sum, length) => sum + length, 0),
        3,
      );
      const macs = vault.macBatch(key, messages, lengths);
      let offset = 0;
      lengths.forEach((length, i) => {
        expect(toHex(at(macs, i, 32))).toBe(
          toHex(vault.mac(key, messages.subarray(offset, offset + length))),
        );
        offset += length;
      });
      expect(codeOf(() => vault.macBatch(key, messages, new Uint32Array([1])))).toBe("CORE_INVALID_LENGTH");
    });
  });

  it("stretches a password into a key as PBKDF2 does", () => {
    const key = vault.deriveFromPassword({ ...dataTemplate(), exportable: true }, bytes(9), bytes(32), 1000);
    const imported = vault.import(dataTemplate(), vault.exportInsecureCleartext(key));
    expect(vault.open(imported, NONE, vault.seal(key, NONE, bytes(3)))).toEqual(bytes(3));
    expect(codeOf(() => vault.deriveFromPassword(dataTemplate(), bytes(9), bytes(32), 0))).toBe(
      "CORE_INVALID_PARAMETER",
    );
  });

  it("imports keys of the algorithm's length only", () => {
    const live = vault.liveCount();
    for (const length of [0, 16, 31, 33, 64, 65, 1000]) {
      expect(codeOf(() => vault.import(dataTemplate(), bytes(length)))).toBe("CORE_INVALID_LENGTH");
    }
    expect(codeOf(() => vault.import({ ...dataTemplate(), id: bytes(15) }, bytes(32)))).toBe(
      "CORE_INVALID_LENGTH",
    );
    expect(vault.liveCount()).toBe(live);
  });

  it("refuses what needs random bytes where the host has none, and keeps nothing", async () => {
    let broken = false;
    const random = (view: Uint8Array): void => {
      if (broken) throw new Error("no entropy");
      view.fill(7);
    };
    const { vault: poor } = await loadCoreWith({ simd, random });
    const kek = poor.generate(kekTemplate());
    const next = poor.generate(kekTemplate(2));
    const key = poor.generate(dataTemplate());
    const fileKey = poor.generate(template(0, { algorithm: ALGORITHM.AGE_FILE_KEY }));
    const wrapped = poor.generateAndWrapBatch(kek, attributesFor(1), 1);
    broken = true;
    const live = poor.liveCount();
    for (const call of [
      () => poor.generate(dataTemplate()),
      () => poor.seal(key, NONE, bytes(5)),
      () => poor.wrap(kek, key),
      () => poor.generateAndWrapBatch(kek, attributesFor(1), 1),
      () => poor.rewrapBatch(kek, next, attributesFor(1), wrapped, 1),
      () => poor.ageWrapFileKey(key, NONE, fileKey),
    ]) {
      expect(codeOf(call)).toBe("CORE_NO_RANDOM");
    }
    expect(poor.liveCount()).toBe(live);
  });
});
