// `npm run lock`: brings package-lock.json up to date with package.json, for every platform.
//
// A package with native code names one optional package per platform. A registry mirror may hold only the
// platforms that are used beside it; npm then leaves the others out of the lock file, and `npm ci` refuses
// such a lock file everywhere. This puts the missing entries back, from what the packages say of themselves.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const LOCK = join(dirname(dirname(fileURLToPath(import.meta.url))), "package-lock.json");

const OS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const CPU = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64", "wasm32"];
/** What a package's name says that npm calls otherwise. */
const CPU_ALIASES = { armv7: "arm", loongarch64: "loong64", ppc64le: "ppc64" };
const LIBC = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

const npm = ["install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"];
const { status } = spawnSync("npm", npm, { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

const lock = JSON.parse(readFileSync(LOCK, "utf8"));
const added = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const isThere = [`${path}/node_modules/${name}`, `node_modules/${name}`].some(
      (key) => lock.packages[key],
    );
    if (isThere) continue;
    if (!/^\d/.test(version)) throw new Error(`${path} wants ${name}@${version}: not an exact version`);
    added[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
  }
}
const { "": root, ...packages } = { ...lock.packages, ...added };
const sorted = Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, "en")));
lock.packages = { "": root, ...sorted };
writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${Object.keys(added).length} packages of other platforms`);

/** Reads `…-linux-arm64-musl` and its like. Without an entry of a platform npm would install it everywhere. */
function platformOf(name) {
  const words = name.split(/[/-]/).map((word) => CPU_ALIASES[word] ?? word);
  const os = words.filter((word) => OS.includes(word));
  const cpu = words.filter((word) => CPU.includes(word));
  const libc = os.includes("linux") ? words.flatMap((word) => LIBC[word] ?? []) : [];
  if (os.length + cpu.length === 0) throw new Error(`${name} doesn't tell its platform`);
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    ...(os.length > 0 ? { os } : {}),
  };
}
