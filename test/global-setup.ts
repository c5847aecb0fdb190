/**
 * The tests run the library from its sources; the core they load is compiled here when it is out of date.
 *
 * A core that does not compile is only reported: tests that don't need it still run. `npm test` compiles
 * before it starts and stops at once when that fails.
 */
export default async function setup(): Promise<void> {
  const { buildWasm } = await import("../scripts/build-wasm.mjs");
  try {
    await buildWasm({ targets: ["scalar", "simd", "test"], onlyIfOutdated: true });
  } catch (error) {
    console.error(`the core did not compile, tests that load it run an old one or fail: ${String(error)}`);
  }
}
