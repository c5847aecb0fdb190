import { describe, expect, it } from "vitest";

type Core = typeof import("../../bindings/index.js");
type Sdk = typeof import("../../sdk/index.js");
type Memory = typeof import("../../sdk/storage/memory.js");

/** FIPS 180-4, the message "abc". */
const ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const inNode = !("document" in globalThis);

/** Loads a built file, by an address that no bundler follows: what is tested is dist/ as it lies there. */
function dist<T>(path: string): Promise<T> {
  const base = import.meta.url;
  return import(/* @vite-ignore */ new URL(`../../dist/${path}`, base).href);
}

describe.each([inNode ? "node" : "browser", "inline"])("dist/%s", (platform) => {
  it.each([{ simd: true }, { simd: false }])(
    "loads the core and hashes with $simd as its SIMD option",
    async (options) => {
      const { loadCore } = await dist<Core>(`${platform}/core.js`);
      const core = await loadCore(options);
      expect(core.simd).toBe(options.simd);
      expect(hex(core.sha256(new TextEncoder().encode("abc")))).toBe(ABC_SHA256);
    },
  );

  it("opens a store in memory, encrypts and decrypts", async () => {
    const { KeyManager, passphrase, KeyloomError } = await dist<Sdk>(`${platform}/index.js`);
    const { memoryStorage } = await dist<Memory>(`${platform}/storage/memory.js`);
    const keys = await KeyManager.open({
      storage: memoryStorage(),
      unlock: passphrase(new TextEncoder().encode("correct horse battery staple")),
    });
    try {
      await keys.create({ name: "k", algorithm: "XChaCha20-Poly1305", usages: ["encrypt", "decrypt"] });
      const sealed = await keys.encrypt("k", Uint8Array.of(1, 2, 3));
      expect([...(await keys.decrypt(sealed))]).toEqual([1, 2, 3]);
      const tampered = sealed.with(sealed.length - 1, (sealed.at(-1) ?? 0) ^ 1);
      await expect(keys.decrypt(tampered)).rejects.toBeInstanceOf(KeyloomError);
    } finally {
      await keys.close();
    }
  });
});

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
