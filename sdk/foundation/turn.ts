/** Giving the event loop a turn. */

/**
 * Resolves once timers, signals and I/O have had their turn. Awaiting what is there already does not do that: a loop
 * over a store that answers at once would keep them waiting to its end.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
    } else if (typeof MessageChannel === "function") {
      // Browsers hold timers back by milliseconds, and in hidden pages by seconds; messages they don't.
      const { port1, port2 } = new MessageChannel();
      const done = (): void => {
        port1.close();
        resolve();
      };
      port1.addEventListener("message", done, { once: true });
      port1.start();
      port2.postMessage(null);
    } else {
      setTimeout(resolve, 0);
    }
  });
}
