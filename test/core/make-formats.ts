/**
 * The examples of docs/FORMATS.md, computed from that page alone: noble, and forty lines of CBOR. Nothing here comes from
 * the library. `test/vectors/formats/formats.json` is what `makeFormats` returns.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { argon2id } from "@noble/hashes/argon2.js";
import { expand, hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import nacl from "tweetnacl";
import { bytes, toHex } from "./support.js";
import { wrapKey } from "./wrapped-key.js";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An unsigned number of `length` bytes, big-endian. */
function number(value: number, length: number): number[] {
  return Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) % 256);
}

type Cbor = number | boolean | string | Uint8Array | readonly Cbor[] | { readonly [field: number]: Cbor };

function head(major: number, value: number): number[] {
  const type = major << 5;
  if (value < 24) return [type | value];
  if (value < 0x100) return [type | 24, value];
  if (value < 0x1_0000) return [type | 25, ...number(value, 2)];
  if (value < 0x1_0000_0000) return [type | 26, ...number(value, 4)];
  return [type | 27, ...number(value, 8)];
}

/** Deterministic CBOR (RFC 8949 §4.2) of what the formats use. Maps have unsigned keys, which JavaScript sorts. */
function cbor(value: Cbor): Uint8Array {
  if (typeof value === "number") return Uint8Array.from(head(0, value));
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xf5 : 0xf4);
  if (typeof value === "string") return concat(head(3, utf8(value).length), utf8(value));
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(cbor));
  const fields = Object.entries(value as Record<string, Cbor>);
  return concat(
    head(5, fields.length),
    ...fields.flatMap(([key, field]) => [head(0, Number(key)), cbor(field)]),
  );
}

function subkey(material: Uint8Array, label: string): Uint8Array {
  return hkdf(sha256, material, new Uint8Array(0), utf8(`keyloom/v1/${label}`), 32);
}

/** commitment ‖ nonce ‖ ciphertext ‖ tag */
function seal(
  material: Uint8Array,
  use: string,
  nonce: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const sealed = xchacha20poly1305(subkey(material, `${use}/enc`), nonce, aad).encrypt(text);
  return concat(subkey(material, `${use}/commit`), nonce, sealed);
}

/** A record's value, and its digest. */
function record(
  macKey: Uint8Array,
  label: string,
  storeId: Uint8Array,
  key: Uint8Array,
  revision: number,
  body: Uint8Array,
) {
  const message = concat(key, [1], number(revision, 7), body);
  const prefix = concat(utf8(label), new Uint8Array(48 - label.length), storeId);
  const mac = hmac(sha256, subkey(macKey, "record-mac"), concat(prefix, message));
  return {
    label,
    macKey: toHex(macKey),
    storeId: toHex(storeId),
    storageKey: toHex(key),
    revision,
    body: toHex(body),
    value: toHex(concat(message.subarray(key.length), mac)),
    digest: toHex(sha256(message)),
  };
}

/** The key that two holders of X25519 keys agree upon. `child`: its attribute bytes 0 to 7. */
function agreement(mine: Uint8Array, theirs: Uint8Array, child: Uint8Array, info: Uint8Array) {
  const publicKeys = [mine, theirs].map((scalar) => toHex(nacl.scalarMult.base(scalar)));
  const salt = Uint8Array.from([...publicKeys].sort().join("").match(/../g)!, (two) => parseInt(two, 16));
  const shared = nacl.scalarMult(mine, nacl.scalarMult.base(theirs));
  const prk = hkdf(sha256, shared, salt, utf8("keyloom/v1/agree"), 32);
  return {
    scalars: [toHex(mine), toHex(theirs)],
    publicKeys,
    child: toHex(child),
    info: toHex(info),
    material: toHex(expand(sha256, prk, concat(child, info), 32)),
  };
}

/** The examples. Every byte in them depends on constants of this file alone. */
export function makeFormats() {
  const nonce = bytes(24, 1);
  const storeId = bytes(16, 2);
  const [keyId, kekId, ownerId, jobId, writerId] = [3, 4, 5, 6, 7].map((seed) => bytes(16, seed)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const [key, kek, macKey] = [8, 9, 10].map((seed) => bytes(32, seed)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const rootKey = bytes(32, 11);
  const fileKey = bytes(16, 12);
  const time = 1_790_000_000_000;

  const attributes = concat([1, 1, 1, 1], number(12, 4), keyId, number(7, 4), kekId, number(3, 4));
  const wrapped = seal(kek, "wrap", nonce, attributes, key);

  const slotId = bytes(16, 16);
  const [secret, salt] = [utf8("correct horse"), bytes(32, 17)];
  const argon2 = { m: 19_456, t: 2, p: 2 };
  const rootId = concat(utf8("keyloom-root"), new Uint8Array(4));
  // Wrap, unwrap, MAC-generate, MAC-verify; version 1 under the slot's version 1.
  const rootAttributes = concat([1, 1, 1, 0], number(432, 4), rootId, number(1, 4), slotId, number(1, 4));
  const slotKey = argon2id(secret, salt, { ...argon2, dkLen: 32 });
  const slotTable = cbor({
    1: 1,
    2: [
      {
        1: slotId,
        2: 2,
        3: salt,
        4: argon2.t,
        5: seal(slotKey, "wrap", nonce, rootAttributes, rootKey),
        6: argon2.m,
        7: argon2.p,
      },
    ],
  });

  const header = concat([1], keyId, number(7, 4));
  const [aad, plaintext] = [utf8("invoice 42"), utf8("forty-two euros")];
  const stanza = `-> keyloom.dev/managed-key ${uuid(keyId)} 7`;

  const keyRecord = cbor({
    1: "invoices",
    2: 1,
    3: 12,
    4: true,
    5: ownerId,
    6: kekId,
    7: ["billing", "höher"],
    8: 1,
    9: time,
    10: time + 4,
    11: jobId,
    12: Uint8Array.from(number(70_000, 4)),
    13: [
      {
        1: 1,
        2: 5,
        3: time - 9,
        4: time - 8,
        5: time - 7,
        6: time - 6,
        7: time - 5,
        8: time - 4,
        9: time - 8,
        11: 3,
        12: 2,
        13: true,
        14: 4,
        16: 2,
      },
      { 1: 2, 2: 1, 3: time, 14: 1, 15: 1 },
    ],
  });

  const pairRecord = cbor({
    2: 6,
    3: 3,
    4: false,
    5: ownerId,
    6: concat(utf8("keyloom-root"), new Uint8Array(4)),
    8: 0,
    9: time,
    13: [
      {
        1: 1,
        2: 6,
        3: time - 3,
        4: time - 3,
        7: time - 2,
        10: time - 1,
        11: 1,
        14: 3,
        18: true,
        // The public key of RFC 8032's secret key `bytes(32, 18)`.
        21: nacl.sign.keyPair.fromSeed(bytes(32, 18)).publicKey,
      },
    ],
  });

  const event = cbor({
    1: 1,
    2: bytes(32, 13),
    3: time,
    4: "rotate",
    5: ownerId,
    6: "unlock",
    7: "owner-may-all",
    8: 1,
    9: true,
    10: ["owner"],
    11: [
      { 1: keyId, 2: 1, 3: "active", 4: "deactivated" },
      { 1: keyId, 2: 2, 4: "active" },
    ],
    12: [concat([0x20], keyId, bytes(32, 14))],
    13: concat(keyId, number(2, 4), bytes(32, 15)),
    14: jobId,
  });
  const abandoned = cbor({ 1: 2, 2: bytes(32, 13), 3: time });
  const link = (body: Uint8Array): string => toHex(sha256(concat([0], body)));

  return {
    attributes: {
      algorithm: 1,
      exportable: true,
      usages: 12,
      key: toHex(keyId),
      version: 7,
      wrappingKey: toHex(kekId),
      wrappingKeyVersion: 3,
      bytes: toHex(attributes),
    },
    wrappedKey: {
      wrappingKey: toHex(kek),
      attributes: toHex(attributes),
      nonce: toHex(nonce),
      material: toHex(key),
      bytes: toHex(wrapped),
    },
    /** The same key under wrapping keys of other algorithms. */
    otherWrappedKeys: [
      { algorithm: 8, wrap: 2, nonce: new Uint8Array(0) },
      { algorithm: 9, wrap: 3, nonce: new Uint8Array(0) },
      { algorithm: 10, wrap: 4, nonce: nonce.subarray(0, 12) },
    ].map(({ algorithm, wrap, nonce: own }) => ({
      wrappingAlgorithm: algorithm,
      attributes: toHex(attributes.with(1, wrap)),
      nonce: toHex(own),
      bytes: toHex(wrapKey(kek, attributes.with(1, wrap), own, key)),
    })),
    materialRecord: record(
      macKey,
      "keyloom record v1",
      storeId,
      concat([0x30], kekId, number(3, 4), keyId, number(7, 4)),
      2 ** 40 + 5,
      concat(attributes.subarray(0, 8), wrapped),
    ),
    slotTableRecord: record(
      rootKey,
      "keyloom slot table v1",
      storeId,
      Uint8Array.of(2),
      1,
      cbor({ 1: 1, 2: [] }),
    ),
    argon2idSlot: {
      rootKey: toHex(rootKey),
      rootVersion: 1,
      slot: toHex(slotId),
      secret: toHex(secret),
      salt: toHex(salt),
      memoryKiB: argon2.m,
      passes: argon2.t,
      lanes: argon2.p,
      nonce: toHex(nonce),
      table: toHex(slotTable),
    },
    envelope: {
      key: toHex(key),
      keyId: toHex(keyId),
      version: 7,
      aad: toHex(aad),
      plaintext: toHex(plaintext),
      nonce: toHex(nonce),
      bytes: toHex(concat(header, seal(key, "message", nonce, concat(header, aad), plaintext))),
    },
    ageStanza: {
      key: toHex(key),
      keyId: toHex(keyId),
      version: 7,
      fileKey: toHex(fileKey),
      nonce: toHex(nonce),
      line: stanza,
      body: toHex(seal(key, "age", nonce, utf8(stanza), fileKey)),
    },
    mac: {
      key: toHex(macKey),
      data: toHex(plaintext),
      mac: toHex(hmac(sha256, subkey(macKey, "mac"), plaintext)),
    },
    agreement: agreement(bytes(32, 18), bytes(32, 19), concat([1, 1, 1, 1], number(12, 4)), plaintext),
    keyRecord: record(macKey, "keyloom record v1", storeId, concat([0x20], keyId), 3, keyRecord),
    pairRecord: record(macKey, "keyloom record v1", storeId, concat([0x20], keyId), 3, pairRecord),
    event: {
      ...record(macKey, "keyloom record v1", storeId, concat([0x42], writerId, number(9, 8)), 1, event),
      link: link(event),
    },
    abandoned: {
      ...record(macKey, "keyloom record v1", storeId, concat([0x42], writerId, number(10, 8)), 1, abandoned),
      link: link(abandoned),
    },
  };
}

function uuid(id: Uint8Array): string {
  return toHex(id).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
