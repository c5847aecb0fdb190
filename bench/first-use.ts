/** What the first use costs: compiling, making the instances, wrapping one key, each time in a fresh process. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median } from "./harness.js";

const PROCESSES = 15;
const FLOOR_MS = 10;
const CHILD = fileURLToPath(new URL("first-use-child.ts", import.meta.url));

export function firstUseTable(): string {
  const runs = Array.from({ length: PROCESSES }, () => {
    const output = execFileSync(process.execPath, ["--import", "tsx", CHILD], { encoding: "utf8" });
    const steps = JSON.parse(output) as number[];
    return [...steps, steps.reduce((sum, ms) => sum + ms)];
  });
  const names = [
    "compile, with reading the file",
    "two instances",
    "first key made and wrapped",
    "all of it",
  ];
  const rows = names.map((name, step) => {
    const all = runs.map((run) => run[step]!);
    const ms = median(all);
    const goal =
      step < names.length - 1 ? "" : ms <= FLOOR_MS ? `≤ ${FLOOR_MS} ✓` : `≤ ${FLOOR_MS}: **missed**`;
    return `| ${name} | ${ms.toFixed(2)} | ${goal} | ${(Math.max(...all) / Math.min(...all)).toFixed(2)} |`;
  });
  return [
    `### First use after loading, median of ${PROCESSES} fresh processes`,
    "",
    "| | ms | goal | spread |",
    "|---|---:|---:|---:|",
    ...rows,
    "",
  ].join("\n");
}
