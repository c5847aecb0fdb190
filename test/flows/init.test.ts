import { describe, expect, it } from "vitest";
import { faultyStorage, type Fault } from "../../sdk/storage/faulty.js";
import { ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { hooked, type Hooks } from "./hooks.js";
import { AEAD, auditOperations, codeOf, openMemory, text } from "./support.js";

async function isEmpty(space: MemorySpace): Promise<boolean> {
  for await (const entry of memoryStorage({ space }).list(ranges.everything(), { limit: 1 })) {
    return entry.key.length === 0;
  }
  return true;
}

/** Every commit from the first on is struck by the next fault of the script, and all after it by the last. */
async function initUnder(script: readonly (Fault | null)[]): Promise<{
  space: MemorySpace;
  code: string;
  release: () => Promise<unknown>;
}> {
  const space = new MemorySpace();
  const storage = faultyStorage(memoryStorage({ space }), ({ operation, indexOfOperation }) =>
    operation === "commit" ? script[Math.min(indexOfOperation, script.length - 1)] : null,
  );
  const release = (): Promise<unknown> =>
    // The adapter is closed by a failed open; what is under way arrives all the same.
    Promise.all(
      storage.held.map((commit) =>
        memoryStorage({ space })
          .commit(commit)
          .catch(() => undefined),
      ),
    );
  const code = await codeOf(openMemory({ space, storage }).then(({ keys }) => keys.close()));
  return { space, code, release };
}

const FAULTS = ["lost-request", "lost-reply", "late", "duplicate", "fail-before"] as const;
type Script = readonly (Fault | null)[];
const SCRIPTS: Script[] = [
  ...FAULTS.flatMap((first) => FAULTS.map((second): Script => [first, second, null])),
  ["late", "late", "lost-request"],
  ["lost-request", "lost-reply", "lost-request"],
  ["lost-reply", "lost-request", "fail-before"],
  ["lost-request"],
];

describe("making a store", () => {
  it.each(SCRIPTS.map((script) => ({ name: script.join(", "), script })))(
    "leaves all of it or nothing, whatever becomes of its commits: $name",
    async ({ script }) => {
      const { space, code, release } = await initUnder(script);
      expect(code).toBe(script.at(-1) === null ? "no error" : "STORAGE_OUTCOME_UNKNOWN");
      const landed = !(await isEmpty(space));
      if (code === "no error") expect(landed).toBe(true);
      await release();
      // Whatever is there opens; where nothing is, a store can be made.
      const { keys } = await openMemory({ space, create: !landed });
      await keys.create({ name: "k", algorithm: AEAD });
      expect(await keys.decrypt(await keys.encrypt("k", text("x")))).toEqual(text("x"));
      expect((await auditOperations(keys)).sort()).toEqual(["create", "init"]);
    },
  );

  it.each([null, "lost-request", "lost-reply"] as const)(
    "is refused to all but the first, also where the answer was lost (%s)",
    async (fault) => {
      const space = new MemorySpace();
      const hooks: Hooks = {
        beforeCommit: async () => {
          const first = await openMemory({ space });
          await first.keys.create({ name: "of the first", algorithm: AEAD });
          await first.keys.close();
        },
      };
      const storage = faultyStorage(hooked(space, hooks), [fault]);
      // A request that is lost never comes as far as the hook; the second try does.
      expect(await codeOf(openMemory({ space, storage }))).toBe("STORE_EXISTS");
      const { keys } = await openMemory({ space, create: false });
      expect((await auditOperations(keys)).sort()).toEqual(["create", "init"]);
      expect(await keys.get("of the first")).not.toBeNull();
    },
  );
});
