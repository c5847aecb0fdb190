/** The built package in a process of its own: workers keep it alive while somebody waits for them, and no longer. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const DIST = new URL("../../dist/node/", import.meta.url).href;
const TIMEOUT = { timeout: 60_000 };

/** What a module prints. Fails when its process doesn't end of itself, or ends before the module does. */
async function printed(code: string): Promise<string> {
  const source = code.replaceAll("dist:", DIST);
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", source], {
    cwd: fileURLToPath(DIST),
    timeout: 50_000,
  });
  return stdout.trim();
}

describe("a process", () => {
  it(
    "waits for a passphrase that is stretched in a worker, and ends with a store left open",
    TIMEOUT,
    async () => {
      const output = await printed(`
      import worker from "node:worker_threads";
      import { KeyManager, passphrase } from "dist:index.js";
      import { memoryStorage } from "dist:storage/memory.js";
      let started = 0;
      const { prototype } = worker.Worker;
      const { postMessage } = prototype;
      prototype.postMessage = function (message, transfer) {
        if (message.kind === "derive") started++;
        return postMessage.call(this, message, transfer);
      };
      await KeyManager.open({ storage: memoryStorage(), unlock: passphrase("secret") });
      console.log("open", started);
    `);
      expect(output).toBe("open 1");
    },
  );

  it("waits for a batch of a pool, and ends with the pool left open", TIMEOUT, async () => {
    const output = await printed(`
      import { createVaultPool, encodeAttributes, loadCore } from "dist:core.js";
      const { vault } = await loadCore();
      const pool = await createVaultPool(vault, { workers: 1 });
      const key = { algorithm: 1, usages: 0x30, exportable: false, id: new Uint8Array(16), version: 1 };
      const count = 20_000;
      const attributes = new Uint8Array(48 * count);
      for (let i = 0; i < count; i++) {
        encodeAttributes({ ...key, usages: 0xc }, key.id, key.version, attributes, 48 * i);
      }
      const wrapped = await pool.generateAndWrapBatch(vault.generate(key), attributes, count);
      console.log("wrapped", wrapped.length / count, pool.workers);
    `);
    expect(output).toBe("wrapped 104 1");
  });
});
