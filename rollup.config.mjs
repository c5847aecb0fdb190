// The library's outputs: one source, four ways to get at the compiled core, and one set of declarations.
//
//   dist/node      reads the .wasm files from disk             (Node, Deno, Bun; also the command line)
//   dist/browser   fetches them by URL                         (vite, webpack and browsers themselves)
//   dist/inline    carries them as text                        (every other bundler)
//   dist/workerd   imports them as modules                     (Cloudflare Workers)
//   dist/types     declarations
//
// The platforms differ in two modules, bindings/wasm-source.ts and bindings/pool/host.ts, and in the program that their
// workers run; everything else is the same code.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import dts from "rollup-plugin-dts";
import ts from "typescript";

const ROOT = dirname(fileURLToPath(import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
/** Modules of which each platform has its own: `name.<platform>.ts` stands in for `name.ts`. */
const PER_PLATFORM = ["bindings/wasm-source.ts", "bindings/pool/host.ts"].map((file) => join(ROOT, file));
const WASM_KINDS = ["simd", "scalar"];

/** Entry points that exist on every platform: name in dist → source. */
const PORTABLE = {
  index: "sdk/index.ts",
  core: "bindings/index.ts",
  maintenance: "sdk/entries/maintenance.ts",
  recovery: "sdk/entries/recovery.ts",
  testing: "sdk/testing/index.ts",
  "storage/adapter": "sdk/storage/authoring.ts",
  "storage/memory": "sdk/storage/memory.ts",
  nacl: "sdk/messages/nacl.ts",
  "key-formats": "sdk/foundation/key-formats.ts",
  "storage/indexeddb": "sdk/storage/indexeddb.ts",
};

/** Entry points of Node alone, public ones and programs. */
const NODE_PUBLIC = {
  "storage/etcd": "sdk/storage/etcd.ts",
  "storage/lmdb": "sdk/storage/lmdb.ts",
  "storage/postgres": "sdk/storage/postgres.ts",
  "storage/sqlite": "sdk/storage/sqlite.ts",
};
const NODE_PROGRAMS = { cli: "sdk/cli/index.ts", "main-job": "sdk/cli/main-job.ts" };

/** Entry points of browsers alone. */
const WEB_PUBLIC = { "storage/opfs-sqlite": "sdk/storage/opfs-sqlite.ts" };

const PLATFORMS = {
  node: {
    ...PORTABLE,
    ...NODE_PUBLIC,
    ...NODE_PROGRAMS,
    "pool-worker": "bindings/pool/worker-node.ts",
  },
  browser: { ...PORTABLE, ...WEB_PUBLIC, "pool-worker": "bindings/pool/worker-web.ts" },
  inline: { ...PORTABLE, ...WEB_PUBLIC },
  workerd: PORTABLE,
};

/** Bare imports stay imports: the packages of package.json, the builtins and the wasm modules. */
function external(id) {
  return !/^[./\0]/.test(id) && !id.startsWith("virtual:") && !id.endsWith(".wasm");
}

/** Refuses an import of something that an installed keyloom would not have beside it. */
function declaredImports() {
  const declared = [...Object.keys(PACKAGE.dependencies), ...Object.keys(PACKAGE.peerDependencies)];
  return {
    name: "declared-imports",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        // The main job compares with other libraries. It runs in this repository and is not published.
        if (chunk.type !== "chunk" || chunk.name === "main-job") continue;
        for (const id of [...chunk.imports, ...chunk.dynamicImports]) {
          if (bundle[id] !== undefined || id.startsWith("node:") || id.endsWith(".wasm")) continue;
          const name = id.split("/", id.startsWith("@") ? 2 : 1).join("/");
          if (!declared.includes(name))
            this.error(`${chunk.fileName} imports ${id}, which package.json lacks`);
        }
      }
    },
  };
}

/** TypeScript → JavaScript, file by file. Types are checked by tsc, not here. */
function typescript() {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    isolatedModules: true,
  };
  return {
    name: "typescript",
    resolveId(source, importer) {
      if (importer === undefined || !/^\.\.?\/.*\.js$/.test(source)) return null;
      const file = resolve(dirname(importer), source.replace(/\.js$/, ".ts"));
      return existsSync(file) ? file : null;
    },
    transform(code, id) {
      if (!id.endsWith(".ts")) return null;
      const { outputText } = ts.transpileModule(code, { compilerOptions, fileName: id });
      return { code: outputText, map: null };
    },
  };
}

/** Puts the platform's own modules in place of the default ones, and the .wasm files beside them. */
function platformModules(platform) {
  return {
    name: "platform-modules",
    resolveId(source, importer) {
      if (source === "virtual:keyloom-wasm") return `\0${source}`;
      if (importer === undefined || !source.startsWith(".")) return null;
      if (source.endsWith(".wasm")) return { id: source.split("/").at(-1), external: true };
      const file = resolve(dirname(importer), source.replace(/\.js$/, ".ts"));
      return PER_PLATFORM.includes(file) ? file.replace(/\.ts$/, `.${platform}.ts`) : null;
    },
    load(id) {
      if (id !== "\0virtual:keyloom-wasm") return null;
      const line = (kind) => `export const ${kind} = "${readWasm(kind).toString("hex")}";`;
      return WASM_KINDS.map(line).join("\n");
    },
    generateBundle() {
      if (platform === "inline") return;
      for (const kind of WASM_KINDS) {
        this.emitFile({ type: "asset", fileName: `keyloom-${kind}.wasm`, source: readWasm(kind) });
      }
    },
  };
}

function readWasm(kind) {
  return readFileSync(join(ROOT, `build/keyloom-${kind}.wasm`));
}

/** Chunks get no folder of their own: the one that reads the core must lie beside the .wasm files. */
function output(dir, extension) {
  return {
    dir,
    format: "es",
    entryFileNames: `[name]${extension}`,
    chunkFileNames: `shared-[hash]${extension}`,
    hoistTransitiveImports: false,
    paths: (id) => (id.endsWith(".wasm") ? `./${id}` : id),
  };
}

/** While the tree is incomplete, KEYLOOM_PARTIAL_BUILD=1 builds the entry points that there are. */
function inputs(entries) {
  const partial = process.env.KEYLOOM_PARTIAL_BUILD === "1";
  const present = Object.entries(entries).filter(([, file]) => !partial || existsSync(join(ROOT, file)));
  return Object.fromEntries(present.map(([name, file]) => [name, join(ROOT, file)]));
}

export default [
  ...Object.entries(PLATFORMS).map(([platform, entries]) => ({
    input: inputs(entries),
    external,
    treeshake: { moduleSideEffects: false },
    plugins: [platformModules(platform), typescript(), declaredImports()],
    output: output(`dist/${platform}`, ".js"),
  })),
  {
    input: inputs({ ...PORTABLE, ...NODE_PUBLIC, ...WEB_PUBLIC }),
    external,
    plugins: [dts({ tsconfig: join(ROOT, "tsconfig.json") })],
    output: output("dist/types", ".d.ts"),
  },
];
