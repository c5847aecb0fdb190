/** The worker's side of a pool: a core of its own, keys that are opened in it, pieces that are run on it. */
import { CoreError, isKeyloomError } from "../../sdk/foundation/errors.js";
import { ALGORITHM, USAGE } from "../attributes.js";
import { loadCoreWith } from "../load.js";
import type { Handle, Vault } from "../vault.js";
import { CALLS } from "./calls.js";
import type { FromWorker, Port, ToWorker } from "./protocol.js";

const PAIR = {
  algorithm: ALGORITHM.X25519,
  usages: USAGE.AGREE,
  exportable: false,
  id: new Uint8Array(16),
  version: 1,
};

/** Serves a pool until the worker is terminated. */
export function serve(port: Port<FromWorker, ToWorker>): void {
  let started: Promise<{ vault: Vault; pair: Handle }> | null = null;
  const batches = new Map<number, Handle[]>();

  const start = async (simd: boolean): Promise<{ vault: Vault; pair: Handle }> => {
    const { vault } = await loadCoreWith({ simd });
    const pair = vault.generate(PAIR);
    port.post({ kind: "ready", publicKey: vault.publicKey(pair) }, []);
    return { vault, pair };
  };

  const answer = async (message: Exclude<ToWorker, { kind: "start" }>): Promise<void> => {
    if (started === null) throw new CoreError("CORE_INTERNAL", { message: "a worker that was not started" });
    const { vault, pair } = await started;
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
      started ??= start(message.simd);
      return;
    }
    answer(message).catch((error: unknown) => {
      const { batch } = message;
      const piece = message.kind === "piece" ? message.piece : null;
      const code = isKeyloomError(error) ? error.code : "CORE_INTERNAL";
      port.post({ kind: "refused", batch, piece, code, message: String((error as Error).message) }, []);
    });
  });
}

/** Bytes in a buffer of their own, which can be handed over. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return (whole ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
}
