/**
 * Runs a history: steps of two managers on one store, with a clock that turns both ways and calls to the store that fail,
 * beside the reference model. After every step the store shows what the model says, or the history has found something.
 */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import { parseEnvelope } from "../messages/envelope.js";
import { compareBytes } from "../storage/adapter.js";
import { faultyStorage, type Fault, type FaultyStorage } from "../storage/faulty.js";
import { PREFIX, ranges, type Prefix } from "../storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../storage/memory.js";
import {
  rawKey,
  STATE_NAMES,
  type Key,
  type KeyManager,
  type Profile,
  type StorageAdapter,
} from "../index.js";
import { openWith } from "../key-manager.js";
import { virtualClock, type VirtualClock } from "./clock.js";
import { modelStateAt } from "./model.js";
import { datesOf, ModelStore, SHOWN_DATES, type ChangeStep, type Outlook } from "./model-store.js";
import { seededRandom } from "./random.js";

/** One thing that an actor does. */
export type Act =
  | ChangeStep
  | { do: "encrypt"; key: string }
  /** Opens every message of the key. */
  | { do: "decrypt"; key: string }
  /** Opens one by exception; the evidence says that it was made so many milliseconds ago. */
  | { do: "recover-message"; key: string; pick: number; ago?: number | undefined; recovery: boolean }
  /** Looks at every key, and lists them by state. */
  | { do: "look" }
  | { do: "sweep" | "confirm-clock" | "renew-wrapping-key" };

/** From the `call`th call to the store on that the act makes, one is struck, or all of them are. */
export interface FaultPlan {
  call: number;
  fault: Exclude<Fault, "closed">;
  outage: boolean;
  /** What is late after an outage arrives before anybody looks; otherwise when its writer has moved on. */
  arrives: boolean;
}

export type HistoryStep =
  | { actor: Actor; act: Act; fault?: FaultPlan | undefined }
  /** Both at once. */
  | { race: readonly [ChangeStep, ChangeStep] }
  /** The wall clock goes on or back; the monotonic one only on. */
  | { clock: number }
  /** The manager is closed, or (a crash) left behind, and another one opened. */
  | { reopen: Actor; crash: boolean };

/** Of two managers, which. */
export type Actor = 0 | 1;

export interface History {
  profile: Profile;
  /** Of both managers, in milliseconds. 0: everybody sees everything at once. */
  freshness: number;
  steps: readonly HistoryStep[];
}

export interface HistoryOptions {
  /** Another way to one and the same empty store, each time it is called. Default: one in memory. */
  storage?: (() => StorageAdapter) | undefined;
  /** Of the randomness of the managers. Default 1. */
  seed?: number | undefined;
}

/** What a history found: the store, or an answer, is not what the model says. */
export class HistoryMismatch extends Error {
  override readonly name = "HistoryMismatch";
  /** The number of the step, from 0; as many as there are steps: at the end. */
  readonly step: number;

  constructor(step: number, what: string, message: string) {
    super(`step ${step} (${what}): ${message}`);
    this.step = step;
  }
}

const ALGORITHM = "XChaCha20-Poly1305";
const SECRET = new Uint8Array(32).fill(9);
const WRAPPING = "wrapping";
const START = Date.UTC(2030, 0, 1);
const PLAINTEXT = new Uint8Array(8).fill(5);
/** Of a key, so many messages are opened, the newest ones. */
const MAX_OPENED = 6;
/** Acts after which a manager goes on believing what it has cached. */
const UNSEEN: readonly Act["do"][] = ["create", "encrypt", "decrypt", "recover-message", "look"];
/** Events that the model does not count: upkeep. */
const UPKEEP = ["rewrap", "close-gate", "open-gate", "sweep", "mark", "reserve-usage", "return-usage"];
const AUDIT: readonly Prefix[] = ["auditWriters", "auditHead", "auditIntake"];
/** What an act that failed, and has not taken effect, may have left beside links of its writer's chain. */
const TRACES: Partial<Record<Act["do"], readonly Prefix[]>> = {
  encrypt: ["usage"],
  sweep: ["mark", "epoch", "job"],
  "confirm-clock": ["mark", "epoch"],
  "deactivate-all": ["job"],
  "destroy-all": ["job"],
};

const STORAGE_FAILURES = ["STORAGE_IO", "STORAGE_FULL", "STORAGE_OUTCOME_UNKNOWN"];

interface Message {
  key: string;
  index: number;
  sealed: Uint8Array;
}

/** How many were made, and how many failed: those may be in the audit or not. */
interface Uses {
  made: number;
  failed: number;
}

interface StoredEntry {
  key: Uint8Array;
  value: Uint8Array;
}

/**
 * Runs a history from an empty store on.
 *
 * @throws {HistoryMismatch} where something is not as the model says
 */
export async function runHistory(history: History, options: HistoryOptions = {}): Promise<void> {
  const run = new HistoryRun(history, options);
  await run.begin();
  for (const [index, step] of history.steps.entries()) await run.step(index, step);
  await run.end(history.steps.length);
}

/** A history as text, for a report. */
export function historyText({ profile, freshness, steps }: History): string {
  return [`profile ${profile}, freshness ${freshness}`, ...steps.map((step) => JSON.stringify(step))].join(
    "\n",
  );
}

/** A plan at work. */
interface Strike extends FaultPlan {
  /** Calls so far. */
  seen: number;
}

interface ActorParts {
  keys: KeyManager;
  storage: FaultyStorage;
}

class HistoryRun {
  readonly #history: History;
  readonly #options: HistoryOptions;
  readonly #clock: VirtualClock = virtualClock(START);
  readonly #open: () => StorageAdapter;
  readonly #actors: ActorParts[] = [];
  readonly #strikes: (Strike | null)[] = [null, null];
  /** Whose last outage has left it without an answer: what is held may arrive until its writer has found out. */
  readonly #unsettled = [false, false];
  /** Looks at the store past every manager. */
  #reader!: StorageAdapter;
  /** A manager whose calls never fail, that looks at every use. */
  #witness!: KeyManager;
  /** What the store may be: more than one after a failure that left no trace to tell them apart. */
  #models: ModelStore[] = [];
  /** With a freshness: what the store was, from which monotonic time on, and who brought it about. */
  readonly #past: { since: number; by: Actor | null; models: readonly ModelStore[] }[] = [];
  readonly #messages: Message[] = [];
  /** Uses of each key, by their operation. */
  readonly #uses = new Map<string, Uses>();
  #crashed = false;
  /** How often each version with a limit has protected. */
  readonly #used = new Map<string, number>();
  #opened = 0;
  #at = 0;
  #what = "begin";

  constructor(history: History, options: HistoryOptions) {
    this.#history = history;
    this.#options = options;
    const space = new MemorySpace();
    this.#open = options.storage ?? (() => memoryStorage({ space }));
  }

  async begin(): Promise<void> {
    for (const actor of [0, 1] as const) await this.#reopen(actor);
    this.#reader = this.#open();
    await this.#actors[0]!.keys.create({ name: WRAPPING, algorithm: ALGORITHM, usages: ["wrap", "unwrap"] });
    if (this.#history.freshness > 0) this.#witness = await this.#manager(this.#open(), 0);
    const model = new ModelStore(START, { kmipOnly: this.#history.profile === "kmip-2.1" });
    model.count("init");
    model.count("create");
    this.#models = [model];
    this.#remember(null);
  }

  async step(index: number, step: HistoryStep): Promise<void> {
    this.#at = index;
    this.#what = JSON.stringify(step);
    if ("clock" in step) this.#turn(step.clock);
    else if ("reopen" in step) await this.#restart(step.reopen, step.crash);
    else if ("race" in step) await this.#race(step.race);
    else await this.#act(step.actor, step.act, step.fault ?? null);
  }

  /** Everything once more through managers that have seen nothing, and the audit from its beginning. */
  async end(index: number): Promise<void> {
    this.#at = index;
    this.#what = "end";
    for (const { keys } of this.#actors) await keys.close();
    const keys = await this.#manager(this.#open(), 0);
    await this.#observe(keys);
    await this.#checkAudit(keys);
    for (const name of this.#names()) await this.#decrypt(keys, name, null);
    await keys.close();
    if (this.#history.freshness > 0) await this.#witness.close();
    await this.#reader.close();
  }

  /** Every change is in the audit once, and uses as each key asks for it. */
  async #checkAudit(keys: KeyManager): Promise<void> {
    const counted: Record<string, number> = {};
    const used = new Map<string, number>();
    for await (const { operation, keys: subjects, count } of keys.audit()) {
      if (operation === undefined || UPKEEP.includes(operation)) continue;
      const name = `${subjects?.[0]?.key}/${operation}`;
      // Of uses an event says how many it stands for.
      if (count === undefined) counted[operation] = (counted[operation] ?? 0) + 1;
      else used.set(name, (used.get(name) ?? 0) + count);
    }
    const told = (events: object): string => JSON.stringify(Object.entries(events).sort());
    this.#narrow((model) => told(model.events), told(counted), "the audit");
    for (const [name, { made, failed }] of this.#uses) {
      const [key, operation] = name.split("/") as [string, string];
      const shown = await keys.get(key);
      if (shown === null) continue;
      const { id, audit } = shown;
      const found = used.get(`${id}/${operation}`) ?? 0;
      const most = audit === "none" ? 0 : made + failed;
      // What is counted and not yet written is lost in a crash.
      const least = audit === "none" || (audit === "counted" && this.#crashed) ? 0 : made;
      if (found < least || found > most)
        this.#fail(
          `${operation} of ${key} (${audit}): ${made} made, ${failed} failed, ${found} in the audit`,
        );
    }
  }

  #countUse(name: string, code: string): void {
    const uses = this.#uses.get(name) ?? { made: 0, failed: 0 };
    this.#uses.set(name, uses);
    if (code === "no error") uses.made++;
    else if (STORAGE_FAILURES.includes(code)) uses.failed++;
  }

  #fail(message: string): never {
    throw new HistoryMismatch(this.#at, this.#what, message);
  }

  /** Keeps the models that tell the same as the store. */
  #narrow(tell: (model: ModelStore) => string, seen: string, what: string): void {
    const agreeing = this.#models.filter((model) => tell(model) === seen);
    if (agreeing.length === 0) {
      const expected = [...new Set(this.#models.map(tell))].join(" or ");
      this.#fail(`${what}: expected ${expected}, found ${seen}`);
    }
    this.#models = agreeing;
  }

  async #manager(storage: StorageAdapter, freshness: number): Promise<KeyManager> {
    this.#opened++;
    const seed = ((this.#options.seed ?? 1) * 1_000_003 + this.#opened * 7919) >>> 0;
    return openWith(
      { storage, unlock: rawKey(() => SECRET.slice()), freshness, profile: this.#history.profile },
      { clock: this.#clock, random: seededRandom(seed) },
    );
  }

  async #reopen(actor: Actor): Promise<void> {
    const storage = faultyStorage(this.#open(), ({ operation }) => {
      const strike = this.#strikes[actor];
      if (strike === null || strike === undefined) return null;
      const nth = strike.seen++;
      if (strike.outage ? nth < strike.call : nth !== strike.call) return null;
      return operation === "commit" ? strike.fault : "fail-before";
    });
    this.#actors[actor] = { storage, keys: await this.#manager(storage, this.#history.freshness) };
  }

  async #restart(actor: Actor, crash: boolean): Promise<void> {
    if (crash) this.#crashed = true;
    else await this.#actors[actor]!.keys.close();
    this.#unsettled[actor] = false;
    await this.#reopen(actor);
    if (this.#history.freshness > 0) this.#remember(actor);
  }

  #turn(ms: number): void {
    if (ms >= 0) this.#clock.advance(ms);
    else this.#clock.set(this.#clock.now() + ms);
  }

  #names(): string[] {
    return [...new Set(this.#models.flatMap((model) => [...model.keys.keys()]))];
  }

  #remember(by: Actor | null): void {
    if (this.#history.freshness === 0) return;
    this.#past.push({ since: this.#clock.monotonic(), by, models: this.#models });
  }

  /** What an actor may take the store for: what it was within the freshness, but for what it has itself done since. */
  #believed(actor: Actor | null): readonly ModelStore[] {
    const { freshness } = this.#history;
    if (freshness === 0 || actor === null) return this.#models;
    const from = this.#clock.monotonic() - freshness;
    const own = this.#past.findLastIndex(({ by }) => by === actor);
    const old = this.#past.findLastIndex(({ since }) => since < from);
    const believed = this.#past.slice(Math.max(own, old, 0)).flatMap(({ models }) => models);
    return [...new Set([...believed, ...this.#models])];
  }

  async #act(actor: Actor, act: Act, fault: FaultPlan | null): Promise<void> {
    const before = await this.#bytes();
    const strike = fault === null ? null : { ...fault, seen: 0 };
    this.#strikes[actor] = strike;
    const struck = (): boolean => strike !== null && strike.seen > strike.call;
    const code = await this.#perform(actor, act, struck);
    this.#strikes[actor] = null;
    const changed = changedPrefixes(before, await this.#bytes());
    await this.#arrive(actor, struck() ? strike : null, changed.length > 0);
    await this.#observe(this.#witnessOf(actor));
    this.#checkTraces(act, code, struck(), changed);
    if (changed.length > 0) this.#remember(code === "no error" && !UNSEEN.includes(act.do) ? actor : null);
  }

  /** Does it, and judges the answer. @returns its code */
  async #perform(actor: Actor, act: Act, struck: () => boolean): Promise<string> {
    const { keys } = this.#actors[actor]!;
    const now = this.#clock.now();
    const judged = async (
      doing: () => PromiseLike<unknown>,
      look: (model: ModelStore) => Outlook,
    ): Promise<string> => {
      const { code } = await ended(doing);
      this.#judge(code, this.#models.map(look), struck());
      return code;
    };
    switch (act.do) {
      case "encrypt":
        return this.#encrypt(actor, act.key, struck);
      case "decrypt":
        return this.#decrypt(keys, act.key, actor, struck);
      case "recover-message":
        return this.#recoverMessage(actor, act, struck);
      case "look":
        return this.#look(actor, struck);
      case "sweep":
        return judged(
          () => keys.sweep(),
          (model) => model.sweep(now),
        );
      case "confirm-clock":
        return judged(
          () => keys.confirmClock(),
          (model) => model.confirmClock(now),
        );
      case "renew-wrapping-key":
        return judged(
          () => renewWrappingKey(keys),
          (model) => model.renewWrappingKey(now),
        );
      default:
        return judged(
          () => change(keys, this.#resolved(act), now),
          (model) => model.change(act, now),
        );
    }
  }

  /** The step with the version that it picks, of those that there are now. */
  #resolved<T extends ChangeStep>(step: T): T {
    const [model] = this.#models;
    if (!("pick" in step) || !model!.keys.has(step.key)) return step;
    return { ...step, pick: step.pick % model!.key(step.key).versions.length };
  }

  /** Goes on with the worlds to which an act that ended so may have led. */
  #judge(code: string, outlooks: readonly Outlook[], struck: boolean): void {
    this.#models = outlooks.flatMap((outlook) => {
      const { worlds, done } = outlook;
      const due = outlook.code === "no error";
      if (code === "no error" && due) return struck ? worlds.slice(done) : worlds.slice(-1);
      if (struck && STORAGE_FAILURES.includes(code)) return due ? worlds : worlds.slice(0, 1);
      return code === outlook.code ? worlds.slice(0, 1) : [];
    });
    if (this.#models.length === 0) this.#fail(`ended with ${code}, expected ${codesOf(outlooks)}`);
  }

  /** What was late arrives: in vain, where its writer has found out what became of it. */
  async #arrive(actor: Actor, strike: Strike | null, changed: boolean): Promise<void> {
    const { storage } = this.#actors[actor]!;
    if (storage.held.length === 0) return;
    if (strike?.outage === true) {
      this.#unsettled[actor] = !strike.arrives;
      if (strike.arrives) await storage.release();
      return;
    }
    // A writer finds out with the first commit that reaches the store.
    if (this.#unsettled[actor] === true && !changed) return;
    this.#unsettled[actor] = false;
    if ((await storage.release()).some(({ committed }) => committed))
      this.#fail("a commit that arrived late took effect");
  }

  #checkTraces(act: Act, code: string, struck: boolean, changed: readonly Prefix[]): void {
    if (code === "no error") return;
    const failed = STORAGE_FAILURES.includes(code);
    // A commit whose outcome was found out has left a link in its writer's chain; so does a denial.
    const allowed = new Set<Prefix>(struck || code === "POLICY_DENIED" ? AUDIT : []);
    if (failed) {
      // It has taken effect, in part or as a whole: what there is has been compared with the model.
      if (changed.some((prefix) => prefix === "key")) return;
      for (const prefix of TRACES[act.do] ?? []) allowed.add(prefix);
    }
    const left = changed.filter((prefix) => !allowed.has(prefix));
    if (left.length > 0) this.#fail(`ended with ${code} and left something behind: ${left.join(", ")}`);
  }

  async #race(both: readonly [ChangeStep, ChangeStep]): Promise<void> {
    const now = this.#clock.now();
    const acts = both.map((act) => this.#resolved(act));
    const codes = await Promise.all(
      acts.map(async (act, i) => (await ended(() => change(this.#actors[i]!.keys, act, now))).code),
    );
    this.#models = this.#models.flatMap((model) =>
      [
        [0, 1],
        [1, 0],
      ].flatMap((order) => {
        let world = model;
        for (const i of order) {
          const outlook = world.change(acts[i]!, now);
          if (outlook.code !== codes[i]) return [];
          world = codes[i] === "no error" ? outlook.worlds.at(-1)! : outlook.worlds[0]!;
        }
        return [world];
      }),
    );
    if (this.#models.length === 0) this.#fail(`ended with ${codes.join(" and ")}: in neither order`);
    await this.#observe(this.#witnessOf(0));
    this.#remember(null);
  }

  async #encrypt(actor: Actor, key: string, struck: () => boolean): Promise<string> {
    const { keys } = this.#actors[actor]!;
    const now = this.#clock.now();
    const { code, reason, value } = await ended(() => keys.encrypt(key, PLAINTEXT));
    this.#countUse(`${key}/encrypt`, code);
    const currentOf = (model: ModelStore): number | null =>
      model.keys.has(key) ? model.key(key).current(model.timeOf(key, now)) : null;
    const believed = this.#believed(actor);
    if (code === "no error") {
      const index = parseEnvelope(value as Uint8Array).keyVersion - 1;
      this.#agree(actor, (model) => currentOf(model) === index, `version ${index + 1} protected`);
      this.#messages.push({ key, index, sealed: value as Uint8Array });
      await this.#count(actor, key, index, 1);
      return code;
    }
    if (struck() && STORAGE_FAILURES.includes(code)) return code;
    if (reason === "usage-limit") {
      const limited = believed.map(currentOf).find((index) => index !== null && index >= 0);
      if (limited === undefined) this.#fail("a limit that no version has");
      const { spent, limit } = await this.#count(actor, key, limited!, 0);
      if (limit === undefined || spent < limit) this.#fail(`a limit of ${limit}, of which ${spent} is spent`);
      return code;
    }
    this.#agree(
      actor,
      (model) => {
        const index = currentOf(model);
        if (index === null) return code === "KEY_NOT_FOUND";
        return index < 0 && (code === "KEY_NOT_USABLE" || code === "KEY_DESTROYED");
      },
      `encrypt ended with ${code}`,
      true,
    );
    return code;
  }

  /** Counts uses of a version, and looks at what the store says: never less, and never more than the limit. */
  async #count(
    actor: Actor,
    key: string,
    index: number,
    by: number,
  ): Promise<{ spent: number; limit: number | undefined }> {
    const { limit } = this.#models[0]!.key(key).versions[index]!;
    if (limit === undefined) return { spent: 0, limit };
    const name = `${key}/${index}`;
    const used = (this.#used.get(name) ?? 0) + by;
    this.#used.set(name, used);
    const { operations: spent } = await this.#witnessOf(actor).usage(key, index + 1);
    if (used > limit || spent > limit || spent < used)
      this.#fail(`a limit of ${limit} operations, ${used} made, ${spent} counted`);
    return { spent, limit };
  }

  async #decrypt(
    keys: KeyManager,
    key: string,
    actor: Actor | null,
    struck: () => boolean = () => false,
  ): Promise<string> {
    const now = this.#clock.now();
    const messages = this.#messages.filter((message) => message.key === key).slice(-MAX_OPENED);
    for (const { index, sealed } of messages) {
      const { code, value } = await ended(() => keys.decrypt(sealed));
      this.#countUse(`${key}/decrypt`, code);
      if (struck() && STORAGE_FAILURES.includes(code)) return code;
      if (code === "no error" && !samePlaintext(value)) this.#fail("decrypt returned other bytes");
      this.#agree(
        actor,
        (model) => model.opening(key, index, now) === code,
        `decrypt of version ${index + 1} ended with ${code}`,
        code !== "no error",
      );
    }
    return "no error";
  }

  async #recoverMessage(
    actor: Actor,
    { key, pick, ago, recovery }: Extract<Act, { do: "recover-message" }>,
    struck: () => boolean,
  ): Promise<string> {
    const messages = this.#messages.filter((message) => message.key === key);
    if (messages.length === 0) return "no error";
    const { index, sealed } = messages[pick % messages.length]!;
    const now = this.#clock.now();
    const time = ago === undefined ? undefined : now - ago;
    const evidence = time === undefined ? undefined : ({ kind: "assertion", time: new Date(time) } as const);
    const { code } = await ended(() =>
      this.#actors[actor]!.keys.recoverMessage(sealed, { evidence, recovery }),
    );
    const opening = (model: ModelStore): string =>
      model.opening(key, index, now, { evidence: time, recovery });
    const counted = (model: ModelStore): ModelStore => {
      const after = model.clone();
      after.count("decrypt");
      return after;
    };
    if (struck() && STORAGE_FAILURES.includes(code)) {
      this.#models = this.#models.flatMap((model) => [model, counted(model)]);
      return code;
    }
    // It goes by the store, whatever is cached.
    this.#agree(actor, (model) => opening(model) === code, `recoverMessage ended with ${code}`, true);
    if (code === "no error") this.#models = this.#models.map(counted);
    return code;
  }

  /** What an actor refuses goes by the store as it is; what time it is may be news to it. */
  #refusing(actor: Actor | null): readonly ModelStore[] {
    const believed = this.#believed(actor);
    if (believed === this.#models) return believed;
    const marks = [...new Set(believed.map(({ mark }) => mark))];
    return this.#models.flatMap((model) => marks.map((mark) => Object.assign(model.clone(), { mark })));
  }

  /** Where everybody sees everything at once, an answer tells the models apart; otherwise it fits one that was. */
  #agree(actor: Actor | null, fits: (model: ModelStore) => boolean, what: string, refused = false): void {
    const agreeing = (refused ? this.#refusing(actor) : this.#believed(actor)).filter(fits);
    if (agreeing.length === 0) this.#fail(what);
    if (this.#history.freshness === 0) this.#models = agreeing as ModelStore[];
  }

  async #look(actor: Actor, struck: () => boolean): Promise<string> {
    const { keys } = this.#actors[actor]!;
    const now = this.#clock.now();
    for (const name of this.#names()) {
      const { code, value } = await ended(async () => shownOf(await keys.get(name)));
      if (struck() && STORAGE_FAILURES.includes(code)) return code;
      this.#agree(
        actor,
        (model) => model.shown(name, now) === value,
        `get of ${name}: ${code}: ${String(value)}`,
      );
    }
    for (const state of STATE_NAMES) {
      const { code, value } = await ended(async () =>
        (await keys.list({ state })).keys
          .map(({ name }) => name)
          .filter((name) => name !== WRAPPING)
          .sort()
          .join(),
      );
      if (struck() && STORAGE_FAILURES.includes(code)) return code;
      const listed = (model: ModelStore): string =>
        [...model.keys]
          .filter(([name, { key }]) =>
            key.versions.some((version) => modelStateAt(version, model.timeOf(name, now)) === state),
          )
          .map(([name]) => name)
          .sort()
          .join();
      this.#agree(actor, (model) => listed(model) === value, `list of ${state}: ${code}: ${String(value)}`);
    }
    return "no error";
  }

  #witnessOf(actor: Actor): KeyManager {
    return this.#history.freshness > 0 ? this.#witness : this.#actors[1 - actor]!.keys;
  }

  /** What a manager that misses nothing sees is what the model says, of every key. */
  async #observe(keys: KeyManager): Promise<void> {
    const now = this.#clock.now();
    for (const name of this.#names())
      this.#narrow((model) => model.shown(name, now), shownOf(await keys.get(name)), `key ${name}`);
  }

  async #bytes(): Promise<StoredEntry[]> {
    const all: StoredEntry[] = [];
    for await (const { key, value } of this.#reader.list(ranges.everything()))
      all.push({ key: key.slice(), value: value.slice() });
    return all;
  }
}

/** How a promise was settled: `no error` with what it gave, or a code. What is no error of the library is passed on. */
async function ended(
  run: () => PromiseLike<unknown>,
): Promise<{ code: string; reason?: unknown; value?: unknown }> {
  try {
    return { code: "no error", value: await run() };
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    return { code: error.code, reason: error.details["reason"] };
  }
}

async function renewWrappingKey(keys: KeyManager): Promise<void> {
  const { versions } = await keys.rotate(WRAPPING);
  const { version } = versions.at(-2)!;
  await keys.rewrap(WRAPPING);
  await keys.deactivate(WRAPPING, { version });
  await keys.destroy(WRAPPING, { version });
}

/** Asks a manager for what the step says; `pick` is a version's index. */
function change(keys: KeyManager, step: ChangeStep, now: number): PromiseLike<unknown> {
  const { key } = step;
  const date = (time: number | undefined): Date | undefined =>
    time === undefined ? undefined : new Date(time);
  switch (step.do) {
    case "create": {
      const { shape } = step;
      const { activation, processStart, protectStop, deactivation } = datesOf(shape, now);
      const options = {
        name: key,
        algorithm: ALGORITHM,
        under: shape.wrapped ? WRAPPING : undefined,
        activation: shape.activation === null ? null : date(activation),
        processStart: date(processStart),
        protectStop: date(protectStop),
        deactivation: date(deactivation),
        limits: shape.limit === undefined ? undefined : { operations: shape.limit },
        audit: shape.audit,
      } as const;
      return shape.imported ? keys.import(new Uint8Array(32).fill(3), options) : keys.create(options);
    }
    case "activate":
    case "suspend":
    case "resume":
    case "archive":
    case "recover":
      return keys[step.do](key);
    case "deactivate":
    case "destroy":
      return keys[step.do](key, { version: step.pick + 1 });
    case "deactivate-all":
      return keys.deactivate(key, { versions: "all" });
    case "destroy-all":
      return keys.destroy(key, { versions: "all" });
    case "revoke": {
      const { reason, ago } = step;
      const occurrence = date(ago === undefined ? undefined : now - ago);
      return keys.revoke(key, { reason, version: step.pick + 1, occurrence });
    }
    case "rotate":
      return keys.rotate(key, { offsetMs: step.offset });
    case "set-date": {
      const to = step.by === null ? null : new Date(now + step.by);
      return keys.setDates(key, { [step.date]: to }, { version: step.pick + 1 });
    }
  }
}

/** As `ModelStore.shown`. */
function shownOf(key: Key | null): string {
  if (key === null) return "none";
  const versions = key.versions.map(({ state, current, cause, limits, dates }) => ({
    state,
    current,
    cause,
    limit: limits?.operations,
    dates: SHOWN_DATES.map((date) => dates[date]?.getTime()),
  }));
  return JSON.stringify({ archived: key.archived?.getTime(), versions });
}

function codesOf(outlooks: readonly Outlook[]): string {
  return [...new Set(outlooks.map(({ code }) => code))].join(" or ");
}

function samePlaintext(value: unknown): boolean {
  return value instanceof Uint8Array && equalBytes(value, PLAINTEXT);
}

const PREFIX_NAMES = new Map(Object.entries(PREFIX).map(([name, byte]) => [byte as number, name as Prefix]));

/** Which parts of the store differ. Both listings are in the order of their keys. */
function changedPrefixes(before: readonly StoredEntry[], after: readonly StoredEntry[]): Prefix[] {
  const changed = new Set<number>();
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const [one, other] = [before[i], after[j]];
    const order = one === undefined ? 1 : other === undefined ? -1 : compareBytes(one.key, other.key);
    if (order !== 0 || !equalBytes(one!.value, other!.value))
      changed.add((order <= 0 ? one : other)!.key[0]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return [...changed].map((byte) => PREFIX_NAMES.get(byte)!);
}
