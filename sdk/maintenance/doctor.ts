/**
 * The doctor: whether records, index entries and the log agree. It walks the store family by family in pages, then the log
 * beside the records, and holds a page and a bounded part of the tallies in memory, however large the store is.
 */
import { toHex } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import { authorize, type StoreContext } from "../commands/execute.js";
import type { JobControl } from "../commands/jobs.js";
import { repairExposure, repairIndexes } from "../commands/repair.js";
import type { Entry, Range, StorageReads } from "../storage/adapter.js";
import { idOfKey, PREFIX, RECORD_PREFIXES, ranges, versionOfKey, type Prefix } from "../storage/keyspace.js";
import { checkHistories, checkKeys } from "./check-keys.js";
import { checkStore, FAMILY_CHECKS, gapsBetween } from "./check-families.js";
import { checkLog } from "./check-log.js";
import { FINDINGS, viewOfFinding, type Finding, type FindingKind, type Found } from "./findings.js";
import { openEach, readAll, type Examination } from "./reading.js";

export interface DoctorOptions {
  /** Put index entries in order that don't agree with their records. Nothing else is ever changed. */
  repair?: boolean | undefined;
  /** Is given every finding, however many there are; awaited. */
  onFinding?: ((finding: Finding) => void | Promise<void>) | undefined;
}

export interface DoctorSummary {
  /** How many entries of the store were looked at. */
  entries: number;
  /** How many findings there are, and of which kinds. */
  found: number;
  kinds: Partial<Record<FindingKind, number>>;
  repaired: number;
  /** The first 1,000 of them. */
  findings: Finding[];
}

const MOST_FINDINGS = 1000;
const PAGE = 256;

/** @throws {KeyloomError} `POLICY_DENIED`, `JOB_CANCELLED`, and what the store throws */
export async function examine(
  context: StoreContext,
  control: JobControl,
  options: DoctorOptions,
): Promise<DoctorSummary> {
  authorize(context, "read", null);
  if (options.repair === true) authorize(context, "repair", null);
  const snapshot = await context.storage.snapshot?.();
  try {
    const reads: StorageReads = snapshot ?? context.storage;
    return await new Doctor({ context, reads, exact: snapshot !== undefined }, control, options).run();
  } finally {
    await snapshot?.close();
  }
}

class Doctor {
  readonly #examination: Examination;
  readonly #control: JobControl;
  readonly #options: DoctorOptions;
  readonly #summary: DoctorSummary = { entries: 0, found: 0, kinds: {}, repaired: 0, findings: [] };
  #total = 0;

  constructor(examination: Examination, control: JobControl, options: DoctorOptions) {
    this.#examination = examination;
    this.#control = control;
    this.#options = options;
  }

  async run(): Promise<DoctorSummary> {
    this.#total = await this.#examination.reads.count(ranges.everything());
    this.#control.report(0, this.#total);
    await this.#take(() => checkStore(this.#examination));
    for (const gap of gapsBetween(PREFIX)) {
      await this.#walk(gap, (entries) =>
        entries.map(({ key }) => ({
          kind: "entry-unknown",
          detail: "an entry of no known kind",
          storageKey: key,
        })),
      );
    }
    for (const prefix of Object.keys(PREFIX) as Prefix[]) await this.#checkFamily(prefix);
    const pause = (): Promise<void> => this.#control.pause();
    for await (const found of checkLog(this.#examination, pause)) await this.#take(async () => [found]);
    return this.#summary;
  }

  async #checkFamily(prefix: Prefix): Promise<void> {
    if (prefix === "key") return this.#checkKeys();
    const check = FAMILY_CHECKS[prefix];
    const isRecord = (RECORD_PREFIXES as readonly Prefix[]).includes(prefix);
    await this.#walk(ranges.family(prefix), (entries) => {
      // Histories were looked at beside their keys.
      if (prefix === "history") return [];
      if (check !== undefined) return check(this.#examination, entries);
      const found: Found[] = [];
      if (isRecord) openEach(this.#examination, entries, found);
      return found;
    });
  }

  async #checkKeys(): Promise<void> {
    let after: Id | null = null;
    await this.#walk(ranges.family("key"), async (entries) => {
      const found = await checkKeys(this.#examination, entries, after);
      after = idOfKey(entries.at(-1)!.key);
      return found;
    });
    await this.#take(() => checkHistories(this.#examination, new Map(), after, null));
  }

  /** A range in pages. */
  async #walk(range: Range, check: (entries: Entry[]) => Promise<Found[]> | Found[]): Promise<void> {
    let page: Entry[] = [];
    const take = async (): Promise<void> => {
      const entries = page;
      page = [];
      if (entries.length === 0) return;
      let first = true;
      await this.#take(async () => {
        if (first || this.#examination.exact) {
          first = false;
          return check(entries);
        }
        const again = await readAll(
          this.#examination.reads,
          entries.map(({ key }) => key),
        );
        const present = again.filter((entry) => entry !== null);
        return present.length === 0 ? [] : check(present);
      });
      this.#summary.entries += entries.length;
      this.#control.report(this.#summary.entries, Math.max(this.#total, this.#summary.entries));
      await this.#control.pause();
    };
    for await (const entry of this.#examination.reads.list(range)) {
      page.push(entry);
      if (page.length === PAGE) await take();
    }
    await take();
  }

  /** Takes findings down. Where the store has no snapshots, what is found must be found twice: a writer may be at work. */
  async #take(check: () => Promise<Found[]>): Promise<void> {
    let found = await check();
    if (found.length === 0) return;
    if (!this.#examination.exact) {
      const again = new Set((await check()).map(nameOf));
      found = found.filter((item) => again.has(nameOf(item)));
    }
    const repaired = this.#options.repair === true ? await this.#repair(found) : new Set<Found>();
    for (const item of found) {
      const finding = viewOfFinding(item, repaired.has(item));
      this.#summary.found++;
      this.#summary.kinds[item.kind] = (this.#summary.kinds[item.kind] ?? 0) + 1;
      if (finding.repaired) this.#summary.repaired++;
      if (this.#summary.findings.length < MOST_FINDINGS) this.#summary.findings.push(finding);
      await this.#options.onFinding?.(finding);
    }
  }

  async #repair(found: readonly Found[]): Promise<Set<Found>> {
    const { context } = this.#examination;
    const repairable = found.filter(({ kind }) => FINDINGS[kind].repairs);
    const entries = repairable.filter(({ kind }) => kind !== "exposure-missing");
    const done = await repairIndexes(
      context,
      entries.map(({ key, storageKey }) => ({ key: key!, entry: storageKey! })),
    );
    const exposed = new Map(
      repairable
        .filter(({ kind }) => kind === "exposure-missing")
        .map(({ storageKey }) => [toHex(storageKey!), storageKey!]),
    );
    for (const [name, storageKey] of exposed) {
      await repairExposure(context, idOfKey(storageKey), versionOfKey(storageKey));
      done.add(name);
    }
    return new Set(repairable.filter(({ storageKey }) => done.has(toHex(storageKey!))));
  }
}

function nameOf({ kind, storageKey, key, version, writer, sequence }: Found): string {
  const parts = [storageKey, key, writer].map((bytes) => (bytes === undefined ? "" : toHex(bytes)));
  return [kind, ...parts, version, sequence].join("/");
}
