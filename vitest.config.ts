import { fileURLToPath } from "node:url";

import { playwright } from "@vitest/browser-playwright";
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

import { findChromium } from "./scripts/chromium.js";

// One suite, two hosts. Conventions of file names:
//   *.test.ts        runs in Node and in Chromium
//   *.node.test.ts   runs in Node only
//   *.browser.test.ts runs in Chromium only
//   *.slow.test.ts   runs in Node only, and only under `npm run test:slow` or `npm run test:crash`
const slow = process.env["KEYLOOM_TESTS"] === "slow";

const timeouts = { testTimeout: slow ? 1_800_000 : 60_000, hookTimeout: 60_000 };

const node: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    ...timeouts,
    name: "node",
    include: [slow ? "test/**/*.slow.test.ts" : "test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, "**/*.browser.test.ts", ...(slow ? [] : ["**/*.slow.test.ts"])],
    environment: "node",
  },
};

/** What the code and the tests import from packages, and the browser gets bundled. */
const DEPENDENCIES = [
  "@assemblyscript/loader",
  "@noble/ciphers/aes.js",
  "@noble/ciphers/chacha.js",
  "@noble/hashes/argon2.js",
  "@noble/hashes/blake2.js",
  "@noble/hashes/hkdf.js",
  "@noble/hashes/hmac.js",
  "@noble/hashes/pbkdf2.js",
  "@noble/hashes/scrypt.js",
  "@noble/hashes/sha2.js",
  "age-encryption",
  "cborg",
  "fast-check",
  "tweetnacl",
  "idb",
  "uuidv7",
  "wasm-feature-detect",
];

async function chromium(): Promise<TestProjectInlineConfiguration[]> {
  const found = await findChromium();
  if ("missing" in found) {
    const line = `SKIPPED: chromium (the browser half of the suite): ${found.missing}`;
    if (process.env["KEYLOOM_REQUIRE_BROWSER"] === "1") throw new Error(line);
    console.warn(`\n${line}\n`);
    // Once more at the end, where it is read.
    process.on("exit", () => console.warn(`\n${line}`));
    return [];
  }
  return [
    {
      extends: true,
      // Found before the first test runs: vite reloads the page when it meets one later.
      optimizeDeps: { include: DEPENDENCIES, exclude: ["@sqlite.org/sqlite-wasm"] },
      test: {
        ...timeouts,
        name: "browser",
        include: ["test/**/*.test.ts"],
        exclude: [...configDefaults.exclude, "**/*.node.test.ts", "**/*.slow.test.ts"],
        browser: {
          enabled: true,
          headless: true,
          provider: playwright({ launchOptions: found }),
          instances: [{ browser: "chromium", name: "chromium" }],
          screenshotFailures: false,
        },
      },
    },
  ];
}

/** `--project node` asks for no browser: don't look for one. */
function wantsChromium(args: readonly string[]): boolean {
  const projects = args.flatMap((arg, i) =>
    arg === "--project" ? [args[i + 1] ?? ""] : arg.startsWith("--project=") ? [arg.slice(10)] : [],
  );
  return !slow && (projects.length === 0 || projects.some((name) => name !== "node"));
}

export default defineConfig(async () => ({
  // The guide's adapter and the example application are written as a user writes them.
  resolve: {
    alias: Object.entries({
      keyloom: "sdk/index.ts",
      "keyloom/storage/adapter": "sdk/storage/authoring.ts",
      "keyloom/storage/memory": "sdk/storage/memory.ts",
      "keyloom/testing": "sdk/testing/index.ts",
    }).map(([name, file]) => ({
      find: new RegExp(`^${name}$`),
      replacement: fileURLToPath(new URL(file, import.meta.url)),
    })),
  },
  test: {
    globalSetup: ["test/global-setup.ts"],
    projects: [node, ...(wantsChromium(process.argv) ? await chromium() : [])],
  },
}));
