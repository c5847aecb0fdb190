/** `npm run bench`: runs everything, prints it, and writes docs/BENCHMARKS.md. Arguments name suites to run alone. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { brotliCompressSync, constants } from "node:zlib";
import { aesComparisons } from "./aes.js";
import { auditFigures, auditTable } from "./audit.js";
import { bulkFigures, bulkTable } from "./bulk.js";
import { crossoverComparisons } from "./crossover.js";
import { curveComparisons } from "./curves.js";
import { compare, table, type Comparison } from "./harness.js";
import { firstUseTable } from "./first-use.js";
import { hashComparisons } from "./hashes.js";
import { longComparisons } from "./long.js";
import { messageComparisons } from "./messages.js";
import { passwordComparisons } from "./passwords.js";
import { poolComparisons } from "./pool.js";
import { primitiveComparisons } from "./primitives.js";
import { vaultComparison } from "./vault.js";

const root = new URL("../", import.meta.url);

function sizes(): string {
  const brotli = (file: string): number =>
    brotliCompressSync(readFileSync(new URL(file, root)), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
    }).length;
  const row = (name: string, file: string): string =>
    `| ${name} | ${readFileSync(new URL(file, root)).length.toLocaleString("en")} | ${brotli(file).toLocaleString("en")} |`;
  return [
    "### Size",
    "",
    "| | bytes | brotli |",
    "|---|---:|---:|",
    row("SIMD core", "build/keyloom-simd.wasm"),
    row("scalar core", "build/keyloom-scalar.wasm"),
    "",
  ].join("\n");
}

function versionOf(name: string): string {
  try {
    const text = readFileSync(new URL(`node_modules/${name}/package.json`, root), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return "absent";
  }
}

/** Peers that are not installed are left out; argon2 is not among the packages of this repository, since it compiles C++. */
const PEERS = [
  "libsodium-wrappers",
  "sodium-native",
  "tweetnacl",
  "@noble/ciphers",
  "@noble/hashes",
  "argon2",
  "hash-wasm",
  "libsodium-wrappers-sumo",
  "wasm-themis",
  "jose",
  "lmdb",
];

function versionsOfPeers(): string {
  const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as { version: string };
  return [`keyloom ${version}`, ...PEERS.map((name) => `${name} ${versionOf(name)}`)].join(", ");
}

const HEAD = `# Benchmarks

Written by \`npm run bench\`. Every contender's output is compared with ours before anything is timed; rounds are interleaved in one
process on one core; a figure is the median of the rounds' medians, and "spread" is the highest of them over the lowest. Absolute
figures move with the machine; the ratios are what to look at. Copying in and out of linear memory counts. Losses are listed like wins.
`;

/** Suites of `keyloom/core`, by the name that runs one alone. */
const SUITES: Readonly<Record<string, () => Promise<Comparison[]>>> = {
  primitives: primitiveComparisons,
  long: longComparisons,
  aes: aesComparisons,
  hashes: hashComparisons,
  passwords: passwordComparisons,
  curves: curveComparisons,
  crossover: crossoverComparisons,
};

async function main(): Promise<void> {
  const only = process.argv.slice(2);
  const wanted = (name: string): boolean => only.length === 0 || only.includes(name);
  const parts = [
    HEAD,
    `${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.versions.node}. ${versionsOfPeers()}.\n`,
  ];
  const add = (part: string): void => {
    parts.push(part);
    console.log(part);
  };
  for (const [name, comparisons] of Object.entries(SUITES)) {
    if (!wanted(name)) continue;
    for (const comparison of await comparisons()) add(table(comparison, await compare(comparison)));
  }
  if (wanted("vault")) {
    const comparison = await vaultComparison();
    add(table(comparison, await compare(comparison)));
  }
  for (const [name, open] of Object.entries({ pool: poolComparisons, messages: messageComparisons })) {
    if (!wanted(name)) continue;
    const { comparisons, close } = await open();
    for (const comparison of comparisons) add(table(comparison, await compare(comparison)));
    await close();
  }
  if (wanted("bulk")) add(bulkTable(await bulkFigures()));
  if (wanted("first-use")) add(firstUseTable());
  if (wanted("audit")) add(auditTable(await auditFigures()));
  if (wanted("size")) add(sizes());
  if (only.length === 0) writeFileSync(new URL("docs/BENCHMARKS.md", root), parts.join("\n"));
}

await main();
