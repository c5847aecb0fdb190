/**
 * How benches are run: every contender's output is compared first, then tinybench runs them in interleaved rounds, and
 * the median of each contender's medians is printed beside its ratio to ours.
 */
import { Bench } from "tinybench";

export interface Contender {
  name: string;
  run: () => unknown;
  /** Runs that return a promise are awaited. */
  async?: boolean;
}

export interface Comparison {
  title: string;
  /** What one run handles: figures are per unit. */
  units: number;
  unit: string;
  /** The first contender is ours. */
  contenders: readonly Contender[];
  /** Throws unless the contenders agree. Called before any timing. */
  check: () => void | Promise<void>;
  /** Floors on the ratio of a peer's time to ours, by the peer's name. */
  floors?: Readonly<Record<string, number>>;
  rounds?: number;
}

export interface Row {
  name: string;
  microseconds: number;
  /** The spread between rounds: highest over lowest median. */
  spread: number;
  /** How many times as long as ours it takes. */
  ratio: number;
  floor?: number | undefined;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

export async function compare(comparison: Comparison): Promise<Row[]> {
  await comparison.check();
  const medians = new Map<string, number[]>();
  for (let round = 0; round < (comparison.rounds ?? 7); round++) {
    for (const { name, run, async } of comparison.contenders) {
      const bench = new Bench({
        time: 150,
        iterations: 3,
        warmupTime: round === 0 ? 400 : 0,
        warmupIterations: 1,
      });
      bench.add(name, async ? async () => void (await run()) : () => void run());
      await bench.run();
      const result = bench.tasks[0]!.result as { latency?: { p50: number }; error?: Error };
      if (result.latency === undefined) throw new Error(`${name} failed`, { cause: result.error });
      const list = medians.get(name) ?? [];
      list.push((result.latency.p50 * 1000) / comparison.units);
      medians.set(name, list);
    }
  }
  const ours = median(medians.get(comparison.contenders[0]!.name)!);
  return comparison.contenders.map(({ name }) => {
    const rounds = medians.get(name)!;
    const microseconds = median(rounds);
    return {
      name,
      microseconds,
      spread: Math.max(...rounds) / Math.min(...rounds),
      ratio: microseconds / ours,
      floor: comparison.floors?.[name],
    };
  });
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** A Markdown table of one comparison. */
export function table(comparison: Pick<Comparison, "title" | "unit">, rows: readonly Row[]): string {
  const lines = rows.map((row, i) => {
    const floor =
      row.floor === undefined
        ? ""
        : row.ratio >= row.floor
          ? `≥ ${row.floor} ✓`
          : `≥ ${row.floor}: **missed**`;
    const ratio = i === 0 ? "1" : `${row.ratio.toFixed(2)} ×`;
    return `| ${row.name} | ${figure(row.microseconds)} | ${ratio} | ${floor} | ${row.spread.toFixed(2)} |`;
  });
  return [
    `### ${comparison.title}`,
    "",
    `| | µs per ${comparison.unit} | time against ours | floor | spread |`,
    "|---|---:|---:|---|---:|",
    ...lines,
    "",
  ].join("\n");
}

export function assertSame(a: Uint8Array, b: Uint8Array, what: string): void {
  if (a.length !== b.length || !a.every((byte, i) => byte === b[i])) throw new Error(`${what} differ`);
}
