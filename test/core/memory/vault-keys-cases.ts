/** Memory after every call: the slots' life. */
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import { USAGE } from "../../../bindings/attributes.js";
import type { Call } from "./probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, bytes } from "../support.js";
import { STALE, allocating, FILE_KEY, NEW_ID, NEW_MATERIAL, seal, type Cases } from "./kit.js";

export const vaultKeysCases: Cases = {
  vaultGenerate: {
    statuses: ["OK", "LENGTH", "MISUSE", "RANDOM", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const call = (algorithm = 1, usages: number = ALL_CIPHER, flags = 0): Call => ({
        inputs: [NEW_ID],
        args: ([id], end) => [algorithm, flags, usages, id!, 7, end],
      });
      t.call("vaultGenerate", call(0), "LENGTH");
      t.call("vaultGenerate", call(99), "LENGTH");
      t.call("vaultGenerate", call(1, USAGE.WRAP | USAGE.DECRYPT), "MISUSE");
      t.call("vaultGenerate", call(1, 1), "MISUSE");
      t.call("vaultGenerate", call(1, 4, 2), "MISUSE");
      t.drawsLeft = 0;
      t.call("vaultGenerate", call(), "RANDOM");
      t.drawsLeft = Infinity;
      t.ranges("vaultGenerate", call(), "end");
      // A new key is seen in its slot: nothing else of it is anywhere.
      for (const algorithm of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) {
        const wraps = algorithm < 4 || (algorithm > 7 && algorithm < 11);
        const usages = algorithm === 2 ? ALL_MAC : wraps ? ALL_WRAP : 0;
        const made = call(algorithm, usages, 1);
        t.call("vaultGenerate", {
          ...made,
          key: (handle) => {
            const material = t.materialAt(handle);
            expect(material).toHaveLength(algorithm === 4 ? 16 : 32);
            return { algorithm, usages, flags: 1, version: 7, id: NEW_ID, material };
          },
        });
      }
      allocating(t, "vaultGenerate", call());
    },
  },
  vaultImport: {
    statuses: ["OK", "LENGTH", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const call = (length = 32, algorithm = 1, usages: number = ALL_CIPHER): Call => ({
        inputs: [NEW_ID, bytes(length, 91)],
        args: ([id, material], end) => [algorithm, 0, usages, id!, 7, material!, length, end],
        key: () => ({ algorithm, usages, flags: 0, version: 7, id: NEW_ID, material: bytes(length, 91) }),
      });
      t.addSecret(bytes(64, 91), "the material");
      for (const algorithm of [1, 2, 3]) t.call("vaultImport", call(32, algorithm, ALL_MAC));
      t.call("vaultImport", call(16, 4, 0));
      for (const length of [0, 16, 31, 33, 64]) t.call("vaultImport", call(length), "LENGTH");
      t.call("vaultImport", call(32, 0, 0), "LENGTH");
      t.call("vaultImport", call(32, 1, ALL_WRAP | ALL_CIPHER), "MISUSE");
      t.call("vaultImport", call(65), "RANGE");
      t.ranges("vaultImport", call(), "end");
      allocating(t, "vaultImport", call());
    },
  },
  vaultFromPassword: {
    statuses: ["OK", "LENGTH", "PARAMETER", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const [password, salt] = [bytes(40, 92), bytes(32, 93)];
      const call = (iterations = 3, algorithm = 1, usages: number = ALL_WRAP): Call => ({
        inputs: [NEW_ID, password, salt],
        args: ([id, p, s], end) => [algorithm, 0, usages, id!, 7, p!, 40, s!, 32, iterations, end],
        key: () => {
          const material = pbkdf2(sha256, password, salt, { c: iterations, dkLen: 32 });
          return { algorithm, usages, flags: 0, version: 7, id: NEW_ID, material };
        },
      });
      t.addSecret(password, "the password");
      t.call("vaultFromPassword", call());
      t.call("vaultFromPassword", call(0), "PARAMETER");
      t.call("vaultFromPassword", call(3, 99, 0), "LENGTH");
      t.call("vaultFromPassword", call(3, 2, ALL_WRAP), "MISUSE");
      t.ranges("vaultFromPassword", call(), "end");
      allocating(t, "vaultFromPassword", call());
    },
  },
  vaultDispose: {
    statuses: ["OK", "STALE"],
    run(t) {
      const key = t.key(ALL_CIPHER);
      t.call("vaultSeal", seal(key, bytes(10)));
      t.dispose(key);
      t.call("vaultDispose", { args: () => [key] }, "STALE");
      for (const handle of [0, -1, 1, STALE, key + 1024]) {
        t.call("vaultDispose", { args: () => [handle] }, "STALE");
      }
    },
  },
  vaultDisposeAll: {
    statuses: ["OK"],
    run(t) {
      const key = t.key(ALL_CIPHER | ALL_MAC);
      t.call("vaultSeal", seal(key, bytes(10)));
      t.fillSlots();
      t.live.clear();
      t.call("vaultDisposeAll", { args: () => [] });
    },
  },
  vaultLiveCount: {
    statuses: ["OK"],
    run(t) {
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(0);
      const key = t.key(ALL_CIPHER);
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(1);
      t.dispose(key);
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(0);
    },
  },
  vaultLength: {
    statuses: ["OK", "STALE"],
    run(t) {
      const [key, fileKey] = [t.key(ALL_CIPHER), t.key(0, FILE_KEY)];
      expect(t.call("vaultLength", { args: () => [key] }).value).toBe(32);
      expect(t.call("vaultLength", { args: () => [fileKey] }).value).toBe(16);
      t.call("vaultLength", { args: () => [STALE] }, "STALE");
    },
  },
  vaultExport: {
    statuses: ["OK", "STALE", "NOT_EXPORTABLE", "RANGE"],
    run(t) {
      const [key, closed] = [t.key(ALL_CIPHER, { flags: 1, material: NEW_MATERIAL }), t.key(ALL_CIPHER)];
      const call = (handle: number, output = 32): Call => ({
        reserve: 64,
        output,
        args: (_, out) => [handle, out],
        cleartext: true,
      });
      expect(t.call("vaultExport", call(key)).output).toEqual(NEW_MATERIAL);
      t.call("vaultExport", call(t.key(0, { ...FILE_KEY, flags: 1 }), 16));
      t.call("vaultExport", call(closed), "NOT_EXPORTABLE");
      t.call("vaultExport", call(STALE), "STALE");
      t.ranges("vaultExport", call(key));
    },
  },
};
