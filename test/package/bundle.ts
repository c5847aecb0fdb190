/** Applications that use the built package, bundled. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Bundles a small application the way a user's vite does, with the package resolved by its exports. */
export async function bundle(code: string): Promise<Rollup.OutputBundle[string][]> {
  const entry = "\0application";
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: "warn",
    build: { write: false, target: "es2022", rollupOptions: { input: entry }, modulePreload: false },
    plugins: [
      {
        name: "application",
        resolveId: (id) => (id === entry ? entry : null),
        load: (id) => (id === entry ? code : null),
      },
      {
        // The package can't be installed into itself: find it as Node's self-reference would.
        name: "self-reference",
        enforce: "pre",
        resolveId: (id) => (id.startsWith("keyloom") ? selfReference(id) : null),
      },
    ],
  });
  const outputs = Array.isArray(result) ? result : [result as Rollup.RollupOutput];
  return outputs.flatMap(({ output }) => output);
}

function selfReference(id: string): string {
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const target = exports[id.replace(/^keyloom/, ".")];
  return ROOT + (target.browser ?? target.default).slice(2);
}
