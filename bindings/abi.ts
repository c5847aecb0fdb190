/** The type of the core's exports, from what the compiler writes about them at each build. */
import type { instantiate } from "./generated/abi.js";

export type Abi = Omit<Awaited<ReturnType<typeof instantiate>>, "memory">;
