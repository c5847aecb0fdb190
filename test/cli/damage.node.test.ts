/** Stores that were changed, cut or never ours; disks that are full; pipes that break; jobs cut off in the middle. */
import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { open as openLmdb } from "lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { main } from "../../sdk/cli/main.js";
import { fromHex, toHex } from "../../sdk/foundation/bytes.js";
import type { Entry } from "../../sdk/storage/adapter.js";
import { keyspace, ranges } from "../../sdk/storage/keyspace.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { bench, type Bench, type Ran } from "./support.js";

const PROGRAM = fileURLToPath(new URL("../../sdk/cli/index.ts", import.meta.url));

let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => rm(at.folder, { recursive: true, force: true }));

const options = (): string[] => ["--store", `lmdb:${at.path("store")}`, "--raw-key-file", at.path("key")];

function expectRefusal(ran: Ran, code: string, exit: keyof typeof EXIT_CODES): void {
  expect(ran.stderr).toMatch(new RegExp(`^keyloom: [^\\n]+ \\(${code}\\)\\n$`));
  expect(ran.stdout).toBe("");
  expect(ran.code).toBe(EXIT_CODES[exit]);
}

async function withStorage<T>(use: (storage: ReturnType<typeof lmdbStorage>) => Promise<T>): Promise<T> {
  const storage = lmdbStorage({ path: at.path("store") });
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}

const everything = (): Promise<string[]> =>
  withStorage(async (storage) => {
    const found: string[] = [];
    for await (const { key, value } of storage.list(ranges.everything())) {
      found.push(`${toHex(key)}=${toHex(value)}`);
    }
    return found;
  });

/** Changes the first record of a range; `null` takes it away. */
const tamper = (
  range: Parameters<ReturnType<typeof lmdbStorage>["list"]>[0],
  change: (entry: Entry) => Uint8Array | null,
): Promise<void> =>
  withStorage(async (storage) => {
    for await (const entry of storage.list(range, { limit: 1 })) {
      const { key } = entry;
      const value = change(entry);
      await storage.commit({
        id: new Uint8Array(16),
        checks: [],
        mutations: [value === null ? { kind: "delete", key } : { kind: "put", key, value }],
      });
    }
  });

const only = (key: Uint8Array): { start: Uint8Array; end: Uint8Array } => ({
  start: key,
  end: Uint8Array.of(...key, 0),
});

const flipped = ({ value }: Entry): Uint8Array =>
  value.with(value.length >> 1, value[value.length >> 1]! ^ 1);

describe("a store that was changed", () => {
  beforeEach(async () => {
    await at.run("init");
    await at.run("create", "files");
  });

  it.each([
    ["the header", only(keyspace.header()), "list", flipped, "STORE_DAMAGED", "integrity"],
    [
      "the header's record format",
      only(keyspace.header()),
      "list",
      (e: Entry) => e.value.with(0, 2),
      "STORE_NEWER_FORMAT",
      "failed",
    ],
    ["the header's presence", only(keyspace.header()), "list", () => null, "STORE_DAMAGED", "integrity"],
    ["the epoch", only(keyspace.epoch()), "list", flipped, "STORE_DAMAGED", "integrity"],
    ["a key's record", ranges.keys(), "show", flipped, "STORE_DAMAGED", "integrity"],
    [
      "a key's record format",
      ranges.keys(),
      "show",
      (e: Entry) => e.value.with(0, 2),
      "STORE_NEWER_FORMAT",
      "failed",
    ],
    ["an audit entry", ranges.auditIntake(), "verify", flipped, "STORE_DAMAGED", "integrity"],
    ["an audit entry's presence", ranges.auditIntake(), "verify", () => null, "STORE_DAMAGED", "integrity"],
  ] as const)("in %s is refused, and left as it is", async (_, range, command, change, code, exit) => {
    const argv = { list: ["list"], show: ["show", "files"], verify: ["audit", "--verify"] }[command];
    expect((await at.run(...argv)).code).toBe(0);
    await tamper(range, change);
    const before = await everything();
    expectRefusal(await at.run(...argv), code, exit);
    expect(await everything()).toEqual(before);
  });

  it("in a root slot's bytes doesn't open", async () => {
    await tamper(only(keyspace.unlockSlots()), ({ value }) =>
      value.with(value.length - 40, value.at(-40)! ^ 1),
    );
    expectRefusal(await at.run("list"), "UNLOCK_FAILED", "denied");
  });
});

describe("what is no store of ours", () => {
  it("is refused where another program keeps its data in LMDB", async () => {
    await mkdir(at.path("store"));
    const root = openLmdb({ path: at.path("store"), noSubdir: false, maxDbs: 4 });
    await root.openDB("theirs", {}).put("key", "value");
    await root.close();
    const before = await readFile(at.path("store/data.mdb"));
    expectRefusal(await at.run("list"), "STORE_UNREADABLE", "failed");
    expectRefusal(await at.run("init"), "STORE_UNREADABLE", "failed");
    expect((await readFile(at.path("store/data.mdb"))).equals(before)).toBe(true);
  });

  it("is refused where it holds entries without a header", async () => {
    await withStorage((storage) =>
      storage.commit({
        id: new Uint8Array(16),
        checks: [],
        mutations: [{ kind: "put", key: Uint8Array.of(0x7f), value: Uint8Array.of(1) }],
      }),
    );
    expectRefusal(await at.run("init"), "STORE_DAMAGED", "integrity");
    expectRefusal(await at.run("list"), "STORE_DAMAGED", "integrity");
    expect(await everything()).toEqual(["7f=01"]);
  });

  // A folder in which nobody can make another one, root included.
  it.skipIf(process.platform !== "linux")("is refused where no store can be made", async () => {
    const argv = ["--store", "lmdb:/sys/keyloom-store", "--raw-key-file", at.path("key")];
    expectRefusal(await at.bare(["init", ...argv]), "STORAGE_READ_ONLY", "failed");
    expectRefusal(await at.bare(["list", ...argv]), "STORE_NOT_FOUND", "not-found");
  });
});

describe("arguments that make no sense", () => {
  it.each([
    [
      "an activation and none",
      ["create", "--pre-active", "--activation", "2030-01-01"],
      "exclude each other",
    ],
    [
      "a job to resume, but no count",
      ["create", "--job", "0197f5c0-0000-7000-8000-000000000000"],
      "goes with --count",
    ],
    ["a day that no month has", ["create", "--activation", "2027-02-31"], "--activation takes"],
    ["a time without its zone", ["create", "--activation", "2027-02-01T12:00"], "--activation takes"],
    ["a limit to verifying", ["audit", "--verify", "--limit", "3"], "exclude each other"],
    ["an option without its value", ["list", "--tag"], "--tag"],
    ["an option for the value of another", ["list", "--tag", "--json"], "ambiguous"],
    ["a count of zero", ["create", "--count", "0"], "--count takes"],
  ])("%s is a usage error, said before the store is looked for", async (_, argv, message) => {
    const ran = await at.bare(argv);
    // An option that asks for JSON may be among them.
    expect(ran.code).toBe(EXIT_CODES.usage);
    expect(ran.stderr).toContain(message);
    expect(ran.stderr).toContain("CLI_USAGE");
    expect(ran.stderr.trimEnd()).not.toContain("\n");
    expect(await readdir(at.folder)).toEqual(["key"]);
  });

  it("a count out of bounds, a job that is no id, and the cursor of another listing are refused", async () => {
    await at.run("init");
    for (const name of ["a", "b"]) await at.run("create", name, "--tag", "x");
    expectRefusal(await at.run("create", "--count", "9999999999"), "KEY_INVALID_OPTION", "usage");
    expectRefusal(await at.run("create", "--count", "2", "--job", "x"), "KEY_INVALID_OPTION", "usage");
    const { stdout } = await at.run("list", "--limit", "1", "--json");
    const { cursor } = JSON.parse(stdout) as { cursor: string };
    expect((await at.run("list", "--cursor", cursor)).code).toBe(0);
    const header = toHex(keyspace.header());
    for (const foreign of ["zz", "", header, cursor.slice(2), toHex(Uint8Array.of(...fromHex(cursor), 0))]) {
      expectRefusal(await at.run("list", "--cursor", foreign), "KEY_INVALID_OPTION", "usage");
    }
    expectRefusal(await at.run("list", "--tag", "x", "--cursor", cursor), "KEY_INVALID_OPTION", "usage");
  });
});

describe("a job cut off in the middle", () => {
  /** Interrupts a command once its job has done something. */
  async function cutOff(argv: readonly string[]): Promise<Ran> {
    const interrupt = new AbortController();
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    let err = "";
    stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
      if (/"done":[1-9]/.test(err)) interrupt.abort("interrupted");
    });
    const io = { stdin, stdout, stderr, env: {}, signal: interrupt.signal };
    const code = await main([...argv, ...options()], io, "1");
    return { code, stdout: String(stdout.read() ?? ""), stderr: err };
  }

  it.each(["create", "rewrap"])("of %s says its id, and goes on from there", async (name) => {
    await at.run("init");
    await at.run("create", "kek", "--usages", "wrap,unwrap");
    const create = ["create", "--count", "5000", "--under", "kek", "--json"];
    if (name === "rewrap") {
      expect((await at.run(...create)).code).toBe(0);
      await at.run("rotate", "kek");
    }
    const argv = name === "create" ? create : ["rewrap", "kek", "--json"];
    const ran = await cutOff(argv);
    expect(ran).toMatchObject({ code: EXIT_CODES.interrupted, stdout: "" });
    const lines = ran.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { progress?: { done: number }; error?: Record<string, string> });
    const { error } = lines.at(-1)!;
    const done = lines.at(-2)!.progress!.done;
    expect(done).toBeLessThan(5000);
    expect(error).toEqual({
      code: "JOB_CANCELLED",
      message: `interrupted; ${done.toLocaleString("en")} keys are done; the same command with --job ${error!["job"]} goes on from there`,
      job: expect.any(String),
    });
    const again = await at.run(...argv, "--job", error!["job"]!);
    const total = name === "create" ? { created: 5000 } : { rewrapped: 5000 };
    expect(JSON.parse(again.stdout)).toEqual({ job: error!["job"], ...total });
    // Another request under the same id is refused.
    const other = name === "create" ? ["create", "--count", "5001", "--under", "kek"] : create.slice(0, -1);
    expectRefusal(await at.run(...other, "--job", error!["job"]!), "JOB_REQUEST_MISMATCH", "conflict");
    expect((await at.run("audit", "--verify")).code).toBe(0);
  });
});

describe("a process", () => {
  /** The program, in a shell that first runs `before`; `after` follows it. */
  function shell(before: string, argv: readonly string[], after = ""): Promise<Ran> {
    const words = [process.execPath, "--import", "tsx", PROGRAM, ...argv, ...options()];
    const child = spawn("bash", ["-c", `set -o pipefail; ${before} "$@" ${after}`, "bash", ...words]);
    const ran = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => (ran[name] += chunk.toString("latin1")));
    }
    return new Promise((resolve) => child.on("close", (code) => resolve({ code: code ?? -1, ...ran })));
  }

  it("whose store can't grow fails with the job's id, and the job goes on once there is room", async () => {
    await at.run("init");
    const create = ["create", "--count", "20000"];
    // The limit, in KiB, ends the process with a signal unless that is ignored; then the write fails.
    const ran = await shell("trap '' XFSZ; ulimit -f 6000;", create);
    expectRefusal(ran, "STORAGE_FULL", "failed");
    const job = /--job ([0-9a-f-]{36})/.exec(ran.stderr)![1]!;
    expect((await readdir(at.path("store"))).sort()).toEqual(["data.mdb", "lock.mdb"]);
    expect((await at.run("audit", "--verify")).code).toBe(0);
    const again = await at.run(...create, "--job", job);
    expect(again.stdout).toBe(`20,000 keys (job ${job})\n`);
  });

  it("whose output isn't read any more ends without a stack", async () => {
    await at.run("init");
    await at.run("create", "files");
    await writeFile(at.path("plain"), Buffer.alloc(4 * 1024 * 1024));
    await at.run("encrypt", at.path("plain"), "--key", "files");
    const ran = await shell("", ["decrypt", at.path("plain.age"), "-o", "-"], "| head -c 1 | wc -c");
    expect(ran.stdout.trim()).toBe("1");
    expect(ran.stderr).toMatch(/^keyloom: nobody reads the output any more; [^\n]+ \(JOB_CANCELLED\)\n$/);
    expect(ran.code).toBe(EXIT_CODES.interrupted);
  });
});
