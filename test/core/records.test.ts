/** Records at their bounds, many at once, in rows, and wrapped material among them. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ALGORITHM } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import {
  encodeMaterialAttributes,
  materialBody,
  moveMaterial,
  splitMaterial,
} from "../../sdk/crypto/material.js";
import {
  checkRecords,
  openRecords,
  parseRecord,
  recordPrefix,
  sealRecords,
  type RecordKey,
  type UnsealedRecord,
} from "../../sdk/crypto/records.js";
import { rowKey, rowsOfEntries, rowValue, sealUniform, uniformRows } from "../../sdk/crypto/uniform.js";
import { KeyloomError } from "../../sdk/foundation/errors.js";
import { keyspace } from "../../sdk/storage/keyspace.js";
import { subkey } from "./memory/probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, bytes, codeOf, template, toHex } from "./support.js";

const { vault } = await loadCoreWith();
const MATERIAL = bytes(32, 1);
const STORE_ID = bytes(16, 2);
const KEY: RecordKey = {
  handle: vault.import(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }), MATERIAL),
  prefix: recordPrefix("keyloom record v1", STORE_ID),
};

const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Format 1 and the revision, as docs/FORMATS.md writes them. */
function head(revision: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, (1n << 56n) | BigInt(revision));
  return out;
}

/** A record's value and digest, computed without the library. */
function sealedByHand({ storageKey, revision, body }: UnsealedRecord): { value: string; digest: string } {
  const message = concat(storageKey, head(revision), body);
  const label = new TextEncoder().encode("keyloom record v1");
  const prefix = concat(label, new Uint8Array(48 - label.length), STORE_ID);
  const mac = hmac(sha256, subkey(MATERIAL, "record-mac"), concat(prefix, message));
  return { value: toHex(concat(head(revision), body, mac)), digest: toHex(sha256(message)) };
}

/** The error of a call that must throw one of the library's. */
function errorOf(run: () => unknown): KeyloomError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(KeyloomError);
    return error as KeyloomError;
  }
  throw new Error("nothing was thrown");
}

const RECORDS: UnsealedRecord[] = [1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 7].map((revision, i) => ({
  storageKey: bytes(1 + 20 * i, 10 + i),
  revision,
  body: bytes([0, 1, 300, 64, 9][i]!, 20 + i),
}));
const entriesOf = (records: readonly UnsealedRecord[]): { key: Uint8Array; value: Uint8Array }[] =>
  sealRecords(vault, KEY, records).map(({ storageKey: key, value }) => ({ key, value: value.slice() }));

describe("records", () => {
  it("of any lengths and revisions are sealed together as each alone, with and without digests", () => {
    const expected = RECORDS.map(sealedByHand);
    for (const digests of [true, false]) {
      const sealed = sealRecords(vault, KEY, RECORDS, digests);
      expect(sealed.map(({ value }) => toHex(value))).toEqual(expected.map(({ value }) => value));
      expect(sealed.map(({ storageKey }) => storageKey)).toEqual(RECORDS.map(({ storageKey }) => storageKey));
      expect(sealed.map(({ digest }) => toHex(digest))).toEqual(
        expected.map(({ digest }) => (digests ? digest : "")),
      );
    }
    expect(openRecords(vault, KEY, entriesOf(RECORDS))).toEqual(
      RECORDS.map(({ revision, body }) => ({ revision, body })),
    );
    expect(sealRecords(vault, KEY, [])).toEqual([]);
    expect(openRecords(vault, KEY, [])).toEqual([]);
  });

  it("have at most 64 KiB, head and MAC counted", () => {
    const record = (length: number): UnsealedRecord => ({ ...RECORDS[0]!, body: new Uint8Array(length) });
    expect(entriesOf([record(65_496)])[0]!.value).toHaveLength(65_536);
    expect(codeOf(() => entriesOf([RECORDS[0]!, record(65_497)]))).toBe("KEY_INVALID_OPTION");
  });

  it("that are not authentic are told apart, and the first of them is named", () => {
    const entries = entriesOf(RECORDS);
    for (const [i, entry] of entries.entries()) {
      for (const at of [7, entry.value.length - 32, entry.value.length - 1]) {
        const changed = { ...entry, value: entry.value.slice() };
        changed.value[at]! ^= 1;
        const all = entries.with(i, changed);
        expect([...checkRecords(vault, KEY, all)]).toEqual(entries.map((_, j) => (i === j ? 1 : 0)));
        const { code, details } = errorOf(() => openRecords(vault, KEY, all));
        expect([code, details["storageKey"]]).toEqual(["STORE_DAMAGED", entry.key]);
      }
    }
  });

  it("shorter than a head and a MAC, of another format, or beyond the last revision are refused before their MAC", () => {
    const value = entriesOf(RECORDS)[0]!.value;
    expect(value).toHaveLength(40);
    expect(parseRecord(value)).toEqual({ revision: 1, body: new Uint8Array(0) });
    for (const length of [0, 8, 39]) {
      const short = value.subarray(0, length);
      expect(codeOf(() => parseRecord(short))).toBe("STORE_DAMAGED");
      expect(codeOf(() => checkRecords(vault, KEY, [{ key: bytes(3), value: short }]))).toBe("STORE_DAMAGED");
    }
    for (const format of [2, 3, 128, 255]) {
      const { code, details } = errorOf(() => parseRecord(value.with(0, format)));
      expect([code, details["format"]]).toEqual(["STORE_NEWER_FORMAT", format]);
    }
    expect(codeOf(() => parseRecord(value.with(0, 0)))).toBe("STORE_DAMAGED");
    expect(parseRecord(concat(head(2 ** 53 - 1), value.subarray(8))).revision).toBe(2 ** 53 - 1);
    for (const high of [0x20, 0x40, 0x80, 0xff]) {
      expect(codeOf(() => parseRecord(value.with(1, high)))).toBe("STORE_DAMAGED");
    }
  });
});

describe("rows", () => {
  const { storageKey, body } = RECORDS[2]!;

  it.each([0, 1, 2, 3, 7, 8])("of %i records are sealed as those, each by itself", (count) => {
    const patched = Array.from({ length: count }, (_, i) => ({
      storageKey: storageKey.with(3, i),
      revision: 2 ** 32 + 5,
      body: body.with(0, i),
    }));
    for (const digests of [true, false]) {
      const rows = uniformRows(storageKey, 2 ** 32 + 5, body, count);
      for (let i = 0; i < count; i++) {
        expect(rowKey(rows, i)).toEqual(storageKey);
        expect(rowValue(rows, i)).toEqual(concat(head(2 ** 32 + 5), body, new Uint8Array(32)));
        rows.buffer[i * rows.stride + 3] = i;
        rows.buffer[i * rows.stride + rows.bodyAt] = i;
      }
      const found = sealUniform(vault, KEY, rows, digests);
      const expected = patched.map(sealedByHand);
      expect(patched.map((_, i) => toHex(rowValue(rows, i)))).toEqual(expected.map(({ value }) => value));
      expect(toHex(found)).toBe(digests ? expected.map(({ digest }) => digest).join("") : "");
      if (count === 0) continue;
      const again = rowsOfEntries(
        patched.map((_, i) => ({ key: rowKey(rows, i), value: rowValue(rows, i).slice() })),
      );
      expect(again).toEqual(rows);
    }
  });
});

describe("wrapped material", () => {
  const KEK = bytes(16, 30);
  const keks = [1, 2].map((version) =>
    vault.import(template(ALL_WRAP, { id: KEK, version }), bytes(32, version)),
  );
  const pathOf = (i: number, version = 1): Uint8Array =>
    keyspace.material(KEK, version, bytes(16, 40 + i), i);
  const attributesOf = (i: number, kekVersion = 1): Uint8Array =>
    encodeMaterialAttributes({
      algorithm: ALGORITHM.XCHACHA20_POLY1305,
      usages: ALL_CIPHER,
      exportable: false,
      key: bytes(16, 40 + i),
      version: i,
      kek: KEK,
      kekVersion,
    });
  const COUNT = 5;
  const records = Array.from({ length: COUNT }, (_, i) => ({
    storageKey: pathOf(i),
    revision: i + 1,
    body: materialBody(attributesOf(i), vault.generateAndWrapBatch(keks[0]!, attributesOf(i), 1)),
  }));

  it("is of format 1 and holds a key, if of 16 bytes", () => {
    const body = materialBody(attributesOf(0), bytes(88));
    expect(splitMaterial(pathOf(0), body)).toEqual({ attributes: attributesOf(0), wrapped: bytes(88) });
    expect(codeOf(() => splitMaterial(pathOf(0), body.subarray(0, 95)))).toBe("STORE_DAMAGED");
    for (const format of [0, 2]) {
      expect(codeOf(() => splitMaterial(pathOf(0), body.with(0, format)))).toBe("STORE_DAMAGED");
    }
  });

  it("moves to its next path and revision, sealed, and opens there", () => {
    const { rows, digests } = moveMaterial(vault, KEY, keks[0]!, keks[1]!, entriesOf(records));
    const moved = Array.from({ length: COUNT }, (_, i) => ({
      key: rowKey(rows, i),
      value: rowValue(rows, i),
    }));
    for (const [i, { revision, body }] of openRecords(vault, KEY, moved).entries()) {
      expect(revision).toBe(i + 2);
      expect(moved[i]!.key).toEqual(pathOf(i, 2));
      const { attributes, wrapped } = splitMaterial(moved[i]!.key, body);
      expect(attributes).toEqual(attributesOf(i, 2));
      expect(vault.openCheckBatch(keks[1]!, attributes, wrapped, 1).failed).toBe(0);
      const { digest } = sealedByHand({ storageKey: moved[i]!.key, revision, body });
      expect(toHex(digests.subarray(i * 32, i * 32 + 32))).toBe(digest);
    }
  });

  it("does not move where a MAC is wrong or a key does not open, and the first such record is named", () => {
    const move = (entries: { key: Uint8Array; value: Uint8Array }[]): unknown[] => {
      const { code, details } = errorOf(() => moveMaterial(vault, KEY, keks[0]!, keks[1]!, entries));
      return [code, details["storageKey"]];
    };
    for (const first of [0, 2, COUNT - 1]) {
      const forged = entriesOf(records);
      forged[first]!.value[20]! ^= 1;
      forged[COUNT - 1]!.value[20]! ^= 2;
      expect(move(forged)).toEqual(["STORE_DAMAGED", pathOf(first)]);
      const broken = records.with(first, { ...records[first]!, body: records[first]!.body.with(60, 1) });
      expect(move(entriesOf(broken))).toEqual(["STORE_DAMAGED", pathOf(first)]);
    }
  });

  it.each([0, 33])("of a key of %i bytes, which no algorithm has, does not move", (length) => {
    const body = materialBody(attributesOf(0), bytes(72 + length));
    const { code, details } = errorOf(() =>
      moveMaterial(vault, KEY, keks[0]!, keks[1]!, entriesOf([{ ...records[0]!, body }])),
    );
    expect([code, details["storageKey"]]).toEqual(["STORE_DAMAGED", pathOf(0)]);
  });
});
