/** Every record of a store against every byte of it, and against every other place it could be put. */
import { beforeAll, describe, expect, it } from "vitest";
import { KeyManager, passphrase, POLICY_TEMPLATES, type KeyloomError } from "../../sdk/index.js";
import { loadCoreWith, type Vault } from "../../sdk/crypto/core.js";
import { openRecords, recordPrefix, type RecordKey, type Records } from "../../sdk/crypto/records.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import { idGenerator, parseId } from "../../sdk/foundation/ids.js";
import { hostRandom } from "../../sdk/foundation/random.js";
import type { Mutation } from "../../sdk/storage/adapter.js";
import { keyspace, PREFIX, ranges, RECORD_PREFIXES } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { virtualClock } from "../../sdk/testing/clock.js";
import { openStore } from "../../sdk/unlock/open-store.js";
import { rawKey } from "../../sdk/unlock/methods.js";
import { AEAD, codeOf, KEK, leaveShared, openMemory, SHARED, SECRET, text } from "../flows/support.js";

interface Stored {
  kind: string;
  key: Uint8Array;
  value: Uint8Array;
}

const JOB = "01890000-0000-7000-8000-000000000001";
const MOVE_JOB = "01890000-0000-7000-8000-000000000002";
const SHARED_JOB = "01990000-0000-7000-8000-0000000000cc";
const space = new MemorySpace();
const stored: Stored[] = [];
let sealed: Uint8Array;
let records: Records;
/** Opens any record as the store would: the slot table under the root key, all others under the MAC key. */
let open: (record: Stored) => unknown;
let openAsAnotherStore: (record: Stored) => unknown;

async function openRaw(over: MemorySpace): Promise<{ records: Records; rootKey: RecordKey; vault: Vault }> {
  const core = await loadCoreWith({ random: hostRandom });
  const clock = virtualClock();
  const opened = await openStore({
    storage: memoryStorage({ space: over }),
    core,
    clock,
    random: hostRandom,
    newId: idGenerator(hostRandom, () => clock.now()),
    unlock: rawKey(SECRET.slice()),
    create: false,
  });
  const rootKey = {
    handle: opened.root.handle,
    prefix: recordPrefix("keyloom slot table v1", opened.storeId),
  };
  return { records: opened.records, rootKey, vault: core.vault };
}

beforeAll(async () => {
  const { keys } = await openMemory({ space });
  await keys.create({ name: "kek", ...KEK });
  await keys.create({ name: "k", algorithm: AEAD, under: "kek", tags: ["t"], limits: { operations: 1e6 } });
  await keys.createMany(2, { algorithm: AEAD, under: "kek", job: JOB });
  sealed = await keys.encrypt("k", text("message"));
  await keys.rotate("k");
  await keys.create({ name: "moved-kek", ...KEK });
  await keys.create({ name: "moved", algorithm: AEAD, under: "moved-kek" });
  await keys.rotate("moved-kek");
  await keys.rewrap("moved-kek", { job: MOVE_JOB });
  await keys.deactivate("moved-kek", { version: 1 });
  await keys.destroy("moved-kek", { version: 1 });
  await keys.setPolicy(POLICY_TEMPLATES.roles);
  await keys.propose({ operation: "recover", key: "k" });
  await keys.close();
  await leaveShared(space, SHARED_JOB);
  const second = await openMemory({ space });
  await second.keys.checkpointAudit();
  await second.keys.create({ name: "k2", algorithm: AEAD });
  await second.keys.close();

  for await (const { key, value } of memoryStorage({ space }).list(ranges.everything())) {
    const kind = RECORD_PREFIXES.find((name) => PREFIX[name] === key[0]);
    if (kind !== undefined) stored.push({ kind, key: key.slice(), value: value.slice() });
  }
  const raw = await openRaw(space);
  records = raw.records;
  const under = (key: RecordKey, record: Stored): unknown => openRecords(raw.vault, key, [record]);
  open = (record) => under(record.kind === "unlockSlots" ? raw.rootKey : records.key, record);
  const prefix = (key: RecordKey): RecordKey => {
    const other = key.prefix.slice();
    other[63]! ^= 1;
    return { ...key, prefix: other };
  };
  openAsAnotherStore = (record) =>
    under(prefix(record.kind === "unlockSlots" ? raw.rootKey : records.key), record);
});

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return isKeyloomError(error) ? error.code : String(error);
  }
  return "opened";
}

describe("a record", () => {
  it("of every kind is there, and opens as long as nobody touches it", () => {
    const kinds = new Set(stored.map(({ kind }) => kind));
    for (const kind of RECORD_PREFIXES) if (kind !== "restoring") expect(kinds).toContain(kind);
    for (const record of stored) expect(refusal(() => open(record))).toBe("opened");
  });

  it("does not open with any one byte changed", () => {
    for (const record of stored) {
      for (let at = 0; at < record.value.length; at++) {
        const value = record.value.slice();
        value[at]! ^= 1 << (at % 8);
        const code = refusal(() => open({ ...record, value }));
        // The format is looked at before the MAC.
        const newer = at === 0 && value[0]! > 1;
        expect(code, `${record.kind} at ${at}`).toBe(newer ? "STORE_NEWER_FORMAT" : "STORE_DAMAGED");
      }
    }
  });

  it("does not open cut short or made longer, wherever", () => {
    for (const record of stored) {
      for (let length = 0; length < record.value.length; length++) {
        const value = record.value.subarray(0, length);
        expect(refusal(() => open({ ...record, value }))).toBe("STORE_DAMAGED");
      }
      const longer = new Uint8Array(record.value.length + 1);
      longer.set(record.value);
      expect(refusal(() => open({ ...record, value: longer }))).toBe("STORE_DAMAGED");
    }
  });

  it("does not open in the place of any other", () => {
    for (const record of stored) {
      for (const other of stored) {
        if (record === other || record.kind === "unlockSlots") continue;
        expect(refusal(() => open({ ...record, key: other.key }))).toBe("STORE_DAMAGED");
      }
    }
  });

  it("does not open in another store, although the key is the same", () => {
    for (const record of stored) expect(refusal(() => openAsAnotherStore(record))).toBe("STORE_DAMAGED");
  });
});

/** Puts other bytes at a storage key for as long as `run` takes. `null` deletes. */
async function edited<T>(key: Uint8Array, value: Uint8Array | null, run: () => Promise<T>): Promise<T> {
  const storage = memoryStorage({ space });
  const put = async (bytes: Uint8Array | null): Promise<void> => {
    const mutation: Mutation = bytes === null ? { kind: "delete", key } : { kind: "put", key, value: bytes };
    await storage.commit({ id: new Uint8Array(16), checks: [], mutations: [mutation] });
  };
  const original = (await storage.get(key))!.value.slice();
  await put(value);
  try {
    return await run();
  } finally {
    await put(original);
  }
}

/** What a manager leaves in it is gone with it. */
async function copyOfStore(): Promise<MemorySpace> {
  const copy = new MemorySpace();
  const mutations: Mutation[] = [];
  for await (const { key, value } of memoryStorage({ space }).list(ranges.everything())) {
    mutations.push({ kind: "put", key, value });
  }
  await memoryStorage({ space: copy }).commit({ id: new Uint8Array(16), checks: [], mutations });
  return copy;
}

/** For each kind: something that reads its records. */
const READERS: Readonly<Record<string, (keys: KeyManager) => PromiseLike<unknown>>> = {
  key: (keys) => keys.list(),
  material: async (keys) => {
    const opened = await keys.decrypt(sealed);
    if (String(opened) !== String(text("message"))) throw new Error("a wrong answer");
    await keys.encrypt("k", text("x"));
    await keys.encrypt("k2", text("x"));
    for (const name of ["moved", ...SHARED]) await keys.encrypt(name, text("x"));
    await keys.sign("keyloom/audit-checkpoint", text("x"));
    for (const { id, origin } of (await keys.list()).keys)
      if (origin !== undefined) await keys.encrypt(id, text("x"));
  },
  auditWriters: walk,
  auditHead: walk,
  auditIntake: walk,
  auditLog: walk,
  auditTile: walk,
  auditBundle: walk,
  auditMoved: walk,
  auditCheckpoint: (keys) => keys.verifyAudit(),
  usage: (keys) => keys.usage("k", 1),
  job: async (keys) => {
    await keys.createMany(2, { algorithm: AEAD, under: "kek", job: JOB });
    await keys.rewrap("moved-kek", { job: MOVE_JOB });
    await keys.rewrap("shared-kek", { job: SHARED_JOB });
  },
  leaseRange: (keys) => keys.rewrap("shared-kek", { job: SHARED_JOB }),
};

async function walk(keys: KeyManager): Promise<void> {
  for await (const entry of keys.audit()) if (entry.sequence === 0) throw new Error("a wrong answer");
}

/** Positions in a value: all of the head, some of the body, some of the MAC. */
function positions(length: number): number[] {
  const some = Array.from({ length: 8 }, (_, i) => Math.floor(((i + 1) * length) / 9));
  return [...new Set([0, 7, 8, ...some, length - 1])];
}

describe("a manager", () => {
  it.each(["header", "unlockSlots", "mark", "epoch"])("opens no store with a changed %s", async (kind) => {
    const { key, value } = stored.find((record) => record.kind === kind)!;
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice();
      changed[at]! ^= 1 << (at % 8);
      const code = await edited(key, changed, () => codeOf(openMemory({ space })));
      expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT", "UNLOCK_FAILED"], `at ${at}`).toContain(code);
    }
    expect(await edited(key, null, () => codeOf(openMemory({ space })))).toBe("STORE_DAMAGED");
  });

  it.each(["header", "unlockSlots"])(
    "says that a %s is damaged, and what it could not decode",
    async (kind) => {
      const { key, value } = stored.find((record) => record.kind === kind)!;
      const causes = new Set<string | undefined>();
      for (let at = 0; at < value.length; at++) {
        for (const flip of [0x80, 0xff]) {
          const changed = value.slice();
          changed[at]! ^= flip;
          const error = await edited(key, changed, () =>
            openMemory({ space }).then(null, (thrown) => thrown),
          );
          expect(isKeyloomError(error), `at ${at}`).toBe(true);
          const { code, cause } = error as KeyloomError;
          expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT", "UNLOCK_FAILED"], `at ${at}`).toContain(code);
          if (code === "STORE_DAMAGED") causes.add((cause as KeyloomError | undefined)?.code);
        }
      }
      expect(causes).toEqual(new Set([undefined, "CBOR_INVALID"]));
    },
  );

  it("says the same of a slot for a passphrase, before it derives anything from one", async () => {
    const other = new MemorySpace();
    const storage = memoryStorage({ space: other });
    const made = await KeyManager.open({
      storage,
      unlock: passphrase("pass", { kdf: "PBKDF2-HMAC-SHA256" }),
    });
    await made.close();
    const key = keyspace.unlockSlots();
    const value = (await memoryStorage({ space: other }).get(key))!.value.slice();
    const codes = new Set<string>();
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice();
      changed[at]! ^= 1 << (at % 8);
      const mutations: Mutation[] = [{ kind: "put", key, value: changed }];
      await memoryStorage({ space: other }).commit({ id: new Uint8Array(16), checks: [], mutations });
      codes.add(await codeOf(openMemory({ space: other })));
    }
    expect([...codes].sort()).toEqual([
      "STORE_DAMAGED",
      "STORE_NEWER_FORMAT",
      "UNLOCK_FAILED",
      "UNLOCK_KDF_OUT_OF_BOUNDS",
    ]);
  });

  it("opens no store with a changed MAC key", async () => {
    const { key, value } = stored.find(({ kind, key: at }) => kind === "material" && at[29] === 0x6d)!;
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice();
      changed[at]! ^= 1 << (at % 8);
      const code = await edited(key, changed, () => codeOf(openMemory({ space })));
      expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT"], `at ${at}`).toContain(code);
    }
    expect(await edited(key, null, () => codeOf(openMemory({ space })))).toBe("STORE_DAMAGED");
  });

  it.each(Object.keys(READERS))("refuses a changed %s when it reads it", async (kind) => {
    const read = READERS[kind]!;
    const fresh = async (): Promise<string> => {
      const { keys } = await openMemory({ space: await copyOfStore(), create: false });
      const code = await codeOf(read(keys));
      await keys.close();
      return code;
    };
    expect(await fresh()).toBe("no error");
    const macKey = (key: Uint8Array): boolean => kind === "material" && key[29] === 0x6d;
    for (const { key, value } of stored.filter((record) => record.kind === kind && !macKey(record.key))) {
      // The wrapping key's own material is read on the way to what lies under it.
      for (const at of positions(value.length)) {
        const changed = value.slice();
        changed[at]! ^= 1 << (at % 8);
        const code = await edited(key, changed, fresh);
        expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT"], `at ${at}`).toContain(code);
      }
    }
  });

  it("puts nothing under a gate that was changed or taken away", async () => {
    const { keys } = await openMemory({ space, create: false });
    const kek = (await keys.get("kek"))!;
    const key = keyspace.gate(parseId(kek.id), 1);
    const { value } = stored.find((record) => String(record.key) === String(key))!;
    const create = (): Promise<string> =>
      codeOf(keys.create({ name: "never", algorithm: AEAD, under: "kek" }));
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice();
      changed[at]! ^= 1 << (at % 8);
      expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT"]).toContain(await edited(key, changed, create));
    }
    expect(await edited(key, null, create)).toBe("STORE_DAMAGED");
    expect(await keys.get("never")).toBeNull();
  });

  it("uses nothing once the epoch of an open store is changed or taken away", async () => {
    const { keys } = await openMemory({ space, create: false, freshness: 0 });
    const { key, value } = stored.find(({ kind }) => kind === "epoch")!;
    const changed = value.slice();
    changed[12]! ^= 1;
    for (const bytes of [changed, null]) {
      expect(await edited(key, bytes, () => codeOf(keys.encrypt("k", text("x"))))).toBe("STORE_DAMAGED");
      expect(await edited(key, bytes, () => codeOf(keys.decrypt(sealed)))).toBe("STORE_DAMAGED");
    }
    expect(await keys.decrypt(sealed)).toEqual(text("message"));
  });

  it("misses an audit that was taken away as a whole", async () => {
    const audit = stored.filter(({ kind }) => kind.startsWith("audit"));
    const { keys } = await openMemory({ space, create: false });
    let run = (): Promise<string> => codeOf(walk(keys));
    for (const { key } of audit) {
      const inner = run;
      run = () => edited(key, null, inner);
    }
    expect(await run()).toBe("STORE_DAMAGED");
    expect(await codeOf(walk(keys))).toBe("no error");
  });
});
