/**
 * The vault's batch calls as a pool divides them: which inputs lie record by record, and how a piece is run. Both sides, the
 * worker's and the caller's (who runs pieces himself where there are no workers), work from this one table.
 */
import type { Handle, Vault } from "../vault.js";

export type BatchCall = "generateAndWrapBatch" | "openCheckBatch" | "rewrapBatch" | "deriveBatch";

/** What a piece of a batch gives: records back to back, and a status of each where the call has them. */
export interface PieceResult {
  output: Uint8Array;
  statuses: Uint8Array | null;
}

/** Runs one piece. `inputs` hold `count` records each, back to back; `count` is not 0. */
type RunPiece = (
  vault: Vault,
  keys: readonly Handle[],
  inputs: readonly Uint8Array[],
  count: number,
) => PieceResult;

export const CALLS: Readonly<Record<BatchCall, RunPiece>> = {
  generateAndWrapBatch: (vault, [kek], [attributes], count) => ({
    output: vault.generateAndWrapBatch(kek!, attributes!, count),
    statuses: null,
  }),
  openCheckBatch: (vault, [kek], [attributes, wrapped], count) => ({
    output: new Uint8Array(0), // not one for all: it is handed over
    statuses: vault.openCheckBatch(kek!, attributes!, wrapped!, count).statuses,
  }),
  rewrapBatch(vault, [oldKek, newKek], [attributes, wrapped], count) {
    const { wrapped: output, statuses } = vault.rewrapBatch(oldKek!, newKek!, attributes!, wrapped!, count);
    return { output, statuses };
  },
  deriveBatch: (vault, [parent, kek], [attributes, infos], count) => ({
    output: vault.deriveBatch(parent!, kek!, attributes!, infos!, infos!.length / count, count),
    statuses: null,
  }),
};
