/** One line from a terminal, not shown. */
import { interrupted, usage, type Io } from "./io.js";

const ENTER = [0x0a, 0x0d];
const BACKSPACE = [0x08, 0x7f];
const INTERRUPT = 0x03;
const END_OF_INPUT = 0x04;
const KILL_LINE = 0x15;
const MAX_BYTES = 4096;

/**
 * Asks on stderr and reads from stdin, which must be a terminal.
 *
 * @returns the bytes typed, without the line end; owned by the caller
 * @throws {KeyloomError} `JOB_CANCELLED` for Ctrl-C, Ctrl-D, a signal or the end of the terminal; `CLI_USAGE` for
 *   more than 4096 bytes
 */
export function prompt(io: Io, question: string): Promise<Uint8Array> {
  const { stdin, stderr, signal } = io;
  const typed = new Uint8Array(MAX_BYTES);
  let length = 0;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      stdin.removeListener("data", onData);
      stdin.removeListener("end", onEnd);
      signal.removeEventListener("abort", onEnd);
      stdin.setRawMode!(false);
      stdin.pause();
      stderr.write("\n");
      settle();
      typed.fill(0);
    };
    const onEnd = (): void => end(() => reject(interrupted(signal, "no passphrase was given")));
    const onData = (chunk: Uint8Array): void => {
      for (const [i, byte] of chunk.entries()) {
        if (ENTER.includes(byte)) {
          const rest = Uint8Array.from(chunk.subarray(i + 1));
          end(() => resolve(typed.slice(0, length)));
          // What was typed ahead answers the next question.
          if (rest.length > 0) stdin.unshift(rest);
          break;
        }
        if (byte === INTERRUPT || byte === END_OF_INPUT) {
          onEnd();
          break;
        }
        if (byte === KILL_LINE) {
          length = 0;
        } else if (BACKSPACE.includes(byte)) {
          // One character of UTF-8: its continuation bytes first.
          while (length > 0 && (typed[--length]! & 0xc0) === 0x80);
        } else if (length < MAX_BYTES) {
          typed[length++] = byte;
        } else {
          end(() => reject(usage(`a passphrase has at most ${MAX_BYTES} bytes`)));
          break;
        }
      }
      chunk.fill(0);
    };
    if (signal.aborted) return onEnd();
    stdin.on("data", onData);
    stdin.once("end", onEnd);
    signal.addEventListener("abort", onEnd, { once: true });
    // The echo goes first: who sees the question may type.
    stdin.setRawMode!(true);
    stderr.write(question);
    stdin.resume();
  });
}
