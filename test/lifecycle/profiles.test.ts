/** Every state and every command, for every profile: what the table does not list is refused, and nothing is written. */
import { describe, expect, it } from "vitest";
import { rawKey, type KeyManager, type Profile } from "../../sdk/index.js";
import { PROFILES, STATE_NAMES, type LifecycleEvent, type State } from "../../sdk/lifecycle/states.js";
import { ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { openWith, virtualClock, type VirtualClock } from "../../sdk/testing/index.js";
import { modelNext } from "../../sdk/testing/model.js";
import { AEAD, codeOf, SECRET } from "../flows/support.js";

type Run = (keys: KeyManager) => PromiseLike<unknown>;

const COMMANDS = {
  activate: (keys) => keys.activate("k", { version: 1 }),
  suspend: (keys) => keys.suspend("k"),
  resume: (keys) => keys.resume("k"),
  deactivate: (keys) => keys.deactivate("k"),
  revoke: (keys) => keys.revoke("k", { reason: "superseded" }),
  "revoke-compromised": (keys) => keys.revoke("k", { reason: "key-compromise" }),
  destroy: (keys) => keys.destroy("k"),
} as const satisfies Partial<Record<LifecycleEvent, Run>>;

/** How a new key gets into each state, in the default profile. */
const WAYS: Record<State, readonly (keyof typeof COMMANDS)[]> = {
  "pre-active": [],
  active: ["activate"],
  suspended: ["activate", "suspend"],
  deactivated: ["activate", "deactivate"],
  compromised: ["revoke-compromised"],
  destroyed: ["destroy"],
  "destroyed-compromised": ["destroy", "revoke-compromised"],
};

function openAs(space: MemorySpace, clock: VirtualClock, profile?: Profile): Promise<KeyManager> {
  const storage = memoryStorage({ space });
  return openWith({ storage, unlock: rawKey(() => SECRET.slice()), profile }, { clock });
}

async function bytesOf(space: MemorySpace): Promise<string[]> {
  const entries: string[] = [];
  for await (const { key, value, version } of memoryStorage({ space }).list(ranges.everything()))
    entries.push(`${String(key)} ${String(value)} ${version}`);
  return entries;
}

const pairs = PROFILES.flatMap((profile) =>
  STATE_NAMES.flatMap((state) =>
    (Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]).map((event) => ({ profile, state, event })),
  ),
);

describe("in the profile", () => {
  it.each(pairs)("$profile, $event of a version that is $state", async ({ profile, state, event }) => {
    const space = new MemorySpace();
    const clock = virtualClock();
    const first = await openAs(space, clock);
    await first.create({ name: "k", algorithm: AEAD, activation: null });
    for (const step of WAYS[state]) await COMMANDS[step](first);
    await first.close();
    const keys = await openAs(space, clock, profile);
    const kmipOnly = profile === "kmip-2.1";
    const before = await bytesOf(space);
    const to = modelNext(state, event, { kmipOnly });
    let thrown: unknown;
    try {
      await COMMANDS[event](keys);
    } catch (error) {
      thrown = error;
    }
    if (to === null) {
      const allowedFrom = STATE_NAMES.filter((from) => modelNext(from, event, { kmipOnly }) !== null);
      expect(thrown).toMatchObject({
        code: "KEY_TRANSITION_NOT_ALLOWED",
        details: { state, event },
      });
      const { details } = thrown as { details: { allowedFrom: State[] } };
      expect([...details.allowedFrom].sort()).toEqual(allowedFrom.sort());
      expect(await bytesOf(space)).toEqual(before);
    } else {
      expect(thrown).toBeUndefined();
    }
    expect((await keys.get("k"))!.versions[0]!.state).toBe(to ?? state);
    await keys.close();
  });

  it("is one that exists, or the store stays closed", async () => {
    const open = openAs(new MemorySpace(), virtualClock(), "fips" as Profile);
    expect(await codeOf(open)).toBe("KEY_INVALID_OPTION");
  });
});
