/** How passphrases are stretched: in new slots, in slots that are there, and in those that are made anew. */
import { afterEach, describe, expect, it } from "vitest";
import { KeyManager, passphrase, rawKey, type StorageAdapter, type UnlockMethod } from "../../sdk/index.js";
import { cborMap, decodeCborMap, encodeCbor, type CborMap } from "../../sdk/foundation/cbor.js";
import { KeyloomError } from "../../sdk/foundation/errors.js";
import { keyspace } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, auditOperations, codeOf, SECRET, text } from "./support.js";

const SMALL = { memoryKiB: 19_456, passes: 2 } as const;
const PBKDF2 = { kdf: "PBKDF2-HMAC-SHA256" } as const;
const TIMEOUT = { timeout: 60_000 };

async function tableOf(space: MemorySpace): Promise<{ value: Uint8Array; slots: CborMap[] }> {
  const { value } = (await memoryStorage({ space }).get(keyspace.unlockSlots()))!;
  return { value, slots: decodeCborMap(value.slice(8, -32), "the slot table").get(2) as CborMap[] };
}

/** The KDF's code and numbers: code, iterations or passes, memory, lanes. */
async function kdfOf(space: MemorySpace): Promise<unknown[]> {
  const [slot] = (await tableOf(space)).slots;
  return [2, 4, 6, 7].map((field) => slot!.get(field));
}

const open = (space: MemorySpace, unlock: UnlockMethod, storage?: StorageAdapter): Promise<KeyManager> =>
  KeyManager.open({ storage: storage ?? memoryStorage({ space }), unlock });

async function made(unlock: UnlockMethod): Promise<MemorySpace> {
  const space = new MemorySpace();
  const keys = await open(space, unlock);
  await keys.create({ name: "k", algorithm: AEAD, usages: ["encrypt", "decrypt"] });
  await keys.close();
  return space;
}

describe("a new slot", () => {
  it("stretches its passphrase by Argon2id in 64 MiB and three passes", TIMEOUT, async () => {
    const space = await made(passphrase("secret"));
    expect(await kdfOf(space)).toEqual([2, 3, 65_536, 1]);
    const before = await tableOf(space);
    await (await open(space, passphrase("secret"))).close();
    // Once it has the passphrase, nothing but the derivation takes turns of the event loop: it leaves them to others.
    let turns = 0;
    let timer: ReturnType<typeof setInterval> | undefined;
    const asked = (): string => {
      timer = setInterval(() => turns++, 0);
      return "secret";
    };
    await (
      await open(
        space,
        passphrase(async () => asked()),
      )
    ).close();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    // Nothing is made anew that is Argon2id already.
    await (await open(space, passphrase("secret", SMALL))).close();
    expect(await tableOf(space)).toEqual(before);
    expect(await codeOf(open(space, passphrase("Secret")))).toBe("UNLOCK_FAILED");
  });

  it("takes other parameters, or PBKDF2", TIMEOUT, async () => {
    expect(await kdfOf(await made(passphrase("s", { ...SMALL, lanes: 4 })))).toEqual([2, 2, 19_456, 4]);
    const chosen = await made(passphrase("s", PBKDF2));
    expect(await kdfOf(chosen)).toEqual([1, 600_000, undefined, undefined]);
    const counted = await made(passphrase("s", { iterations: 600_001 }));
    expect(await kdfOf(counted)).toEqual([1, 600_001, undefined, undefined]);
  });

  it("takes no parameters out of bounds", async () => {
    for (const wrong of [
      { memoryKiB: 19_455 },
      { memoryKiB: 2_097_153 },
      { memoryKiB: 65_536.5 },
      { passes: 0 },
      { passes: 17 },
      { memoryKiB: 19_456, passes: 1 },
      { lanes: 0 },
      { lanes: 65 },
      { iterations: 599_999 },
      { iterations: 10_000_001 },
      { iterations: NaN },
      { kdf: "scrypt" },
      { kdf: "Argon2id", passes: "3" },
    ]) {
      expect(await codeOf(() => passphrase("x", wrong as never)), JSON.stringify(wrong)).toBe(
        "KEY_INVALID_OPTION",
      );
    }
  });
});

describe("a slot with PBKDF2", () => {
  it("is made anew with Argon2id when it is next opened, with an event", TIMEOUT, async () => {
    const space = await made(passphrase("secret", PBKDF2));
    const before = (await tableOf(space)).slots[0]!;
    const keys = await open(space, passphrase("secret", SMALL));
    expect(await kdfOf(space)).toEqual([2, 2, 19_456, 1]);
    expect((await auditOperations(keys)).sort()).toEqual(["create", "init", "renew-slot"]);
    const sealed = await keys.encrypt("k", text("text"));
    await keys.create({ name: "after", algorithm: AEAD, usages: ["encrypt", "decrypt"] });
    await keys.close();
    const after = (await tableOf(space)).slots[0]!;
    // The same way in, under a salt of its own.
    expect(after.get(1)).toEqual(before.get(1));
    expect(after.get(3)).not.toEqual(before.get(3));

    const again = await open(space, passphrase("secret"));
    expect(await again.decrypt(sealed)).toEqual(text("text"));
    expect((await auditOperations(again)).filter((operation) => operation === "renew-slot").length).toBe(1);
    await again.close();
    expect(await codeOf(open(space, passphrase("Secret")))).toBe("UNLOCK_FAILED");
  });

  it("stays as it is where that is asked for, and where the secret is wrong", TIMEOUT, async () => {
    const space = await made(passphrase("secret", PBKDF2));
    const before = await tableOf(space);
    for (const options of [PBKDF2, { renew: false }, { iterations: 700_000 }] as const) {
      await (await open(space, passphrase("secret", options))).close();
    }
    expect(await codeOf(open(space, passphrase("wrong")))).toBe("UNLOCK_FAILED");
    expect(await codeOf(open(space, rawKey(SECRET.slice())))).toBe("UNLOCK_FAILED");
    expect(await tableOf(space)).toEqual(before);
  });

  it(
    "stays as it is where the store can't be written, and the store opens all the same",
    TIMEOUT,
    async () => {
      const space = await made(passphrase("secret", PBKDF2));
      const before = await tableOf(space);
      const readOnly = memoryStorage({ space });
      readOnly.commit = async () => {
        throw new KeyloomError("STORAGE_READ_ONLY", { message: "the store was opened to be read only" });
      };
      const keys = await open(space, passphrase("secret", SMALL), readOnly);
      expect((await keys.get("k"))?.name).toBe("k");
      await keys.close();
      expect(await tableOf(space)).toEqual(before);
    },
  );

  it("is made anew by one of two that open it at once, and both open", TIMEOUT, async () => {
    const space = await made(passphrase("secret", PBKDF2));
    const both = await Promise.all([1, 2].map(() => open(space, passphrase("secret", SMALL))));
    for (const keys of both) expect((await keys.get("k"))?.name).toBe("k");
    expect((await auditOperations(both[0]!)).filter((operation) => operation === "renew-slot").length).toBe(
      1,
    );
    for (const keys of both) await keys.close();
    await (await open(space, passphrase("secret"))).close();
  });

  describe("on a host without the memory for Argon2id", () => {
    const HostMemory = WebAssembly.Memory;
    afterEach(() => {
      WebAssembly.Memory = HostMemory;
    });

    it("opens, and stays as it is", TIMEOUT, async () => {
      const space = await made(passphrase("secret", PBKDF2));
      const before = await tableOf(space);
      WebAssembly.Memory = class extends HostMemory {
        constructor(descriptor: WebAssembly.MemoryDescriptor) {
          if (descriptor.initial > 64) throw new RangeError("could not allocate memory");
          super(descriptor);
        }
      };
      // Little enough to be derived on this thread, whose memory it is.
      await (await open(space, passphrase("secret", SMALL))).close();
      expect(await tableOf(space)).toEqual(before);
      expect(await codeOf(made(passphrase("secret", SMALL)))).toBe("CORE_INPUT_TOO_LARGE");
    });
  });
});

describe("a slot with Argon2id that was tampered with", () => {
  it("is refused before anything is derived when a parameter is out of bounds", TIMEOUT, async () => {
    const space = await made(passphrase("secret", SMALL));
    const stored = (await memoryStorage({ space }).get(keyspace.unlockSlots()))!;
    const changed = async (field: number, number: number): Promise<string> => {
      const table = decodeCborMap(stored.value.slice(8, -32), "slots");
      const [slot] = table.get(2) as CborMap[];
      const body = encodeCbor(
        cborMap([1, table.get(1)], [2, [cborMap(...slot!.entries(), [field, number])]]),
      );
      const value = new Uint8Array([...stored.value.subarray(0, 8), ...body, ...stored.value.subarray(-32)]);
      await memoryStorage({ space }).commit({
        id: new Uint8Array(16),
        checks: [],
        mutations: [{ kind: "put", key: stored.key, value }],
      });
      return codeOf(open(space, passphrase("secret")));
    };
    for (const [field, number] of [
      [4, 0],
      [4, 1],
      [4, 17],
      [4, 2 ** 32],
      [6, 0],
      [6, 19_455],
      [6, 2_097_153],
      [6, 2 ** 40],
      [7, 0],
      [7, 65],
    ] as const) {
      expect(await changed(field, number), `${field}: ${number}`).toBe("UNLOCK_KDF_OUT_OF_BOUNDS");
    }
    // Within bounds: another key is derived, and the slot doesn't open.
    expect(await changed(4, 3)).toBe("UNLOCK_FAILED");
    expect(await changed(7, 2)).toBe("UNLOCK_FAILED");
  });
});
