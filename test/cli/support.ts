/** Runs the command line with streams in memory. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { main } from "../../sdk/cli/main.js";

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Bench {
  folder: string;
  /** Runs a command with the store and the key file of this bench. */
  run(...argv: string[]): Promise<Ran>;
  /** Runs with nothing added. */
  bare(
    argv: string[],
    more?: { env?: Record<string, string>; stdin?: Uint8Array; signal?: AbortSignal },
  ): Promise<Ran>;
  path(name: string): string;
}

async function read(stream: PassThrough): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}

/** A folder of its own, with a raw key in a file, so that unlocking takes no time. */
export async function bench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "keyloom-cli-"));
  const path = (name: string): string => join(folder, name);
  await writeFile(path("key"), new Uint8Array(32).fill(3));
  const bare: Bench["bare"] = async (argv, more = {}) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const [out, err] = [read(stdout), read(stderr)];
    const stdin = Readable.from(more.stdin === undefined ? [] : [Buffer.from(more.stdin)], {
      objectMode: false,
    });
    const code = await main(
      argv,
      { stdin, stdout, stderr, env: more.env ?? {}, signal: more.signal ?? new AbortController().signal },
      "1.2.3",
    );
    stdout.end();
    stderr.end();
    return { code, stdout: await out, stderr: await err };
  };
  const store = ["--store", `lmdb:${path("store")}`, "--raw-key-file", path("key")];
  return { folder, path, bare, run: (...argv) => bare([...argv, ...store]) };
}
