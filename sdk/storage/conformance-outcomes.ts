/**
 * Conformance under lost replies. A writer that doesn't know whether its commit took effect puts an
 * "abandoned" entry at the commit's marker, checked absent: whoever is first at the marker decides. Every
 * commit, the abandoning one too, checks and puts the writer's head, so that what arrives late meets a
 * conflict.
 */
import type { Check, Committed, Conflict, Mutation, StorageAdapter } from "./adapter.js";
import {
  absent,
  at,
  bytes,
  commitId,
  type ConformanceCase,
  dump,
  type Kit,
  put,
  text,
} from "./conformance-kit.js";
import { type Fault, FAULTS, type FaultyStorage, faultyStorage, seededFaults } from "./faulty.js";

export const OUTCOME_CASES: readonly ConformanceCase[] = [
  outcomeCase("a commit that never arrived is abandoned, and retried once", "lost-request", "abandoned"),
  outcomeCase("a commit whose reply was lost is found by its marker, and not retried", "lost-reply", "event"),
  outcomeCase("a commit that arrives after it was abandoned changes nothing", "late", "abandoned"),
  outcomeCase("a commit that arrives twice takes effect once", "duplicate", "event"),
  {
    name: "a commit that arrives late, but before it is abandoned, is found by its marker",
    run: async (kit) => {
      const faulty = faultyStorage(kit.storage, [null, "late"]);
      const writer = new Writer(faulty);
      await writer.add(1);
      const { head, sequence } = await writer.head();
      await kit.rejects(() => writer.attempt(head, sequence, 10), "STORAGE_OUTCOME_UNKNOWN", "the reply");
      kit.equal(
        (await faulty.release()).map(({ committed }) => committed),
        [true],
        "the late commit",
      );
      kit.equal(await writer.settle(head, sequence), "event", "what the marker says");
      kit.equal(await kit.value("sum"), "11", "the sum");
    },
  },
  {
    name: "a commit that arrives late meets a conflict although its marker was removed",
    run: async (kit) => {
      const faulty = faultyStorage(kit.storage, [null, "duplicate"]);
      const writer = new Writer(faulty);
      await writer.add(1);
      await writer.add(10);
      // The marker may go once a record has changed that its commit checked: here the head.
      await writer.add(100);
      await kit.commit([{ kind: "delete", key: bytes("marker/1") }]);
      kit.equal(
        (await faulty.release()).map(({ committed }) => committed),
        [false],
        "the late commit",
      );
      kit.equal(await kit.value("sum"), "111", "the sum");
    },
  },
  {
    name: "faults that write nothing leave the store as it was",
    run: async (kit) => {
      await kit.commit([put("a", "1")]);
      const before = await dump(kit.storage);
      for (const fault of ["fail-before", "full", "closed", "lost-request"] as const) {
        const faulty = faultyStorage(kit.storage, [fault]);
        await kit.rejects(() => kit.try([], [put("a", "2")], faulty), FAULTS[fault].code, fault);
        kit.equal(await dump(kit.storage), before, fault);
      }
    },
  },
  {
    name: "writers under many faults count every increment once",
    run: async (kit) => {
      const rates = {
        "lost-request": 0.15,
        "lost-reply": 0.15,
        late: 0.15,
        duplicate: 0.1,
        "fail-before": 0.05,
      };
      for (const seed of [1, 2, 3]) {
        const faulty = faultyStorage(kit.storage, seededFaults(seed, rates));
        const before = Number((await kit.value("sum")) ?? 0);
        const writers = ["x", "y", "z"].map((name) => new Writer(faulty, `${name}${seed}/`));
        const rounds = 8;
        await Promise.all(
          writers.map(async (writer, i) => {
            for (let round = 0; round < rounds; round++) {
              await writer.add(10 ** i);
              // Late commits come at any time.
              if (round % 3 === i) await faulty.release(1);
            }
          }),
        );
        await faulty.release();
        kit.equal(await kit.value("sum"), String(before + rounds * 111), `the sum, seed ${seed}`);
      }
    },
  },
];

/** A writer adds once; its second commit meets the fault; whatever is held arrives; it adds once more. */
function outcomeCase(name: string, fault: Fault, answer: "event" | "abandoned"): ConformanceCase {
  return {
    name,
    run: async (kit: Kit) => {
      const faulty = faultyStorage(kit.storage, [null, fault]);
      const writer = new Writer(faulty);
      await writer.add(1);
      const { head, sequence } = await writer.head();
      await kit.rejects(() => writer.attempt(head, sequence, 10), "STORAGE_OUTCOME_UNKNOWN", "the reply");
      kit.equal(await writer.settle(head, sequence), answer, "what the marker says");
      if (answer === "abandoned") await writer.add(10);
      const late = await faulty.release();
      kit.equal(
        late.map(({ committed }) => committed),
        FAULTS[fault].later ? [false] : [],
        "what arrives late",
      );
      await writer.add(100);
      kit.equal(await kit.value("sum"), "111", "the sum");
    },
  };
}

/** The smallest writer that keeps the rules: it adds numbers to one sum that all writers share. */
class Writer {
  readonly #storage: FaultyStorage;
  readonly #prefix: string;

  constructor(storage: FaultyStorage, prefix = "") {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  /** Adds, whatever happens, exactly once. */
  async add(amount: number): Promise<void> {
    for (let attempt = 0; attempt < 500; attempt++) {
      const { head, sequence } = await this.head();
      try {
        if ((await this.attempt(head, sequence, amount)).committed) return;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === "STORAGE_IO") continue; // nothing was written
        if (code !== "STORAGE_OUTCOME_UNKNOWN") throw error;
        if ((await this.settle(head, sequence)) === "event") return;
      }
    }
    throw new Error("no attempt of 500 went through");
  }

  async head(): Promise<{ head: string | null; sequence: number }> {
    const entry = await this.#storage.get(bytes(`${this.#prefix}head`));
    return entry === null
      ? { head: null, sequence: 0 }
      : { head: entry.version, sequence: Number(text(entry.value)) };
  }

  async attempt(head: string | null, sequence: number, amount: number): Promise<Committed | Conflict> {
    const sum = await this.#storage.get(bytes("sum"));
    const next = String((sum === null ? 0 : Number(text(sum.value))) + amount);
    return this.#link(head, sequence, "event", [at("sum", sum?.version ?? null)], [put("sum", next)]);
  }

  /** @returns what stands at the marker: the kind of the commit that took effect. */
  async settle(head: string | null, sequence: number): Promise<string> {
    for (let attempt = 0; attempt < 500; attempt++) {
      try {
        // A conflict at the head alone can't be: nobody else writes it, and the marker goes with it.
        if ((await this.#link(head, sequence, "abandoned", [], [])).committed) return "abandoned";
        const marker = await this.#storage.get(bytes(this.#marker(sequence)));
        if (marker === null) throw new Error("a conflict, but no marker: something was written in halves");
        return text(marker.value);
      } catch (error) {
        // The abandoning commit may meet any fault itself: the marker decides again.
        const { code } = error as { code?: string };
        if (code !== "STORAGE_OUTCOME_UNKNOWN" && code !== "STORAGE_IO") throw error;
      }
    }
    throw new Error("no attempt of 500 was decided");
  }

  #link(head: string | null, sequence: number, kind: string, checks: Check[], mutations: Mutation[]) {
    const marker = this.#marker(sequence);
    const headKey = `${this.#prefix}head`;
    const storage: StorageAdapter = this.#storage;
    return storage.commit({
      id: commitId(),
      checks: [absent(marker), at(headKey, head), ...checks],
      mutations: [put(marker, kind), put(headKey, String(sequence + 1)), ...mutations],
    });
  }

  #marker(sequence: number): string {
    return `${this.#prefix}marker/${sequence}`;
  }
}
