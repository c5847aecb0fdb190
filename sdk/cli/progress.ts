/** Progress: a bar on a terminal, JSON lines with `--json`, nothing else. Always on stderr. */
import { Presets, SingleBar } from "cli-progress";
import type { Job } from "../index.js";
import type { Io } from "./io.js";

/** Follows a job to its end. An interrupt cancels it between two batches. */
export async function follow<S>(io: Io, json: boolean, label: string, job: Job<S>): Promise<S> {
  const bar = !json && io.stderr.isTTY === true ? newBar(io, label) : null;
  const cancel = (): void => job.cancel("interrupted");
  io.signal.addEventListener("abort", cancel, { once: true });
  if (io.signal.aborted) cancel();
  try {
    let started = false;
    for await (const progress of job) {
      if (json) io.stderr.write(`${JSON.stringify({ progress })}\n`);
      if (bar === null || progress.total === null) continue;
      if (started) bar.update(progress.done);
      else bar.start(progress.total, progress.done);
      started = true;
    }
    return await job;
  } finally {
    bar?.stop();
    io.signal.removeEventListener("abort", cancel);
  }
}

export function newBar(io: Io, label: string): SingleBar {
  return new SingleBar(
    {
      format: `${label} [{bar}] {percentage}% | {value}/{total} | {eta_formatted} left`,
      stream: io.stderr as NodeJS.WriteStream,
      hideCursor: true,
      clearOnComplete: false,
    },
    Presets.rect,
  );
}
