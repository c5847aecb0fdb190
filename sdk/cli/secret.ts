/** Where the passphrase comes from: a file, the environment, or a prompt. Never an argument: those are seen by all. */
import { readFile } from "node:fs/promises";
import { KeyloomError, passphrase, rawKey, type UnlockMethod } from "../index.js";
import type { Io } from "./io.js";

export interface SecretOptions {
  passphraseFile?: string | undefined;
  rawKeyFile?: string | undefined;
}

export function unlockMethod(io: Io, options: SecretOptions, confirm: boolean): UnlockMethod {
  if (options.passphraseFile !== undefined && options.rawKeyFile !== undefined) {
    throw new KeyloomError("CLI_USAGE", {
      message: "--passphrase-file and --raw-key-file exclude each other",
    });
  }
  const { rawKeyFile, passphraseFile } = options;
  if (rawKeyFile !== undefined) return rawKey(() => readFile(rawKeyFile));
  if (passphraseFile !== undefined) return passphrase(async () => firstLine(await readFile(passphraseFile)));
  const fromEnvironment = io.env["KEYLOOM_PASSPHRASE"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return passphrase(fromEnvironment);
  return passphrase(() => ask(io, confirm));
}

/** A file's content up to its first line end, which editors add and nobody means. */
function firstLine(content: Uint8Array): Uint8Array {
  const end = content.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const line = content.slice(0, end < 0 ? content.length : end);
  content.fill(0);
  return line;
}

async function ask(io: Io, confirm: boolean): Promise<Uint8Array> {
  if (io.stdin.isTTY !== true || io.stdin.setRawMode === undefined) {
    throw new KeyloomError("CLI_USAGE", {
      message:
        "no passphrase: give --passphrase-file, --raw-key-file or KEYLOOM_PASSPHRASE, or run on a terminal",
    });
  }
  const first = await prompt(io, "Passphrase: ");
  if (!confirm) return first;
  const second = await prompt(io, "Once more: ");
  const same = first.length === second.length && first.every((byte, i) => byte === second[i]);
  second.fill(0);
  if (same) return first;
  first.fill(0);
  throw new KeyloomError("CLI_USAGE", { message: "the two passphrases differ" });
}

const ENTER = [0x0a, 0x0d];
const BACKSPACE = [0x08, 0x7f];
const INTERRUPT = 0x03;
const MAX_PASSPHRASE_BYTES = 4096;

/** Reads one line from a terminal without showing it. */
function prompt(io: Io, text: string): Promise<Uint8Array> {
  const { stdin, stderr } = io;
  stderr.write(text);
  stdin.setRawMode!(true);
  stdin.resume();
  const typed = new Uint8Array(MAX_PASSPHRASE_BYTES);
  let length = 0;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      stdin.removeListener("data", onData);
      stdin.setRawMode!(false);
      stdin.pause();
      stderr.write("\n");
      settle();
      typed.fill(0);
    };
    const onData = (chunk: Uint8Array): void => {
      for (const byte of chunk) {
        if (ENTER.includes(byte)) return end(() => resolve(typed.slice(0, length)));
        if (byte === INTERRUPT) {
          const interrupted = new KeyloomError("JOB_CANCELLED", { message: "interrupted" });
          return end(() => reject(interrupted));
        }
        if (BACKSPACE.includes(byte)) {
          // One character of UTF-8: its continuation bytes first.
          while (length > 0 && (typed[--length]! & 0xc0) === 0x80);
        } else if (length < MAX_PASSPHRASE_BYTES) {
          typed[length++] = byte;
        }
      }
    };
    stdin.on("data", onData);
  });
}
