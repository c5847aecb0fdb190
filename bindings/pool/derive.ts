/**
 * Keys from passwords, derived in a worker of their own where the host has workers: the event loop goes on, and the memory
 * of the derivation is gone with the worker.
 *
 * The password goes to the worker's core sealed, the key comes back sealed: neither is in a message, and the key is never in
 * a heap.
 */
import { CoreError } from "../../sdk/foundation/errors.js";
import { ALGORITHM, USAGE, type KeyTemplate } from "../attributes.js";
import { chooseKind } from "../instantiate.js";
import type { Handle, Vault } from "../vault.js";
import { deriveHere, type Derivation } from "./derivation.js";
import { PAIR, type DerivationAnswer, type Spawn } from "./protocol.js";
import { startWorker } from "./start.js";

/** For the password's way: gone when the worker has it. */
const PASSWORD_KEY: KeyTemplate = {
  ...PAIR,
  algorithm: ALGORITHM.XCHACHA20_POLY1305,
  usages: USAGE.ENCRYPT | USAGE.DECRYPT,
};
const NOTHING = new Uint8Array(0);

/** One after another: each takes as much memory as its parameters say. */
let last: Promise<unknown> = Promise.resolve();

/**
 * @param password - read until the promise is settled
 * @param signal - ends the worker; the promise is rejected with the signal's reason
 * @throws {CoreError} as the vault's own derivations
 */
export function deriveAside(
  spawn: Spawn,
  vault: Vault,
  password: Uint8Array,
  derivation: Derivation,
  signal?: AbortSignal,
): Promise<Handle> {
  const derived = last.then(async () => {
    signal?.throwIfAborted();
    const key = await deriveInWorker(spawn, vault, password, derivation, signal);
    // Where no worker came up, or it died, the thread is blocked after all.
    return key ?? deriveHere(vault, password, derivation);
  });
  last = derived.catch(() => undefined);
  return derived;
}

/** @returns `null` where no worker came up, or it died */
async function deriveInWorker(
  spawn: Spawn,
  vault: Vault,
  password: Uint8Array,
  derivation: Derivation,
  signal: AbortSignal | undefined,
): Promise<Handle | null> {
  let end: (answer: DerivationAnswer | null) => void = () => undefined;
  const answered = new Promise<DerivationAnswer | null>((resolve) => (end = resolve));
  const listener = {
    receive: (message: { kind: string }) => end(message as DerivationAnswer),
    fail: () => end(null),
  };
  const simd = (await chooseKind(undefined)) === "simd";
  const started = await startWorker(spawn, simd, listener, signal).catch(() => null);
  signal?.throwIfAborted();
  if (started === null) return null;
  const { worker, publicKey } = started;
  const onAbort = (): void => end(null);
  signal?.addEventListener("abort", onAbort);
  const pair = vault.generate(PAIR);
  try {
    worker.hold(true);
    worker.post(
      { kind: "derive", ...sealed(vault, password, publicKey), recipient: vault.publicKey(pair), derivation },
      [],
    );
    const answer = await answered;
    signal?.throwIfAborted();
    if (answer === null) return null;
    if (answer.kind === "underived") throw new CoreError(answer.code, { message: answer.message });
    return vault.openFrom(pair, answer.key);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    worker.terminate();
    vault.dispose(pair);
  }
}

/** A password sealed under a fresh key, and that key sealed to a worker's pair. */
function sealed(
  vault: Vault,
  password: Uint8Array,
  recipient: Uint8Array,
): { password: Uint8Array; passwordKey: Uint8Array } {
  const key = vault.generate(PASSWORD_KEY);
  try {
    return { password: vault.seal(key, NOTHING, password), passwordKey: vault.sealTo(key, recipient) };
  } finally {
    vault.dispose(key);
  }
}
