/** Fixed examples of every stored format, read and written by the library. */
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE, type KeyTemplate } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle, Vault } from "../../bindings/vault.js";
import { decodeIntake, encodeIntake, leafInput, type IntakeBody } from "../../sdk/audit/event.js";
import { encodeMaterialAttributes, materialBody, ROOT_ID, splitMaterial } from "../../sdk/crypto/material.js";
import {
  checkRecords,
  openRecords,
  recordPrefix,
  sealRecords,
  type RecordKey,
} from "../../sdk/crypto/records.js";
import { decodeKeyRecord, encodeKeyRecord, type KeyRecord } from "../../sdk/keys/record.js";
import {
  parseManagedKeyStanza,
  unwrapManagedKeyStanza,
  wrapManagedKeyStanza,
} from "../../sdk/messages/age/stanza.js";
import { openEnvelope, parseEnvelope, sealEnvelope } from "../../sdk/messages/envelope.js";
import { idOfKey, keyspace, parseMaterialKey } from "../../sdk/storage/keyspace.js";
import { decodeSlotTable, encodeSlotTable, makeSlot, openSlot, ROOT_USAGES } from "../../sdk/unlock/slots.js";
import formats from "../vectors/formats/formats.json";
import { makeFormats } from "./make-formats.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, BUILDS, bytes, codeOf, hex, template, toHex } from "./support.js";

const { sha256 } = await loadCoreWith();

/** A vault whose every draw is the same nonce. */
async function vaultWith(simd: boolean, nonce: string): Promise<Vault> {
  const random = (view: Uint8Array): void => {
    expect(view.length % 24).toBe(0);
    for (let i = 0; i < view.length; i += 24) view.set(hex(nonce), i);
  };
  return (await loadCoreWith({ simd, random })).vault;
}

describe("the examples of formats", () => {
  it("are what the formats' page gives, computed without the library", () => {
    expect(formats).toEqual(makeFormats());
  });
});

describe.each(BUILDS)("a stored format is written and read as its example, $name build:", ({ simd }) => {
  const { attributes, wrappedKey, envelope, ageStanza } = formats;
  const dataTemplate: KeyTemplate = {
    algorithm: attributes.algorithm,
    usages: attributes.usages,
    exportable: attributes.exportable,
    id: hex(attributes.key),
    version: attributes.version,
  };

  it("attributes", () => {
    const kekId = hex(attributes.wrappingKey);
    const bytes = encodeAttributes(dataTemplate, kekId, attributes.wrappingKeyVersion);
    expect(toHex(bytes)).toBe(attributes.bytes);
    const material = encodeMaterialAttributes({
      algorithm: attributes.algorithm,
      usages: attributes.usages,
      exportable: attributes.exportable,
      key: hex(attributes.key),
      version: attributes.version,
      kek: kekId,
      kekVersion: attributes.wrappingKeyVersion,
    });
    expect(toHex(material)).toBe(attributes.bytes);
  });

  it("wrapped key", async () => {
    const vault = await vaultWith(simd, wrappedKey.nonce);
    const kek = vault.import(
      template(ALL_WRAP, { id: hex(attributes.wrappingKey), version: attributes.wrappingKeyVersion }),
      hex(wrappedKey.wrappingKey),
    );
    const key = vault.import(dataTemplate, hex(wrappedKey.material));
    expect(toHex(vault.wrap(kek, key))).toBe(wrappedKey.bytes);
    const opened = vault.unwrap(kek, hex(wrappedKey.attributes), hex(wrappedKey.bytes));
    expect(toHex(vault.exportInsecureCleartext(opened))).toBe(wrappedKey.material);
    // What the slot took from the attributes is what it is wrapped with again.
    expect(toHex(vault.wrap(kek, opened))).toBe(wrappedKey.bytes);
  });

  it.each(formats.otherWrappedKeys)("wrapped key under algorithm $wrappingAlgorithm", async (example) => {
    const random = (view: Uint8Array): void => view.set(hex(example.nonce));
    const { vault } = await loadCoreWith({ simd, random });
    const named = { id: hex(attributes.wrappingKey), version: attributes.wrappingKeyVersion };
    const kek = vault.import(
      template(ALL_WRAP, { ...named, algorithm: example.wrappingAlgorithm }),
      hex(wrappedKey.wrappingKey),
    );
    const key = vault.import(dataTemplate, hex(wrappedKey.material));
    expect(toHex(vault.wrap(kek, key))).toBe(example.bytes);
    const opened = vault.unwrap(kek, hex(example.attributes), hex(example.bytes));
    expect(toHex(vault.exportInsecureCleartext(opened))).toBe(wrappedKey.material);
    const material = encodeMaterialAttributes({
      algorithm: attributes.algorithm,
      usages: attributes.usages,
      exportable: attributes.exportable,
      key: hex(attributes.key),
      version: attributes.version,
      kek: named.id,
      kekVersion: named.version,
      kekAlgorithm: example.wrappingAlgorithm,
    });
    expect(toHex(material)).toBe(example.attributes);
  });

  it.each([
    ["materialRecord", formats.materialRecord],
    ["slotTableRecord", formats.slotTableRecord],
    ["keyRecord", formats.keyRecord],
    ["pairRecord", formats.pairRecord],
    ["event", formats.event],
    ["abandoned", formats.abandoned],
  ] as const)("record with its MAC and its digest: %s", async (_, example) => {
    const vault = await vaultWith(simd, wrappedKey.nonce);
    const handle = vault.import(template(ALL_MAC), hex(example.macKey));
    const prefix = recordPrefix(example.label as "keyloom record v1", hex(example.storeId));
    const key: RecordKey = { handle, prefix };
    const storageKey = hex(example.storageKey);
    const unsealed = { storageKey, revision: example.revision, body: hex(example.body) };
    const [sealed] = sealRecords(vault, key, [unsealed]);
    expect(toHex(sealed!.value)).toBe(example.value);
    expect(toHex(sealed!.digest)).toBe(example.digest);
    const entry = { key: storageKey, value: hex(example.value) };
    const [opened] = openRecords(vault, key, [entry]);
    expect([opened!.revision, toHex(opened!.body)]).toEqual([example.revision, example.body]);
    for (const at of [0, 7, 8, entry.value.length - 1]) {
      const changed = entry.value.slice();
      changed[at]! ^= 1;
      expect([...checkRecords(vault, key, [{ key: storageKey, value: changed }])]).toEqual([1]);
    }
    // The same bytes at another storage key are another record.
    expect([...checkRecords(vault, key, [{ key: storageKey.with(0, 9), value: entry.value }])]).toEqual([1]);
  });

  it("material, whose attributes are split between storage key and body", () => {
    const { storageKey, body } = formats.materialRecord;
    expect(toHex(materialBody(hex(attributes.bytes), hex(wrappedKey.bytes)))).toBe(body);
    const split = splitMaterial(hex(storageKey), hex(body));
    expect(toHex(split.attributes)).toBe(attributes.bytes);
    expect(toHex(split.wrapped)).toBe(wrappedKey.bytes);
    const { kek, kekVersion, key, version } = parseMaterialKey(hex(storageKey));
    expect(toHex(keyspace.material(kek, kekVersion, key, version))).toBe(storageKey);
    expect([toHex(kek), kekVersion, toHex(key), version]).toEqual([
      attributes.wrappingKey,
      attributes.wrappingKeyVersion,
      attributes.key,
      attributes.version,
    ]);
  });

  it("a slot with Argon2id, in its table", async () => {
    const { rootKey, rootVersion, memoryKiB, passes, lanes, ...example } = formats.argon2idSlot;
    const vault = await vaultWith(simd, example.nonce);
    const root = vault.import(template(ROOT_USAGES, { id: ROOT_ID, version: rootVersion }), hex(rootKey));
    const kdf = { name: "Argon2id", salt: hex(example.salt), memoryKiB, passes, lanes } as const;
    const made = await makeSlot(vault, hex(example.slot), kdf, hex(example.secret), root);
    expect(toHex(encodeSlotTable({ rootVersion, slots: [made] }))).toBe(example.table);
    const { slots } = decodeSlotTable(hex(example.table));
    expect(slots).toEqual([made]);
    const opened = (await openSlot(vault, rootVersion, slots[0]!, hex(example.secret)))!;
    expect(vault.mac(opened, hex(rootKey))).toEqual(vault.mac(root, hex(rootKey)));
    expect(await openSlot(vault, rootVersion, slots[0]!, hex(example.salt))).toBeNull();
  });

  it("envelope", async () => {
    const vault = await vaultWith(simd, envelope.nonce);
    const key = vault.import(template(ALL_CIPHER), hex(envelope.key));
    const [id, text, aad] = [hex(envelope.keyId), hex(envelope.plaintext), hex(envelope.aad)];
    expect(toHex(sealEnvelope(vault, key, id, envelope.version, text, aad))).toBe(envelope.bytes);
    const parsed = parseEnvelope(hex(envelope.bytes));
    expect([toHex(parsed.keyId), parsed.keyVersion]).toEqual([envelope.keyId, envelope.version]);
    expect(toHex(openEnvelope(vault, key, parsed, aad))).toBe(envelope.plaintext);
    const changed = parseEnvelope(hex(envelope.bytes).with(20, 8));
    expect(codeOf(() => openEnvelope(vault, key, changed, aad))).toBe("MESSAGE_AUTHENTICATION_FAILED");
  });

  it("age stanza of a managed key", async () => {
    const vault = await vaultWith(simd, ageStanza.nonce);
    const key = vault.import(template(ALL_CIPHER), hex(ageStanza.key));
    const fileKey = vault.import(template(0, { algorithm: 4 }), hex(ageStanza.fileKey));
    const stanza = wrapManagedKeyStanza(vault, key, hex(ageStanza.keyId), ageStanza.version, fileKey);
    expect(`-> ${stanza.type} ${stanza.args.join(" ")}`).toBe(ageStanza.line);
    expect(toHex(stanza.body)).toBe(ageStanza.body);
    const [type, ...args] = ageStanza.line.slice(3).split(" ") as [string, ...string[]];
    const parsed = parseManagedKeyStanza({ type, args, body: hex(ageStanza.body) });
    const opened: Handle = unwrapManagedKeyStanza(vault, key, parsed!);
    const header = new Uint8Array(9);
    expect(vault.ageHeaderMac(opened, header)).toEqual(vault.ageHeaderMac(fileKey, header));
  });

  it("key that is agreed upon, from either side", async () => {
    const { vault } = await loadCoreWith({ simd });
    const { scalars, publicKeys, info, material } = formats.agreement;
    for (const [i, scalar] of scalars.entries()) {
      const agreeing = template(USAGE.AGREE | ALL_CIPHER, { algorithm: ALGORITHM.X25519, exportable: true });
      const key = vault.import(agreeing, hex(scalar));
      expect(toHex(vault.publicKey(key))).toBe(publicKeys[i]);
      const child = vault.agree(key, hex(publicKeys[1 - i]!), dataTemplate, hex(info));
      expect(toHex(vault.exportInsecureCleartext(child))).toBe(material);
    }
  });

  it("MAC for callers", async () => {
    const { key, data, mac } = formats.mac;
    const vault = await vaultWith(simd, wrappedKey.nonce);
    const handle = vault.import(template(ALL_MAC, { algorithm: 2 }), hex(key));
    expect(toHex(vault.mac(handle, hex(data)))).toBe(mac);
    expect(vault.macVerify(handle, hex(data), hex(mac))).toBe(true);
  });
});

describe("a CBOR body is written and read as its example:", () => {
  const time = 1_790_000_000_000;
  const { storageKey, body } = formats.keyRecord;
  const id = idOfKey(hex(storageKey));
  /** A 16-byte field of the key record, by its number. */
  const field = (n: string): Uint8Array => hex(new RegExp(`${n}50(.{32})`).exec(body)![1]!);
  const [owner, wrappedBy, job] = [field("05"), field("06"), field("0b")];

  it("key record", () => {
    const record: KeyRecord = {
      id,
      name: "invoices",
      algorithm: 1,
      usages: 12,
      exportable: true,
      owner,
      wrappedBy,
      tags: ["billing", "höher"],
      audit: "counted",
      time,
      archived: time + 4,
      origin: { job, item: 70_000 },
      versions: [
        {
          version: 1,
          state: "compromised",
          dates: {
            initial: time - 9,
            activation: time - 8,
            processStart: time - 7,
            protectStop: time - 6,
            deactivation: time - 5,
            compromise: time - 4,
            occurrence: time - 8,
          },
          cause: "revoked",
          reason: "key-compromise",
          exposed: true,
          history: 4,
          replacedBy: 2,
        },
        {
          version: 2,
          state: "pre-active",
          dates: { initial: time },
          exposed: false,
          history: 1,
          replaces: 1,
        },
      ],
    };
    expect(toHex(encodeKeyRecord(record))).toBe(body);
    expect(decodeKeyRecord(id, hex(body))).toEqual(record);
  });

  it("key record of a pair whose private half is destroyed", () => {
    const record: KeyRecord = {
      id,
      algorithm: 6,
      usages: 3,
      exportable: false,
      owner,
      wrappedBy: ROOT_ID,
      tags: [],
      audit: "none",
      time,
      versions: [
        {
          version: 1,
          state: "destroyed",
          dates: { initial: time - 3, activation: time - 3, deactivation: time - 2, destroy: time - 1 },
          cause: "command",
          exposed: false,
          history: 3,
          endedByCommand: true,
          publicKey: nacl.sign.keyPair.fromSeed(bytes(32, 18)).publicKey,
        },
      ],
    };
    expect(toHex(encodeKeyRecord(record))).toBe(formats.pairRecord.body);
    expect(decodeKeyRecord(id, hex(formats.pairRecord.body))).toEqual(record);
    // The public half has 32 bytes, and no others.
    const short = formats.pairRecord.body.replace("5820", "581f").slice(0, -2);
    expect(codeOf(() => decodeKeyRecord(id, hex(short)))).toBe("CBOR_INVALID");
  });

  const { event, abandoned } = formats;
  const intake = (example: { body: string }): IntakeBody => decodeIntake(hex(example.body));

  it("event", () => {
    const decoded = intake(event);
    if (decoded.kind !== "event") throw new Error("not an event");
    expect({ ...decoded, previous: 0, entity: 0, records: 0, bulk: 0, job: 0 }).toEqual({
      kind: "event",
      previous: 0,
      time,
      operation: "rotate",
      entity: 0,
      authenticated: "unlock",
      policy: "owner-may-all",
      policyVersion: 1,
      decision: "allow",
      reasons: ["owner"],
      subjects: [
        { key: id, version: 1, before: "active", after: "deactivated" },
        { key: id, version: 2, before: undefined, after: "active" },
      ],
      records: 0,
      bulk: 0,
      job: 0,
    });
    expect(toHex(decoded.records[0]!.storageKey)).toBe(storageKey);
    expect(decoded.records[0]!.digest).toHaveLength(32);
    expect(toHex(decoded.bulk!)).toMatch(new RegExp(`^${toHex(id)}00000002.{64}$`));
    expect(toHex(encodeIntake(decoded))).toBe(event.body);
    expect(toHex(sha256(leafInput(hex(event.body))))).toBe(event.link);
  });

  it("abandoned entry", () => {
    const decoded = intake(abandoned);
    expect(decoded).toMatchObject({ kind: "abandoned", time });
    expect(toHex(encodeIntake(decoded))).toBe(abandoned.body);
    expect(toHex(sha256(leafInput(hex(abandoned.body))))).toBe(abandoned.link);
  });

  it("in one way only: a longer encoding of the same data is refused", () => {
    // The first field's key, 01, written with an extra byte.
    const longer = body.replace(/^(..)01/, "$11801");
    expect(longer).not.toBe(body);
    expect(codeOf(() => decodeKeyRecord(id, hex(longer)))).toBe("CBOR_INVALID");
    expect(codeOf(() => decodeKeyRecord(id, hex(`${body}00`)))).toBe("CBOR_INVALID");
  });
});
