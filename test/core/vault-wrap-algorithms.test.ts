/** The vault under each wrap algorithm, against what docs/FORMATS.md says, and from each to each. */
import { expand } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { beforeEach, describe, expect, it } from "vitest";
import {
  ALGORITHM,
  encodeAttributes,
  USAGE,
  wrapAlgorithmOf,
  wrappedLength,
} from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle, Vault } from "../../bindings/vault.js";
import { subkey } from "./memory/probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, at, BUILDS, bytes, codeOf, template, toHex } from "./support.js";
import { unwrapKey, WRAPPING, type Wrapping } from "./wrapped-key.js";

const FAILED = "CORE_AUTHENTICATION_FAILED";
const COUNTS = [1, 2, 7, 8, 9, 128, 129, 300];
const KEK_ID = bytes(16, 50);
const materialOf = ({ algorithm }: Wrapping): Uint8Array => bytes(32, 900 + algorithm);

describe.each(BUILDS)("the vault, $name build", ({ simd }) => {
  let vault: Vault;
  beforeEach(async () => {
    vault = (await loadCoreWith({ simd })).vault;
  });

  const dataTemplate = (i: number) =>
    template(ALL_CIPHER, { id: bytes(16, 100 + i), version: i + 1, exportable: true });

  const kekOf = (row: Wrapping, usages: number = ALL_WRAP, version = 1): Handle =>
    vault.import(template(usages, { algorithm: row.algorithm, id: KEK_ID, version }), materialOf(row));

  function attributesFor({ wrap }: Wrapping, count: number, version = 1): Uint8Array {
    const all = new Uint8Array(count * 48);
    for (let i = 0; i < count; i++) encodeAttributes(dataTemplate(i), KEK_ID, version, all, i * 48, wrap);
    return all;
  }

  describe.each(WRAPPING)("under $name", (row) => {
    const size = 32 + row.overhead;

    it("generates keys, wrapped as the formats' page says", () => {
      expect(wrappedLength(32, wrapAlgorithmOf(row.algorithm))).toBe(size);
      const kek = kekOf(row);
      const seen = new Set<string>();
      for (const count of COUNTS) {
        const all = attributesFor(row, count);
        const wrapped = vault.generateAndWrapBatch(kek, all, count);
        expect(wrapped).toHaveLength(count * size);
        for (let i = 0; i < count; i++)
          seen.add(toHex(unwrapKey(materialOf(row), at(all, i, 48), at(wrapped, i, size))));
        expect(vault.openCheckBatch(kek, all, wrapped, count).failed).toBe(0);
      }
      expect(seen.size).toBe(COUNTS.reduce((sum, count) => sum + count, 0));
    });

    it("wraps keys in slots, and unwraps them again", () => {
      const kek = kekOf(row);
      const keys = Array.from({ length: 130 }, (_, i) => vault.import(dataTemplate(i), bytes(32, 200 + i)));
      const wrapped = vault.wrapBatch(kek, keys);
      const all = attributesFor(row, keys.length);
      for (let i = 0; i < keys.length; i++) {
        const [attributes, record] = [at(all, i, 48), at(wrapped, i, size)];
        expect(toHex(unwrapKey(materialOf(row), attributes, record))).toBe(toHex(bytes(32, 200 + i)));
        const handle = vault.unwrap(kek, attributes, record);
        expect(toHex(vault.exportInsecureCleartext(handle))).toBe(toHex(bytes(32, 200 + i)));
        vault.dispose(handle);
      }
      expect(toHex(unwrapKey(materialOf(row), at(all, 0, 48), vault.wrap(kek, keys[0]!)))).toBe(
        toHex(bytes(32, 200)),
      );
      expect(vault.wrapBatch(kek, [])).toHaveLength(0);
    });

    it("opens nothing whose attributes, commitment, MAC, nonce, ciphertext or tag were changed", () => {
      const kek = kekOf(row);
      const attributes = attributesFor(row, 1);
      const wrapped = vault.generateAndWrapBatch(kek, attributes, 1);
      vault.dispose(vault.unwrap(kek, attributes, wrapped));
      for (let i = 0; i < size; i++) {
        const changed = wrapped.with(i, wrapped[i]! ^ (1 << (i & 7)));
        expect(codeOf(() => vault.unwrap(kek, attributes, changed))).toBe(FAILED);
      }
      for (let i = 0; i < 48; i++) {
        const changed = attributes.with(i, attributes[i]! ^ 1);
        expect(codeOf(() => vault.unwrap(kek, changed, wrapped))).toBe(FAILED);
      }
      for (const other of WRAPPING.filter(({ wrap }) => wrap !== row.wrap)) {
        const renamed = attributes.with(1, other.wrap);
        expect(codeOf(() => vault.unwrap(kek, renamed, wrapped))).toBe(FAILED);
        expect(codeOf(() => vault.generateAndWrapBatch(kek, renamed, 1))).toBe("CORE_HANDLE_MISUSE");
        const foreign = kekOf(other);
        const code = codeOf(() => vault.unwrap(foreign, attributes, wrapped));
        expect(code).toBe(FAILED);
      }
      expect(codeOf(() => vault.unwrap(kek, attributes, wrapped.subarray(1)))).toBe(FAILED);
      const stump = wrapped.subarray(0, row.overhead - 1);
      expect(codeOf(() => vault.unwrap(kek, attributes, stump))).toBe("CORE_INVALID_LENGTH");
    });

    it("tells which records of a batch don't open, wherever they stand", () => {
      const kek = kekOf(row);
      const count = 300;
      const all = attributesFor(row, count);
      const wrapped = vault.generateAndWrapBatch(kek, all, count);
      const broken = [0, 1, 63, 64, 65, 127, 128, 200, 299];
      broken.forEach((i, n) => (wrapped[i * size + ((n * 13) % size)]! ^= 4));
      const { failed, statuses } = vault.openCheckBatch(kek, all, wrapped, count);
      expect(failed).toBe(broken.length);
      expect([...statuses].flatMap((status, i) => (status === 0 ? [] : [i]))).toEqual(broken);
    });

    it.each(WRAPPING)("re-wraps from it to $name", (to) => {
      const [from, next] = [kekOf(row), kekOf(to, ALL_WRAP, 2)];
      const toSize = 32 + to.overhead;
      for (const count of [1, 9, 129]) {
        const all = attributesFor(row, count);
        const wrapped = vault.generateAndWrapBatch(from, all, count);
        const keys = Array.from({ length: count }, (_, i) =>
          toHex(unwrapKey(materialOf(row), at(all, i, 48), at(wrapped, i, size))),
        );
        const broken = count > 1 ? [3, count - 1] : [];
        for (const i of broken) wrapped[i * size + 40]! ^= 1;
        const moved = vault.rewrapBatch(from, next, all, wrapped, count);
        expect(moved.wrapped).toHaveLength(count * toSize);
        const newAll = attributesFor(to, count, 2);
        for (let i = 0; i < count; i++) {
          const record = at(moved.wrapped, i, toSize);
          expect(moved.statuses[i]).toBe(broken.includes(i) ? 1 : 0);
          if (broken.includes(i)) expect(record.every((byte) => byte === 0)).toBe(true);
          else expect(toHex(unwrapKey(materialOf(to), at(newAll, i, 48), record))).toBe(keys[i]);
        }
      }
      expect(vault.rewrapBatch(from, next, new Uint8Array(0), new Uint8Array(0), 0).wrapped).toHaveLength(0);
    });

    it("derives keys that come out wrapped", () => {
      const [kek, parentMaterial] = [kekOf(row), bytes(32, 77)];
      const derivable = USAGE.DERIVE | ALL_CIPHER;
      const parent = vault.import(
        template(derivable, { algorithm: ALGORITHM.HKDF_SHA256, exportable: true }),
        parentMaterial,
      );
      for (const count of [1, 129]) {
        const [all, infos] = [attributesFor(row, count), bytes(count * 10, 6)];
        const wrapped = vault.deriveBatch(parent, kek, all, infos, 10, count);
        for (let i = 0; i < count; i++) {
          const info = Uint8Array.from([...at(all, i, 48).subarray(0, 8), ...at(infos, i, 10)]);
          const expected = expand(sha256, subkey(parentMaterial, "derive"), info, 32);
          const key = unwrapKey(materialOf(row), at(all, i, 48), at(wrapped, i, size));
          expect(toHex(key)).toBe(toHex(expected));
        }
      }
    });

    it("keeps wrap and unwrap apart", () => {
      const [wrapper, unwrapper] = [kekOf(row, USAGE.WRAP), kekOf(row, USAGE.UNWRAP)];
      const attributes = attributesFor(row, 1);
      const wrapped = vault.generateAndWrapBatch(wrapper, attributes, 1);
      expect(codeOf(() => vault.unwrap(wrapper, attributes, wrapped))).toBe("CORE_HANDLE_MISUSE");
      expect(codeOf(() => vault.generateAndWrapBatch(unwrapper, attributes, 1))).toBe("CORE_HANDLE_MISUSE");
      vault.unwrap(unwrapper, attributes, wrapped);
    });
  });

  it.each(WRAPPING.filter(({ algorithm }) => algorithm !== 1))(
    "gives $name keys nothing to do but wrap",
    (row) => {
      for (const usages of [
        ALL_CIPHER,
        ALL_MAC,
        USAGE.DERIVE,
        ALL_WRAP | USAGE.DERIVE,
        USAGE.WRAP | USAGE.ENCRYPT,
      ]) {
        expect(codeOf(() => kekOf(row, usages))).toBe("CORE_HANDLE_MISUSE");
      }
      const kek = kekOf(row);
      const calls = [
        () => vault.seal(kek, bytes(0), bytes(3)),
        () => vault.open(kek, bytes(0), bytes(80)),
        () => vault.mac(kek, bytes(3)),
        () => vault.derive(kek, template(ALL_CIPHER), bytes(3)),
      ];
      for (const call of calls) expect(codeOf(call)).toBe("CORE_HANDLE_MISUSE");
    },
  );

  it("holds wrapping keys of any algorithm under one another", () => {
    for (const outer of WRAPPING) {
      for (const inner of WRAPPING) {
        const kek = kekOf(outer);
        const child = template(ALL_WRAP, { algorithm: inner.algorithm, id: bytes(16, 9), version: 4 });
        const attributes = encodeAttributes(child, KEK_ID, 1, undefined, 0, outer.wrap);
        const handle = vault.unwrap(kek, attributes, vault.generateAndWrapBatch(kek, attributes, 1));
        const below = encodeAttributes(dataTemplate(0), bytes(16, 9), 4, undefined, 0, inner.wrap);
        vault.unwrap(handle, below, vault.generateAndWrapBatch(handle, below, 1));
      }
    }
  });
});
