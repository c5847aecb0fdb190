/** Batches of many pieces, each record where it belongs; and arguments that the core would take for others. */
import { expand } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle } from "../../bindings/vault.js";
import { subkey } from "./memory/probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, at, bytes, codeOf, template, toHex } from "./support.js";

const { vault } = await loadCoreWith();
const NONE = new Uint8Array(0);
const COUNT = 9001;
/** Records in places where pieces begin and end, whatever a piece is. */
const BROKEN = [0, 1, 1527, 1528, 2568, 4000, 8999, 9000];
const KEK_ID = bytes(16, 50);
const [kek, next] = [1, 2].map((version) =>
  vault.import(template(ALL_WRAP, { id: KEK_ID, version }), bytes(32, version)),
) as [Handle, Handle];
const recorder = vault.import(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }), bytes(32, 3));
const PREFIX = bytes(64, 4);

function attributesOf(i: number, kekVersion: number, all = new Uint8Array(48), offset = 0): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, i);
  return encodeAttributes(template(ALL_CIPHER, { id, exportable: true }), KEK_ID, kekVersion, all, offset);
}
function attributesFor(count: number, kekVersion = 1): Uint8Array {
  const all = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) attributesOf(i, kekVersion, all, i * 48);
  return all;
}
const ATTRIBUTES = attributesFor(COUNT);

/** Which of `count` wrapped keys don't open, asked for a few at a time. */
function closed(by: Handle, attributes: Uint8Array, wrapped: Uint8Array): number[] {
  const found: number[] = [];
  for (let from = 0; from < COUNT; from += 500) {
    const n = Math.min(500, COUNT - from);
    const some = [
      attributes.subarray(from * 48, (from + n) * 48),
      wrapped.subarray(from * 104, (from + n) * 104),
    ];
    const { statuses } = vault.openCheckBatch(by, some[0]!, some[1]!, n);
    statuses.forEach((status, i) => status !== 0 && found.push(from + i));
  }
  return found;
}
const failing = (statuses: Uint8Array): number[] =>
  [...statuses].flatMap((status, i) => (status === 0 ? [] : [i]));

describe("a batch of many pieces", () => {
  it("of new keys is wrapped with the attributes of each", () => {
    const wrapped = vault.generateAndWrapBatch(kek, ATTRIBUTES, COUNT);
    expect(closed(kek, ATTRIBUTES, wrapped)).toEqual([]);
    expect(vault.openCheckBatch(kek, ATTRIBUTES, wrapped, COUNT).failed).toBe(0);
    for (const i of BROKEN) wrapped[i * 104 + 60]! ^= 1;
    expect(failing(vault.openCheckBatch(kek, ATTRIBUTES, wrapped, COUNT).statuses)).toEqual(BROKEN);
    const moved = vault.rewrapBatch(kek, next, ATTRIBUTES, wrapped, COUNT);
    expect(failing(moved.statuses)).toEqual(BROKEN);
    expect(closed(next, attributesFor(COUNT, 2), moved.wrapped)).toEqual(BROKEN);
  });

  it("of keys in slots is wrapped in their order", () => {
    const keys = Array.from({ length: 200 }, (_, i) =>
      vault.import(
        template(ALL_CIPHER, { id: attributesOf(i, 1).slice(8, 24), exportable: true }),
        bytes(32, 100 + i),
      ),
    );
    const wrapped = vault.wrapBatch(
      kek,
      Array.from({ length: COUNT }, (_, i) => keys[i % 200]!),
    );
    const attributes = new Uint8Array(COUNT * 48);
    for (let i = 0; i < COUNT; i++) attributesOf(i % 200, 1, attributes, i * 48);
    expect(wrapped).toHaveLength(COUNT * 104);
    expect(closed(kek, attributes, wrapped)).toEqual([]);
    for (const key of keys) vault.dispose(key);
  });

  it("of derived keys takes the info of each", () => {
    const parentKey = bytes(32, 77);
    const derivable = template(USAGE.DERIVE | ALL_CIPHER, {
      algorithm: ALGORITHM.HKDF_SHA256,
      exportable: true,
    });
    const parent = vault.import(derivable, parentKey);
    const infos = bytes(COUNT * 10, 6);
    const wrapped = vault.deriveBatch(parent, kek, ATTRIBUTES, infos, 10, COUNT);
    expect(closed(kek, ATTRIBUTES, wrapped)).toEqual([]);
    for (const i of BROKEN) {
      const key = vault.unwrap(kek, at(ATTRIBUTES, i, 48), at(wrapped, i, 104));
      const info = Uint8Array.from([...at(ATTRIBUTES, i, 48).subarray(0, 8), ...at(infos, i, 10)]);
      expect(toHex(vault.exportInsecureCleartext(key))).toBe(
        toHex(expand(sha256, subkey(parentKey, "derive"), info, 32)),
      );
      vault.dispose(key);
    }
  });

  it.each([
    [
      "of all lengths, one longer than a piece",
      Uint32Array.from({ length: 3000 }, (_, i) => (i === 2000 ? 900_000 : i)),
    ],
    ["of a byte each", new Uint32Array(130_000).fill(1)],
    ["none of which shares a piece", new Uint32Array(3).fill(500_000)],
  ])("of messages %s is MACed, sealed and checked as message by message", (_, lengths) => {
    const messages = bytes(
      lengths.reduce((sum, length) => sum + length, 0),
      9,
    );
    const macs = vault.macBatch(recorder, messages, lengths);
    const sealed = vault.recordSeal(recorder, PREFIX, messages, lengths);
    const bare = vault.recordSeal(recorder, PREFIX, messages, lengths, false);
    const step = Math.ceil(lengths.length / 60);
    for (let i = 0, from = 0; i < lengths.length; from += lengths[i++]!) {
      if (i % step !== 0 && i !== 2000 && i < lengths.length - 2) continue;
      const message = messages.subarray(from, from + lengths[i]!);
      const one = vault.recordSeal(recorder, PREFIX, message, Uint32Array.of(message.length));
      expect(toHex(at(sealed, i, 64))).toBe(toHex(one));
      expect(toHex(at(bare, i, 32))).toBe(toHex(one.subarray(0, 32)));
      expect(toHex(at(macs, i, 32))).toBe(toHex(vault.mac(recorder, message)));
    }
    expect(vault.recordCheck(recorder, PREFIX, messages, lengths, bare).failed).toBe(0);
    const broken = [0, Math.floor(lengths.length / 2), lengths.length - 1];
    for (const i of broken) bare[i * 32 + 5]! ^= 1;
    expect(failing(vault.recordCheck(recorder, PREFIX, messages, lengths, bare).statuses)).toEqual(broken);
  });

  it("of rows is sealed, checked and moved as row by row", () => {
    const rows = new Uint8Array(COUNT * 193);
    const wrapped = vault.generateAndWrapBatch(kek, ATTRIBUTES, COUNT);
    for (let i = 0; i < COUNT; i++) {
      const attributes = at(ATTRIBUTES, i, 48);
      const row = at(rows, i, 193);
      row.set([0x30, ...attributes.subarray(28), ...attributes.subarray(8, 28), 1, 0, 0, 0, 0, 0, 0, 1]);
      row.set(attributes.subarray(0, 8), 49);
      row.set(at(wrapped, i, 104), 57);
    }
    const bare = rows.slice();
    const digests = vault.recordSealRows(recorder, PREFIX, rows, 193);
    expect(vault.recordSealRows(recorder, PREFIX, bare, 193, false)).toHaveLength(0);
    expect(toHex(sha256(bare))).toBe(toHex(sha256(rows)));
    for (let i = 0; i < COUNT; i += 50) {
      const message = at(rows, i, 193).subarray(0, 161);
      const one = vault.recordSeal(recorder, PREFIX, message, Uint32Array.of(161));
      expect(toHex(at(rows, i, 193).subarray(161)) + toHex(at(digests, i, 32))).toBe(toHex(one));
    }
    expect(vault.recordCheckRows(recorder, PREFIX, rows, 193).failed).toBe(0);
    for (const i of BROKEN) rows[i * 193 + 100]! ^= 1;
    expect(failing(vault.recordCheckRows(recorder, PREFIX, rows, 193).statuses)).toEqual(BROKEN);
    const moved = vault.moveRows(recorder, kek, next, PREFIX, rows, 193);
    expect(failing(moved.statuses)).toEqual(BROKEN);
    expect(failing(vault.recordCheckRows(recorder, PREFIX, rows, 193).statuses)).toEqual(BROKEN);
    const keys = new Uint8Array(COUNT * 104);
    for (let i = 0; i < COUNT; i++) keys.set(at(rows, i, 193).subarray(57, 161), i * 104);
    expect(closed(next, attributesFor(COUNT, 2), keys)).toEqual(BROKEN);
    for (let i = 2; i < COUNT; i += 77) {
      expect(toHex(at(moved.digests, i, 32))).toBe(toHex(sha256(at(rows, i, 193).subarray(0, 161))));
    }
  });
});

describe("the vault", () => {
  it("takes an info of 1024 bytes, and no length that is none", () => {
    const parentKey = bytes(32, 78);
    const parent = vault.import(
      template(USAGE.DERIVE | ALL_CIPHER, { algorithm: ALGORITHM.HKDF_SHA256, exportable: true }),
      parentKey,
    );
    const child = template(ALL_CIPHER, { exportable: true });
    const info = bytes(1024, 8);
    const full = Uint8Array.from([...encodeAttributes(child, new Uint8Array(16), 0).subarray(0, 8), ...info]);
    const expected = toHex(expand(sha256, subkey(parentKey, "derive"), full, 32));
    expect(toHex(vault.exportInsecureCleartext(vault.derive(parent, child, info)))).toBe(expected);
    expect(codeOf(() => vault.deriveBatch(parent, kek, NONE, NONE, -1, 0))).toBe("CORE_INVALID_LENGTH");
    expect(vault.deriveBatch(parent, kek, NONE, NONE, 0, 0)).toHaveLength(0);
  });

  it("refuses numbers that 32 bits would make others of", () => {
    for (const iterations of [-1, 2 ** 32 + 1, 2 ** 32 + 2, 1 - 2 ** 32, NaN]) {
      const stretch = (): unknown =>
        vault.deriveFromPassword(template(ALL_WRAP), bytes(8), bytes(16), iterations);
      expect(codeOf(stretch)).toBe("CORE_INVALID_PARAMETER");
    }
    const rows = bytes(320);
    for (const stride of [40.5, 64.25, 37.5, 32, 16, 0, -40, -64, NaN, 2 ** 32 + 40]) {
      expect(codeOf(() => vault.recordSealRows(recorder, PREFIX, rows, stride))).toBe("CORE_INVALID_LENGTH");
      expect(codeOf(() => vault.recordCheckRows(recorder, PREFIX, rows, stride))).toBe("CORE_INVALID_LENGTH");
    }
    // 300 is 8 times 37.5.
    expect(codeOf(() => vault.recordSealRows(recorder, PREFIX, bytes(300), 37.5))).toBe(
      "CORE_INVALID_LENGTH",
    );
  });

  it("takes no signature with something behind it", () => {
    const signer = vault.generate(template(USAGE.SIGN | USAGE.VERIFY, { algorithm: ALGORITHM.ED25519 }));
    const signature = vault.sign(signer, PREFIX);
    expect(vault.verify(signer, PREFIX, signature)).toBe(true);
    for (const more of [1, 16, 64]) {
      expect(vault.verify(signer, PREFIX, Uint8Array.from([...signature, ...new Uint8Array(more)]))).toBe(
        false,
      );
    }
  });

  it("gives an X25519 stanza as a share and a body of 32 bytes each", () => {
    const identity = vault.generate(template(USAGE.AGREE, { algorithm: ALGORITHM.X25519 }));
    const fileKey = vault.generate(template(0, { algorithm: ALGORITHM.AGE_FILE_KEY }));
    const { share, body } = vault.ageX25519Wrap(vault.publicKey(identity), fileKey);
    expect([share.length, body.length]).toEqual([32, 32]);
    expect(vault.ageHeaderMac(vault.ageX25519Unwrap(identity, share, body), NONE)).toEqual(
      vault.ageHeaderMac(fileKey, NONE),
    );
  });
});
