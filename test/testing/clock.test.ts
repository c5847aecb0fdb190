import { expect, it } from "vitest";
import { virtualClock } from "../../sdk/testing/index.js";

it("a virtual clock stands still, goes on when told, and jumps without its monotonic side", () => {
  const clock = virtualClock(1000);
  expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
  clock.advance(5);
  expect([clock.now(), clock.monotonic()]).toEqual([1005, 5]);
  clock.set(new Date(200));
  expect([clock.now(), clock.monotonic()]).toEqual([200, 5]);
  for (const bad of [-1, NaN]) expect(() => clock.advance(bad)).toThrow(RangeError);
  expect(virtualClock().now()).toBe(Date.UTC(2030, 0, 1));
  expect(virtualClock(new Date(7)).now()).toBe(7);
});
