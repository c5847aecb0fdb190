/**
 * Counting what versions with usage limits protect. A manager reserves some uses at a time, and what is reserved counts as
 * spent; so several writers together never spend more than the limit, and a writer that dies has spent what it had
 * reserved. Closing returns the rest: its holder alone can, and does so once.
 */
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { NO_USAGE, reservation, type Usage, type UsageLimits } from "../lifecycle/limits.js";
import type { Decision, Operation } from "../policy/model.js";
import type { StoredKey } from "../keys/reads.js";
import { readUsage, usageRecord } from "../keys/store-records.js";
import { requireVersion } from "../keys/use.js";
import { keyspace } from "../storage/keyspace.js";
import { noChange, planOf } from "./change.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import type { UpkeepOperation } from "./upkeep.js";

interface Stock {
  key: Id;
  version: number;
  left: Usage;
}

function covers({ left }: Stock, { operations, bytes }: UsageLimits, need: Usage): boolean {
  if (operations !== undefined && left.operations < need.operations) return false;
  return bytes === undefined || left.bytes >= need.bytes;
}

export class UsageLedger {
  readonly #stocks = new Map<string, Stock>();
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * Counts a use of a version, before it is made. Touches the store only where the stock is used up.
   *
   * @throws {KeyloomError} `KEY_NOT_USABLE` with the reason `usage-limit`
   */
  async spend(
    context: StoreContext,
    stored: StoredKey,
    version: number,
    operation: Operation,
    need: Usage,
  ): Promise<void> {
    const { limits } = requireVersion(stored.record, version);
    if (limits === undefined) return;
    const stock = this.#stockOf(stored.record.id, version);
    if (!covers(stock, limits, need)) {
      // One after the other: near the limit two reservations would take what one of them needs.
      const run = this.#queue.then(async () => {
        if (!covers(stock, limits, need)) {
          // What can't be opened spends nothing: a use that is refused leaves no trace.
          await context.ring.use(stored, version, () => undefined);
          await this.#reserve(context, stored, stock, limits, operation, need);
        }
        take(stock, limits, need);
      });
      this.#queue = run.catch(() => undefined);
      return run;
    }
    take(stock, limits, need);
  }

  #stockOf(key: Id, version: number): Stock {
    const name = `${idToString(key)}/${version}`;
    let stock = this.#stocks.get(name);
    if (stock === undefined) {
      stock = { key, version, left: { ...NO_USAGE } };
      this.#stocks.set(name, stock);
    }
    return stock;
  }

  async #reserve(
    context: StoreContext,
    { record }: StoredKey,
    stock: Stock,
    limits: UsageLimits,
    operation: Operation,
    need: Usage,
  ): Promise<void> {
    const missing: Usage = {
      operations: Math.max(0, need.operations - stock.left.operations),
      bytes: Math.max(0, need.bytes - stock.left.bytes),
    };
    const decide = (): Decision => authorize(context, operation, record, stock.version);
    const reserved = await change(context, stock, operation, decide, "reserve-usage", (spent) => {
      const amount = reservation(limits, spent, missing);
      if (amount !== null) return amount;
      throw new KeyloomError("KEY_NOT_USABLE", {
        message: `the usage limit of version ${stock.version} is reached`,
        keyId: idToString(stock.key),
        version: stock.version,
        reason: "usage-limit",
        limits,
        spent,
      });
    });
    stock.left.operations += reserved.operations;
    stock.left.bytes += reserved.bytes;
  }

  /** Gives back what is left of everything, once. What can't be given back stays spent. */
  async returnAll(context: StoreContext): Promise<void> {
    await this.#queue;
    const stocks = [...this.#stocks.values()];
    this.#stocks.clear();
    for (const stock of stocks) {
      const { operations, bytes } = stock.left;
      stock.left = { ...NO_USAGE };
      if (operations === 0 && bytes === 0) continue;
      const back = { operations: -operations, bytes: -bytes };
      await change(
        context,
        stock,
        "encrypt",
        () => context.authority.consequence(),
        "return-usage",
        () => back,
      );
    }
  }
}

function take({ left }: Stock, limits: UsageLimits, need: Usage): void {
  if (limits.operations !== undefined) left.operations -= need.operations;
  if (limits.bytes !== undefined) left.bytes -= need.bytes;
}

/** Adds to what is spent of a version. @param amountOf - what to add to what is spent now */
async function change(
  context: StoreContext,
  { key, version }: Stock,
  operation: Operation,
  decide: () => Decision,
  named: UpkeepOperation,
  amountOf: (spent: Usage) => Usage,
): Promise<Usage> {
  const { result } = await execute(context, async () => {
    const decision = decide();
    const before = await readUsage(context.storage, context.records, key, version);
    const amount = amountOf(before.spent);
    const spent: Usage = {
      operations: before.spent.operations + amount.operations,
      bytes: before.spent.bytes + amount.bytes,
    };
    const change = noChange();
    change.checks.push({ key: keyspace.usage(key, version), version: before.storageVersion });
    change.records.push(usageRecord(key, version, spent, before.revision + 1));
    change.subjects.push({ key, version });
    const plan = planOf(context, operation, decision, change, commandTime(context), { operation: named });
    return { result: amount, plan };
  });
  return result;
}
