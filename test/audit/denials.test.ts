/** What policy denies is counted: who may do nothing can't make the log grow. */
import { describe, expect, it } from "vitest";
import { Authority } from "../../sdk/commands/authority.js";
import { authorize, type StoreContext } from "../../sdk/commands/execute.js";
import { DENIAL_WINDOW, DenialAudit } from "../../sdk/commands/denials.js";
import type { Operation } from "../../sdk/policy/model.js";
import type { EventBody } from "../../sdk/audit/event.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { codeOf } from "../flows/support.js";
import { openBare, walkAll, type Bare } from "./support.js";

const OUTSIDER = new Uint8Array(16).fill(0x6f);

function contextOf(bare: Bare, context = bare.context): StoreContext {
  return {
    ...context,
    storeOwner: bare.owner,
    principal: { entity: OUTSIDER, authenticated: "unlock" },
    mark: { time: 0 },
    denials: new DenialAudit(),
    authority: new Authority({ storage: context.storage, records: context.records, storeOwner: bare.owner }),
  } as unknown as StoreContext;
}

const deny = async (context: StoreContext, operation: Operation): Promise<void> => {
  expect(await codeOf(() => authorize(context, operation, null))).toBe("POLICY_DENIED");
};

async function denialsOf(bare: Bare): Promise<EventBody[]> {
  const bodies = (await walkAll(bare.context)).map(({ body }) => body);
  return bodies.filter((body) => body.kind === "event").filter(({ decision }) => decision === "deny");
}

describe("denials", () => {
  it("that are equal stand in one event a window, with their number", async () => {
    const bare = await openBare();
    const context = contextOf(bare);
    for (let i = 0; i < 500; i++) {
      await deny(context, "create");
      if (i % 5 === 0) await deny(context, "destroy");
      await context.denials.flush(context);
    }
    expect(await denialsOf(bare)).toEqual([]);
    bare.clock.advance(DENIAL_WINDOW);
    await context.denials.flush(context);
    await context.denials.flush(context, true);
    const events = await denialsOf(bare);
    expect(events.map(({ operation, count }) => [operation, count])).toEqual([
      ["create", 500],
      ["destroy", 100],
    ]);
    for (const { entity, reasons } of events) expect([entity, reasons]).toEqual([OUTSIDER, ["default-deny"]]);

    await deny(context, "create");
    await context.denials.flush(context);
    expect(await denialsOf(bare)).toHaveLength(2);
    await context.denials.flush(context, true);
    expect((await denialsOf(bare)).at(-1)).toMatchObject({ operation: "create", count: 1 });
  });

  it("are counted on where they can't be written, and none twice", async () => {
    const bare = await openBare();
    let full = true;
    const faulty = faultyStorage(bare.context.storage, ({ operation }) =>
      operation === "commit" && full ? "full" : null,
    );
    const context = contextOf(bare, bare.other(faulty));
    for (let i = 0; i < 3; i++) await deny(context, "export");
    await context.denials.flush(context, true);
    await deny(context, "export");
    expect(await denialsOf(bare)).toEqual([]);
    full = false;
    await context.denials.flush(context, true);
    await context.denials.flush(context, true);
    expect((await denialsOf(bare)).map(({ count }) => count)).toEqual([4]);
  });
});
