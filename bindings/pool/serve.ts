/** The worker's side: a core of its own, keys that are opened in it, pieces and derivations that are run on it. */
import { CoreError, isKeyloomError, type ErrorCode } from "../../sdk/foundation/errors.js";
import { loadCoreWith } from "../load.js";
import type { Handle, Vault } from "../vault.js";
import { CALLS } from "./calls.js";
import { deriveHere } from "./derivation.js";
import { PAIR, type DerivationAnswer, type FromWorker, type Port, type ToWorker } from "./protocol.js";

const NOTHING = new Uint8Array(0);

/** Serves until the worker is terminated. */
export function serve(port: Port<FromWorker, ToWorker>): void {
  let started: Promise<{ vault: Vault; pair: Handle }> | null = null;
  const batches = new Map<number, Handle[]>();

  const start = async (
    simd: boolean,
    module: WebAssembly.Module,
  ): Promise<{ vault: Vault; pair: Handle }> => {
    const { vault } = await loadCoreWith({ simd, module });
    const pair = vault.generate(PAIR);
    port.post({ kind: "ready", publicKey: vault.publicKey(pair) }, []);
    return { vault, pair };
  };

  const ready = (): Promise<{ vault: Vault; pair: Handle }> => {
    if (started !== null) return started;
    throw new CoreError("CORE_INTERNAL", { message: "a worker that was not started" });
  };

  const derive = async ({
    password: sealed,
    passwordKey,
    recipient,
    derivation,
  }: Extract<ToWorker, { kind: "derive" }>): Promise<DerivationAnswer> => {
    const { vault, pair } = await ready();
    try {
      const opener = vault.openFrom(pair, passwordKey);
      const key = vault.openLent(opener, NOTHING, sealed, (password) =>
        deriveHere(vault, password, derivation),
      );
      return { kind: "derived", key: vault.sealTo(key, recipient) };
    } finally {
      // It was started for this alone: nothing is left in its memory when it is dropped.
      vault.disposeAll();
    }
  };

  const answer = async (message: Exclude<ToWorker, { kind: "start" | "derive" }>): Promise<void> => {
    const { vault, pair } = await ready();
    const { batch } = message;
    if (message.kind === "begin") {
      const handles: Handle[] = [];
      batches.set(batch, handles);
      for (const key of message.keys) handles.push(vault.openFrom(pair, key));
    } else if (message.kind === "end") {
      for (const handle of batches.get(batch) ?? []) vault.dispose(handle);
      batches.delete(batch);
    } else {
      const { piece, call, inputs, count } = message;
      const { output, statuses } = CALLS[call](vault, batches.get(batch) ?? [], inputs, count);
      const result = { output: owned(output), statuses: statuses === null ? null : owned(statuses) };
      const transfer = [result.output.buffer, ...(result.statuses === null ? [] : [result.statuses.buffer])];
      port.post({ kind: "done", batch, piece, ...result }, transfer);
    }
  };

  port.onMessage((message) => {
    if (message.kind === "start") {
      started ??= start(message.simd, message.module);
    } else if (message.kind === "derive") {
      derive(message)
        .catch((error: unknown): DerivationAnswer => ({ kind: "underived", ...told(error) }))
        .then((derived) => port.post(derived, []));
    } else {
      answer(message).catch((error: unknown) => {
        const { batch } = message;
        const piece = message.kind === "piece" ? message.piece : null;
        port.post({ kind: "refused", batch, piece, ...told(error) }, []);
      });
    }
  });
}

/** An error as a message tells of it. */
function told(error: unknown): { code: ErrorCode; message: string } {
  const code = isKeyloomError(error) ? error.code : "CORE_INTERNAL";
  return { code, message: String((error as Error).message) };
}

/** Bytes in a buffer of their own, which can be handed over. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return (whole ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
}
