/** Time enters the SDK here, at `key-manager.ts`, and nowhere else. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May step backwards. */
  now(): number;
  /** Milliseconds of a clock that never steps backwards, from an arbitrary start. */
  monotonic(): number;
  /** Waits so many milliseconds. */
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** In milliseconds. */
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The latest time a format can hold: 9999-12-31T23:59:59.999Z. */
export const MAX_TIME = 253_402_300_799_999;
