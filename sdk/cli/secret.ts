/** Where the passphrase comes from: a file, the environment, or a prompt. Never an argument: those are seen by all. */
import { readFile } from "node:fs/promises";
import { passphrase, rawKey, type UnlockMethod } from "../index.js";
import { fileError } from "./files.js";
import { usage, type Io } from "./io.js";
import { text, type Values } from "./options.js";
import { prompt } from "./prompt.js";

export interface SecretOptions {
  passphraseFile?: string | undefined;
  rawKeyFile?: string | undefined;
}

/** @param confirm - ask twice, for a passphrase that is about to be set */
export function unlockMethod(io: Io, options: SecretOptions, confirm: boolean): UnlockMethod {
  const { rawKeyFile, passphraseFile } = options;
  if (rawKeyFile !== undefined) return rawKey(() => readSecret(rawKeyFile));
  if (passphraseFile !== undefined) {
    return passphrase(async () => normalised(firstLine(await readSecret(passphraseFile))));
  }
  const fromEnvironment = io.env["KEYLOOM_PASSPHRASE"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return passphrase(fromEnvironment);
  return passphrase(async () => normalised(await ask(io, confirm)));
}

/** The passphrase of a file that no store knows of, from where a store's would come. */
export function filePassphrase(
  { io, values }: { io: Io; values: Values },
  confirm: boolean,
): Promise<Uint8Array> {
  return unlockMethod(io, { passphraseFile: text(values, "passphrase-file") }, confirm).secret();
}

/** The same method with its secret fetched: what fails in that fails now, before a store is made. */
export async function fetched(method: UnlockMethod): Promise<UnlockMethod> {
  const secret = await method.secret();
  return { ...method, secret: async () => secret };
}

export function readSecret(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw fileError(`can't read ${path}`, cause);
  });
}

/** A file's content up to its first line end, which editors add and nobody means. */
function firstLine(content: Uint8Array): Uint8Array {
  const end = content.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const line = Uint8Array.from(content.subarray(0, end < 0 ? content.length : end));
  content.fill(0);
  return line;
}

/**
 * One passphrase is the same bytes wherever it comes from: texts are in NFC. Bytes that are no UTF-8 stay as they
 * are, and so does ASCII, which thus never becomes a string that can't be wiped.
 */
function normalised(secret: Uint8Array): Uint8Array {
  if (secret.every((byte) => byte < 0x80)) return secret;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(secret);
  } catch {
    return secret;
  }
  secret.fill(0);
  return new TextEncoder().encode(text.normalize("NFC"));
}

async function ask(io: Io, confirm: boolean): Promise<Uint8Array> {
  if (io.stdin.isTTY !== true || io.stdin.setRawMode === undefined) {
    throw usage(
      "no passphrase: give --passphrase-file, --raw-key-file or KEYLOOM_PASSPHRASE, or run on a terminal",
    );
  }
  const first = await prompt(io, "Passphrase: ");
  if (!confirm) return first;
  const second = await prompt(io, "Once more: ");
  const same = first.length === second.length && first.every((byte, i) => byte === second[i]);
  second.fill(0);
  if (same) return first;
  first.fill(0);
  throw usage("the two passphrases differ");
}
