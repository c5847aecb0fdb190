/** A clock that stands still until it is told otherwise. Who waits by it waits one turn of the event loop, and no time passes. */
import type { Clock } from "../foundation/clock.js";

export interface VirtualClock extends Clock {
  /** Both clocks go on by so many milliseconds. */
  advance(ms: number): void;
  /** The wall clock jumps, backwards too; the monotonic one stays. */
  set(now: number | Date): void;
}

/** @param start - the wall clock at first; default 2030-01-01T00:00:00Z */
export function virtualClock(start: number | Date = Date.UTC(2030, 0, 1)): VirtualClock {
  let now = Number(start);
  let monotonic = 0;
  return {
    now: () => now,
    monotonic: () => monotonic,
    sleep: () => new Promise((resolve) => setTimeout(resolve, 0)),
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError("a clock is advanced by 0 milliseconds or more");
      now += ms;
      monotonic += ms;
    },
    set(value) {
      now = Number(value);
    },
  };
}
