/** Progress: a bar on a terminal, JSON lines with `--json`, nothing else. Always on stderr. */
import { Presets, SingleBar } from "cli-progress";
import { isKeyloomError, KeyloomError, type Job } from "../index.js";
import { interrupted, jsonLine, type Io } from "./io.js";

/**
 * Follows a job to its end. An interrupt cancels it between two batches.
 *
 * @param items - what the job counts, for messages; `null`: there is nothing to go on from
 * @throws {KeyloomError} what the job throws, with the job's id in the message where something is done already
 */
export async function follow<S>(
  io: Io,
  json: boolean,
  label: string,
  job: Job<S>,
  items: string | null = "keys",
): Promise<S> {
  const bar = !json && io.stderr.isTTY === true ? newBar(io, label) : null;
  const cancel = (): void => job.cancel(io.signal.reason);
  io.signal.addEventListener("abort", cancel, { once: true });
  if (io.signal.aborted) cancel();
  let done: number | null = null;
  try {
    for await (const progress of job) {
      if (json) io.stderr.write(jsonLine({ progress }));
      if (bar !== null && progress.total !== null) {
        if (done === null) bar.start(progress.total, progress.done);
        else bar.update(progress.done);
      }
      done = progress.done;
    }
    return await job;
  } catch (error) {
    throw resumable(io, error, job.id, done ?? 0, items);
  } finally {
    bar?.stop();
    io.signal.removeEventListener("abort", cancel);
  }
}

function resumable(io: Io, error: unknown, job: string, done: number, items: string | null): unknown {
  if (items === null && isKeyloomError(error, "JOB_CANCELLED"))
    return interrupted(io.signal, "run it again to go on");
  if (!(error instanceof KeyloomError) || items === null || done === 0) return error;
  const cause = isKeyloomError(error, "JOB_CANCELLED")
    ? interrupted(io.signal, `${done.toLocaleString("en")} ${items} are done`)
    : error;
  const message = `${cause.message}; the same command with --job ${job} goes on from there`;
  return new KeyloomError(error.code, { ...error.details, message, job, cause: error });
}

function newBar(io: Io, label: string): SingleBar {
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
