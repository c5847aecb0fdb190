/** Files in and out: an output is written beside its place and renamed once its last chunk is there. */
import { createReadStream } from "node:fs";
import { access, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KeyloomError } from "../index.js";
import { safe, type Io } from "./io.js";

export const ENCRYPTED_SUFFIX = ".age";

export interface OutputOptions {
  output?: string | undefined;
  force?: boolean | undefined;
}

/** A source of bytes: a file, or `-` for stdin. */
export async function source(io: Io, path: string): Promise<AsyncIterable<Uint8Array>> {
  if (path === "-") return io.stdin;
  const found = await stat(path).catch((cause: unknown) => {
    throw new KeyloomError("CLI_FILE_NOT_FOUND", { message: `can't read ${safe(path)}`, cause });
  });
  if (!found.isFile()) throw new KeyloomError("CLI_USAGE", { message: `${safe(path)} is not a file` });
  return createReadStream(path, { highWaterMark: 256 * 1024 });
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
  throw new KeyloomError("CLI_USAGE", {
    message: `${safe(path)} does not end in ${ENCRYPTED_SUFFIX}: name the output with -o`,
  });
}

/** @throws {KeyloomError} `CLI_FILE_EXISTS` before anything is read or written */
export async function requireFree(target: string, force: boolean | undefined): Promise<void> {
  if (target === "-" || force === true) return;
  const exists = await access(target).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new KeyloomError("CLI_FILE_EXISTS", { message: `${safe(target)} exists; --force replaces it` });
}

/** Writes a stream to `target`. @returns the number of bytes */
export async function writeOut(io: Io, target: string, stream: ReadableStream<Uint8Array>): Promise<number> {
  return target === "-" ? writeStdout(io, stream) : writeFileBeside(io, target, stream);
}

async function writeStdout(io: Io, stream: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (!io.stdout.write(chunk)) await new Promise((resolve) => io.stdout.once("drain", resolve));
  }
  return length;
}

async function writeFileBeside(io: Io, target: string, stream: ReadableStream<Uint8Array>): Promise<number> {
  const unique = `${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  const temporary = join(dirname(target), `.${basename(target)}.${unique}.partial`);
  const file = await open(temporary, "wx", 0o600);
  let length = 0;
  try {
    for await (const chunk of stream) {
      if (io.signal.aborted)
        throw new KeyloomError("JOB_CANCELLED", { message: "interrupted; nothing was written" });
      for (let written = 0; written < chunk.length;) {
        written += (await file.write(chunk, written)).bytesWritten;
      }
      length += chunk.length;
    }
    await file.sync();
    await file.close();
    await rename(temporary, target);
    return length;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw fullOrNot(error);
  }
}

function fullOrNot(error: unknown): unknown {
  if ((error as { code?: unknown } | null)?.code !== "ENOSPC") return error;
  return new KeyloomError("STORAGE_FULL", { message: "no room for the output on this disk", cause: error });
}
