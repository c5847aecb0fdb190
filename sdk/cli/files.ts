/** Files in and out: an output is written beside its place and renamed once its last chunk is there. */
import { once } from "node:events";
import { createReadStream, type Stats } from "node:fs";
import { lstat, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { addAbortSignal } from "node:stream";
import { KeyloomError, type ErrorCode } from "../index.js";
import { interrupted, usage, type Io } from "./io.js";

export const ENCRYPTED_SUFFIX = ".age";

const READ_BYTES = 256 * 1024;

/** What the system says about a file, where callers would want it told apart. */
const FILE_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["CLI_FILE_NOT_FOUND", "there is no such file or folder"],
  ENOTDIR: ["CLI_FILE_NOT_FOUND", "there is no such file or folder"],
  ENOSPC: ["STORAGE_FULL", "no space is left on the device"],
  EDQUOT: ["STORAGE_FULL", "the disk quota is used up"],
  EFBIG: ["STORAGE_FULL", "the file may not grow further"],
};

/** The error to throw for what the file system threw. @param doing - what failed: "can't read FILE" */
export function fileError(doing: string, cause: unknown): unknown {
  const known = FILE_ERRORS[String((cause as { code?: unknown } | null)?.code)];
  return known === undefined
    ? cause
    : new KeyloomError(known[0], { message: `${doing}: ${known[1]}`, cause });
}

/** @throws {KeyloomError} `CLI_FILE_NOT_FOUND`, `CLI_USAGE` for a folder, before anything else is done */
export async function requireReadable(path: string): Promise<void> {
  if (path === "-") return;
  const found = await stat(path).catch((cause: unknown) => {
    throw fileError(`can't read ${path}`, cause);
  });
  if (found.isDirectory()) throw usage(`${path} is a folder`);
}

/** A source of bytes: a file, or `-` for stdin. Opened at the first read; an interrupt makes it fail. */
export function source(io: Io, path: string): AsyncIterable<Uint8Array> {
  return path === "-" ? addAbortSignal(io.signal, io.stdin) : readFrom(path, io.signal);
}

async function* readFrom(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: READ_BYTES, signal }) as AsyncIterable<Uint8Array>;
}

/**
 * A small file as a whole, in one array, so that it can be wiped.
 *
 * @param what - whose longest has `most` bytes
 * @throws {KeyloomError} `CLI_USAGE` for a longer one, `CLI_FILE_NOT_FOUND`
 */
export async function readWhole(io: Io, path: string, most: number, what: string): Promise<Uint8Array> {
  await requireReadable(path);
  const whole = new Uint8Array(most + 1);
  let length = 0;
  for await (const chunk of source(io, path)) {
    whole.set(chunk.subarray(0, whole.length - length), length);
    length = Math.min(whole.length, length + chunk.length);
    chunk.fill(0);
  }
  if (length <= most) return whole.subarray(0, length);
  whole.fill(0);
  throw usage(`${path} holds more than the ${most} bytes of ${what}`);
}

/** Where `encrypt FILE` writes when nothing else is said. */
export function encryptedName(path: string): string {
  return path === "-" ? "-" : `${path}${ENCRYPTED_SUFFIX}`;
}

/** Where `decrypt FILE.age` writes. @throws {KeyloomError} `CLI_USAGE` for another name: say where with `-o` */
export function decryptedName(path: string): string {
  if (path === "-") return "-";
  if (path.endsWith(ENCRYPTED_SUFFIX) && basename(path) !== ENCRYPTED_SUFFIX) {
    return path.slice(0, -ENCRYPTED_SUFFIX.length);
  }
  throw usage(`${path} does not end in ${ENCRYPTED_SUFFIX}: name the output with -o`);
}

/**
 * Makes sure that an output may be put at `target`.
 *
 * @throws {KeyloomError} `CLI_FILE_EXISTS`, unless forced; `CLI_USAGE` for a folder or a device, which a rename
 *   would replace or fail at
 */
export async function requireFree(target: string, force: boolean): Promise<void> {
  if (target === "-") return;
  const found: Stats | null = await lstat(target).catch(() => null);
  if (found === null) return;
  if (!found.isFile() && !found.isSymbolicLink()) throw usage(`${target} is no regular file; - is stdout`);
  if (!force) throw new KeyloomError("CLI_FILE_EXISTS", { message: `${target} exists; --force replaces it` });
}

/**
 * Writes a stream to `target`.
 *
 * @param force - replace what is there; checked once more at the end, for others write files too
 * @returns the number of bytes
 * @throws {KeyloomError} `JOB_CANCELLED` after an interrupt; `CLI_FILE_EXISTS`, `CLI_FILE_NOT_FOUND`,
 *   `STORAGE_FULL`; what the stream failed with. No file is left in any of these cases.
 */
export async function writeOut(
  io: Io,
  target: string,
  stream: ReadableStream<Uint8Array>,
  force = false,
): Promise<number> {
  try {
    return await (target === "-" ? writeStdout(io, stream) : writeBeside(io, target, stream, force));
  } catch (error) {
    if (!io.signal.aborted) throw error;
    throw interrupted(io.signal, target === "-" ? "the output is incomplete" : "nothing was written");
  }
}

async function writeStdout(io: Io, stream: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (!io.stdout.write(chunk)) await once(io.stdout, "drain", { signal: io.signal });
  }
  return length;
}

async function writeBeside(
  io: Io,
  target: string,
  stream: ReadableStream<Uint8Array>,
  force: boolean,
): Promise<number> {
  const unique = `${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  const temporary = join(dirname(target), `.keyloom-${unique}.partial`);
  const doing = `can't write ${target}`;
  const file = await open(temporary, "wx", 0o600).catch((cause: unknown) => {
    throw fileError(doing, cause);
  });
  let length = 0;
  try {
    for await (const chunk of stream) {
      for (let written = 0; written < chunk.length;) {
        written += (await file.write(chunk, written)).bytesWritten;
      }
      length += chunk.length;
      io.signal.throwIfAborted();
    }
    await file.sync();
    await file.close();
    await requireFree(target, force);
    await rename(temporary, target);
    return length;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw fileError(doing, error);
  }
}
