import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** Every file that package.json promises to a user. */
function promised(target: unknown): string[] {
  if (typeof target === "string") return [target];
  return Object.values(target as Record<string, unknown>).flatMap(promised);
}

function scripts(folder: string): { name: string; text: string }[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(ROOT, folder, name), "utf8") }));
}

/** Modules that a built file imports, statically or not. */
function imported(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1] ?? "");
}

describe("the built package", () => {
  beforeAll(() => {
    if (!existsSync(join(ROOT, "dist"))) throw new Error("dist/ is missing: run npm run build");
  });

  it("has every file that its exports and its bin name", () => {
    const files = [...promised(PACKAGE.exports), ...promised(PACKAGE.bin)];
    expect(files.length).toBeGreaterThan(30);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it("pleases publint", async () => {
    const { messages } = await publint({ pkgDir: ROOT, level: "suggestion", pack: false });
    expect(messages.map((message) => formatMessage(message, PACKAGE))).toEqual([]);
  });

  it("tries the conditions in an order in which each host finds its own", () => {
    const order = ["types", "workerd", "deno", "bun", "node", "browser", "default"];
    for (const [path, target] of Object.entries(PACKAGE.exports)) {
      if (typeof target === "string") continue;
      const conditions = Object.keys(target as object);
      expect(conditions, path).toEqual(order.filter((condition) => conditions.includes(condition)));
    }
  });

  it.each(["browser", "inline", "workerd"])(
    "imports no builtin and no storage driver in dist/%s",
    (platform) => {
      const files = scripts(`dist/${platform}`);
      expect(files.length).toBeGreaterThan(3);
      for (const { name, text } of files) {
        expect(
          imported(text).filter((id) => /^node:|^(lmdb|cac|cli-progress|fs|crypto)$/.test(id)),
          name,
        ).toEqual([]);
      }
    },
  );

  it("loads in Node by its own name, without compiling WebAssembly", () => {
    const script = `
      let compiled = 0;
      const count = (original) => function (...args) { compiled++; return Reflect.apply(original, this, args); };
      for (const name of ["compile", "instantiate", "compileStreaming", "instantiateStreaming"]) {
        WebAssembly[name] = count(WebAssembly[name]);
      }
      const Module = WebAssembly.Module;
      WebAssembly.Module = new Proxy(Module, { construct(target, args) { compiled++; return new target(...args); } });
      const entries = ["keyloom", "keyloom/core", "keyloom/inline", "keyloom/inline/core", "keyloom/storage/memory"];
      for (const entry of entries) {
        const names = Object.keys(await import(entry));
        if (names.length === 0) throw new Error(entry + " exports nothing");
      }
      if (compiled !== 0) throw new Error(compiled + " modules compiled while importing");
      const { loadCore } = await import("keyloom/core");
      await loadCore();
      if (compiled === 0) throw new Error("the counter does not count");
      console.log("ok");
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT });
    expect(output.toString().trim()).toBe("ok");
  });

  it("hands compiled modules to a host that compiles nothing at run time", () => {
    // What workerd does: a .wasm import is a module, and compiling bytes is refused.
    const hooks = `
      import { readFileSync } from "node:fs";
      export function load(url, context, next) {
        if (!url.endsWith(".wasm")) return next(url, context);
        const bytes = readFileSync(new URL(url)).toString("base64");
        const source = 'export default new WebAssembly.Module(Buffer.from("' + bytes + '", "base64"));';
        return { format: "module", shortCircuit: true, source };
      }
    `;
    const script = `
      import { register } from "node:module";
      register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hooks)}));
      const { loadCore } = await import("./dist/workerd/core.js");
      const refuse = () => { throw new Error("Wasm code generation disallowed by embedder"); };
      void Response; // Node compiles a parser of its own when this is first touched
      const { instantiate } = WebAssembly;
      WebAssembly.Module = new Proxy(WebAssembly.Module, { construct: refuse });
      WebAssembly.compile = WebAssembly.compileStreaming = WebAssembly.instantiateStreaming = refuse;
      WebAssembly.instantiate = (module, imports) =>
        module instanceof WebAssembly.Module ? instantiate(module, imports) : refuse();
      for (const simd of [true, false]) {
        const core = await loadCore({ simd });
        console.log(core.simd, Buffer.from(core.sha256(Buffer.from("abc"))).toString("hex").slice(0, 8));
      }
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT });
    expect(output.toString().trim().split("\n")).toEqual(["true ba7816bf", "false ba7816bf"]);
  });

  it("can be required by a CommonJS program where Node supports that", () => {
    // A top-level await anywhere in the library would make this ERR_REQUIRE_ASYNC_MODULE.
    const script = `
      for (const entry of ["keyloom", "keyloom/core", "keyloom/inline"]) require(entry);
      console.log("ok");
    `;
    const flags = [
      "--no-warnings",
      "--experimental-require-module",
      "--input-type=commonjs",
      "--eval",
      script,
    ];
    expect(execFileSync(process.execPath, flags, { cwd: ROOT }).toString().trim()).toBe("ok");
  });
});
