/** A folder with a store, a raw key and files, and the command line run in it: in this process or in one of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { expect } from "vitest";

import { main } from "../../sdk/cli/main.js";
import type { Io } from "../../sdk/cli/io.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface RunOptions {
  stdin?: Io["stdin"] | undefined;
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Sees everything written to stderr, while the command runs. */
  onStderr?: (text: string) => void;
  /** Let stderr pass for a terminal. */
  tty?: boolean;
}

export interface Outcome {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

export const text = (outcome: Outcome): string => outcome.stdout.toString("utf8");

/** A command's one JSON value. A second line, or none, fails. */
export function json<T = any>(outcome: Outcome): T {
  expect(outcome.code, outcome.stderr).toBe(0);
  expect(text(outcome)).toMatch(/^[^\n]+\n$/);
  return JSON.parse(text(outcome)) as T;
}

export function jsonLines(stderr: string): any[] {
  expect(stderr).toMatch(/^(\{.*\}\n)*$/);
  return stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

class Sink extends Writable {
  readonly chunks: Buffer[] = [];
  isTTY?: boolean;
  readonly columns = 120;

  constructor(onText?: (text: string) => void) {
    super({
      write: (chunk: Buffer, _encoding, done) => {
        this.chunks.push(Buffer.from(chunk));
        onText?.(chunk.toString());
        done();
      },
    });
  }
}

/** Runs the command line with exactly these arguments. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const stdout = new Sink();
  const stderr = new Sink(options.onStderr);
  if (options.tty === true) stderr.isTTY = true;
  const io: Io = {
    stdin: options.stdin ?? Readable.from([]),
    stdout,
    stderr,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
  };
  const code = await main(argv, io, "0.0.0-test");
  return { code, stdout: Buffer.concat(stdout.chunks), stderr: Buffer.concat(stderr.chunks).toString() };
}

/** One line, no stack, nothing on stdout. */
export function expectRefused(outcome: Outcome, exit: number, code: string): void {
  expect(outcome.stderr).toMatch(/^keyloom: [^\n]+ \([A-Z_]+\)\n$/);
  expect(outcome.stderr).toContain(`(${code})\n`);
  expect(outcome.stderr).not.toMatch(/\bat .*\.[jt]s:\d/);
  expect(outcome.code).toBe(exit);
  expect(text(outcome)).toBe("");
}

export interface Change {
  key: Uint8Array;
  /** The new value; the old one for `null` where the record is missing. */
  change(value: Uint8Array): Uint8Array;
}

export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "keyloom-cli-"));
  readonly #children = new Set<ChildProcess>();

  constructor() {
    writeFileSync(
      this.path("raw.key"),
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
  }

  /** With a store in it. */
  static async withStore(): Promise<Workspace> {
    const workspace = new Workspace();
    expect(await workspace.run(["init"])).toMatchObject({ code: 0, stderr: "" });
    return workspace;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: Uint8Array | string): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  get store(): string {
    return `lmdb:${this.path("store")}`;
  }

  /** The arguments with this store and its key. */
  args(argv: readonly string[]): string[] {
    return ["--store", this.store, "--raw-key-file", this.path("raw.key"), ...argv];
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run(this.args(argv), options);
  }

  async json<T = any>(argv: readonly string[], options: RunOptions = {}): Promise<T> {
    return json<T>(await this.run([...argv, "--json"], options));
  }

  /** Everything that lies here, byte by byte; of the store its entries' file, not the table of its readers. */
  fingerprint(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of readdirSync(this.folder, { recursive: true }) as string[]) {
      const path = this.path(name);
      if (name.endsWith("lock.mdb")) continue;
      found[name] = statSync(path).isFile()
        ? createHash("sha256").update(readFileSync(path)).digest("hex")
        : "folder";
    }
    return found;
  }

  /** Refused with one line; nothing written, nothing left over. */
  async refuses(
    argv: readonly string[],
    exit: number,
    code: string,
    options: RunOptions = {},
  ): Promise<Outcome> {
    return this.unchanged(() => this.run(argv, options), exit, code);
  }

  async unchanged(work: () => Promise<Outcome>, exit: number, code: string): Promise<Outcome> {
    const before = this.fingerprint();
    const outcome = await work();
    expectRefused(outcome, exit, code);
    expect(this.fingerprint()).toEqual(before);
    return outcome;
  }

  /** The store still opens, and its whole audit log is in order. */
  async expectSound(): Promise<void> {
    expect(await this.json(["audit", "--verify"])).toMatchObject({ verified: true });
  }

  /** Changes a record under the library's nose. */
  async tamper({ key, change }: Change): Promise<void> {
    const storage = lmdbStorage({ path: this.path("store"), create: false });
    const entry = (await storage.get(key))!;
    const mutations = [{ kind: "put", key, value: change(entry.value) }] as const;
    await storage.commit({ id: new Uint8Array(16), checks: [], mutations: [...mutations] });
    await storage.close();
  }

  /** The program itself, in a process of its own. */
  spawn(
    argv: readonly string[],
    options: { shell?: string; env?: Record<string, string> } = {},
  ): ChildProcess {
    const words = [process.execPath, "--import", "tsx", join(ROOT, "sdk/cli/index.ts"), ...this.args(argv)];
    const child =
      options.shell === undefined
        ? spawn(words[0]!, words.slice(1), { cwd: ROOT, env: { ...process.env, ...options.env } })
        : spawn("/bin/sh", ["-c", `${options.shell} exec "$@"`, "sh", ...words], { cwd: ROOT });
    this.#children.add(child);
    return child;
  }

  remove(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve) =>
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    ),
  );
}
