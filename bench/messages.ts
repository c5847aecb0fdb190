/** A short message through the whole SDK, key warm, against libraries that seal messages. */
import { createRequire } from "node:module";
import { CompactEncrypt, compactDecrypt } from "jose";
import { KeyManager, rawKey } from "../sdk/index.js";
import { memoryStorage } from "../sdk/storage/memory.js";
import { random } from "./data.js";
import { assertSame, type Comparison } from "./harness.js";

interface Themis {
  initialize(wasm: string): Promise<void>;
  SecureCellSeal: {
    withKey(key: Uint8Array): {
      encrypt(data: Uint8Array): Uint8Array;
      decrypt(data: Uint8Array): Uint8Array;
    };
  };
}

/** wasm-themis fetches its module where `fetch` exists, which Node's can't do from disk; without it, it reads the file. */
async function loadThemis(): Promise<Themis> {
  const { fetch } = globalThis;
  Reflect.deleteProperty(globalThis, "fetch");
  try {
    const require = createRequire(import.meta.url);
    const themis = require("wasm-themis") as Themis;
    await themis.initialize(require.resolve("wasm-themis").replace(/index\.js$/, "libthemis.wasm"));
    return themis;
  } finally {
    globalThis.fetch = fetch;
  }
}

export async function messageComparisons(): Promise<{
  comparisons: Comparison[];
  close: () => Promise<void>;
}> {
  const keys = await KeyManager.open({ storage: memoryStorage(), unlock: rawKey(random(32)) });
  await keys.create({ name: "bench", algorithm: "XChaCha20-Poly1305" });
  const themis = await loadThemis();
  const cell = themis.SecureCellSeal.withKey(random(32));
  const joseKey = await crypto.subtle.importKey(
    "raw",
    random(32) as Uint8Array<ArrayBuffer>,
    "AES-GCM",
    false,
    ["encrypt", "decrypt"],
  );
  const message = random(1024);
  const header = { alg: "dir", enc: "A256GCM" } as const;
  const joseSeal = (): Promise<string> =>
    new CompactEncrypt(message).setProtectedHeader(header).encrypt(joseKey);

  const sealed = await keys.encrypt("bench", message);
  const cellSealed = cell.encrypt(message);
  const joseSealed = await joseSeal();
  const check = async (): Promise<void> => {
    assertSame(await keys.decrypt(sealed), message, "keyloom");
    assertSame(cell.decrypt(cellSealed), message, "wasm-themis");
    assertSame((await compactDecrypt(joseSealed, joseKey)).plaintext, message, "jose");
  };
  const floors = { "wasm-themis SecureCell": 5, "jose dir A256GCM": 5 };
  return {
    comparisons: [
      {
        title: "Encrypt a message of 1 KiB, key warm",
        units: 1,
        unit: "message",
        contenders: [
          { name: "KeyManager.encrypt", run: () => keys.encrypt("bench", message), async: true },
          { name: "wasm-themis SecureCell", run: () => cell.encrypt(message) },
          { name: "jose dir A256GCM", run: joseSeal, async: true },
        ],
        floors,
        check,
      },
      {
        title: "Decrypt a message of 1 KiB, key warm",
        units: 1,
        unit: "message",
        contenders: [
          { name: "KeyManager.decrypt", run: () => keys.decrypt(sealed), async: true },
          { name: "wasm-themis SecureCell", run: () => cell.decrypt(cellSealed) },
          { name: "jose dir A256GCM", run: () => compactDecrypt(joseSealed, joseKey), async: true },
        ],
        floors,
        check,
      },
    ],
    close: () => keys.close(),
  };
}
