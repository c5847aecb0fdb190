/** Keys and audit entries as people read them. */
import type { AuditEntry, DueDates, Key, KeyVersionInfo, ReportEntry } from "../index.js";
import { columns, safe } from "./io.js";

function stateOf(key: Key): string {
  return (key.versions.find((version) => version.current) ?? key.versions.at(-1)!).state;
}

function currentOf(key: Key): string {
  return String(key.versions.find((version) => version.current)?.version ?? "-");
}

export function keyTable(keys: readonly Key[]): string {
  if (keys.length === 0) return "no keys";
  return columns([
    ["ID", "NAME", "ALGORITHM", "USAGES", "STATE", "CURRENT", "VERSIONS"],
    ...keys.map((key) => [
      key.id,
      safe(key.name ?? "-"),
      key.algorithm,
      key.usages.join(","),
      stateOf(key),
      currentOf(key),
      String(key.versions.length),
    ]),
  ]);
}

function versionLine(version: KeyVersionInfo): string[] {
  const dates = Object.entries(version.dates).map(([name, value]) => `${name} ${value.toISOString()}`);
  const why = [version.cause, version.reason].filter((word) => word !== undefined).join(": ");
  const cause = why === "" ? "" : ` (${why})`;
  const marks = [
    ...(version.current ? ["current"] : []),
    ...(version.exposed ? ["exposed"] : []),
    ...(version.imported === true ? ["imported"] : []),
  ];
  return [`  ${version.version}`, version.state + cause, marks.join(", "), dates.join(", ")];
}

export function keyDetails(key: Key): string {
  const lines = [
    ["id", key.id],
    ["name", safe(key.name ?? "-")],
    ["algorithm", key.algorithm],
    ["usages", key.usages.join(", ")],
    ...(key.handsDown === undefined ? [] : [["hands down", key.handsDown.join(", ")]]),
    ["wrapped by", key.wrappedBy ?? "the root key"],
    ["owner", key.owner],
    ["exportable", key.exportable ? "yes" : "no"],
    ["audit", key.audit],
    ...(key.archived === undefined ? [] : [["archived", key.archived.toISOString()]]),
    ["tags", key.tags.length === 0 ? "-" : key.tags.map(safe).join(", ")],
  ];
  return [columns(lines), "versions", columns(key.versions.map(versionLine))].join("\n");
}

export function dueTable(due: DueDates["due"]): string {
  if (due.length === 0) return "nothing is due";
  return columns([
    ["DATE", "KEY", "VERSION", "STATE"],
    ...due.map(({ at, version, key }) => [
      at.toISOString(),
      safe(key.name ?? key.id),
      String(version),
      key.versions.find((row) => row.version === version)?.state ?? "-",
    ]),
  ]);
}

export function reportTable(entries: readonly ReportEntry[]): string {
  if (entries.length === 0) return "nothing needs attention";
  return columns([
    ["FINDING", "KEY", "VERSION", "DATE", "DETAIL"],
    ...entries.map(({ finding, key, slot, version, at, detail }) => [
      finding,
      key === undefined ? `root slot ${slot}` : safe(key.name ?? key.id),
      String(version ?? "-"),
      at?.toISOString() ?? "-",
      detail,
    ]),
  ]);
}

export function auditTable(entries: readonly AuditEntry[]): string {
  return columns([
    ["TIME", "OPERATION", "KEYS", "WRITER", "N"],
    ...entries.map((entry) => [
      entry.time.toISOString(),
      entry.kind === "abandoned"
        ? "(abandoned)"
        : `${safe(entry.operation ?? "")}${entry.count === undefined ? "" : ` × ${entry.count}`}`,
      keysOf(entry),
      entry.writer.slice(-12),
      String(entry.sequence),
    ]),
  ]);
}

function keysOf(entry: AuditEntry): string {
  if (entry.bulkCount !== undefined) return `${entry.bulkCount} keys`;
  const changes = (entry.keys ?? []).map(({ key, version, before, after }) => {
    const change = after === undefined ? "" : ` ${before ?? "∅"} → ${after}`;
    return `${key}/${version}${change}`;
  });
  return changes.length === 0 ? "-" : changes.join("; ");
}
