/** A bundled application in a real page, under Content-Security-Policies. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../../scripts/chromium.js";
import { bundle } from "./bundle.js";

const APPLICATION = `
  import { createVaultPool, loadCore } from "keyloom/core";
  import { KeyManager, passphrase } from "keyloom";
  import { memoryStorage } from "keyloom/storage/memory";
  const answers = [];
  const Base = globalThis.Worker;
  globalThis.Worker = class extends Base {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => answers.push(data.kind));
    }
  };
  globalThis.outcome = (async () => {
    try {
      const core = await loadCore();
      const pool = await createVaultPool(core.vault, { workers: 2 });
      const { workers } = pool;
      await pool.close();
      const keys = await KeyManager.open({ storage: memoryStorage(), unlock: passphrase("secret") });
      await keys.close();
      return { digest: core.sha256(new Uint8Array(0))[0], workers, answers };
    } catch (error) {
      return { code: error.code, message: error.message };
    }
  })();
`;

const found = await findChromium();
if ("missing" in found) console.warn(`SKIPPED: pages under a Content-Security-Policy: ${found.missing}`);

describe.skipIf("missing" in found)("a page under a Content-Security-Policy", () => {
  let server: Server;
  let browser: Browser;
  let origin: string;

  beforeAll(async () => {
    const files = new Map<string, string | Uint8Array>();
    let entry = "";
    for (const file of await bundle(APPLICATION)) {
      files.set(`/${file.fileName}`, file.type === "chunk" ? file.code : file.source);
      if (file.type === "chunk" && file.isEntry) entry = file.fileName;
    }
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, "http://localhost");
      // A worker is under the policy of its own response.
      response.setHeader("Content-Security-Policy", searchParams.get("policy") ?? policy);
      const file = files.get(pathname);
      if (file === undefined) {
        response.setHeader("Content-Type", "text/html");
        response.end(`<!doctype html><script type="module" src="/${entry}"></script>`);
        return;
      }
      response.setHeader("Content-Type", pathname.endsWith(".wasm") ? "application/wasm" : "text/javascript");
      response.end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch(found as { executablePath: string; args: string[] });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  let policy = "";
  async function outcomeUnder(contentSecurityPolicy: string): Promise<Record<string, unknown>> {
    policy = contentSecurityPolicy;
    const page = await browser.newPage();
    try {
      await page.goto(origin);
      await page.waitForFunction(() => "outcome" in globalThis);
      return await page.evaluate(
        () => (globalThis as unknown as { outcome: Promise<Record<string, unknown>> }).outcome,
      );
    } finally {
      await page.close();
    }
  }

  it("loads the core and its workers with 'wasm-unsafe-eval', from its own origin alone", async () => {
    const outcome = await outcomeUnder(
      "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    );
    // The passphrase was stretched in a worker of its own.
    expect(outcome).toEqual({ digest: 0xe3, workers: 2, answers: ["ready", "ready", "ready", "derived"] });
  });

  it("does without workers where the policy forbids them", async () => {
    const outcome = await outcomeUnder(
      "default-src 'none'; connect-src 'self'; worker-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
    );
    expect(outcome).toEqual({ digest: 0xe3, workers: 0, answers: [] });
  });

  it("says what the policy lacks where it forbids WebAssembly", async () => {
    const outcome = await outcomeUnder("default-src 'none'; connect-src 'self'; script-src 'self'");
    expect(outcome).toMatchObject({
      code: "CORE_UNSUPPORTED",
      message: expect.stringContaining("'wasm-unsafe-eval'") as string,
    });
  });
});
