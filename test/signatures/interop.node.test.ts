/** Managed pairs against node:crypto and the openssl command: signatures both ways, and keys in files. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import {
  fromPem,
  privateKeyFromJwk,
  privateKeyFromPkcs8,
  privateKeyToPkcs8,
  publicKeyFromJwk,
  publicKeyFromSpki,
  publicKeyToJwk,
  publicKeyToSpki,
  toPem,
} from "../../sdk/foundation/key-formats.js";
import { codeOf, openMemory, text } from "../flows/support.js";

let keys: KeyManager;
let folder: string;

beforeEach(async () => {
  ({ keys } = await openMemory());
  folder = mkdtempSync(join(tmpdir(), "keyloom-pairs-"));
});
afterEach(async () => {
  await keys.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const openssl = (...args: string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
let hasOpenssl = true;
try {
  openssl("version");
} catch {
  hasOpenssl = false;
}

describe("node:crypto", () => {
  it("accepts our signatures under our public keys, as SPKI and as JWK, and we accept its own", async () => {
    await keys.create({ name: "k", algorithm: "Ed25519" });
    const ours = await keys.publicKey("k");
    const message = text("message");
    const { signature } = await keys.sign("k", message);
    const der = { key: Buffer.from(publicKeyToSpki(ours)), format: "der", type: "spki" } as const;
    for (const key of [
      createPublicKey(der),
      createPublicKey({ key: publicKeyToJwk(ours) as never, format: "jwk" }),
    ]) {
      expect(verify(null, message, key, signature)).toBe(true);
      expect(verify(null, text("massage"), key, signature)).toBe(false);
    }
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const theirs = privateKeyFromPkcs8(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })));
    const raw = publicKeyFromSpki(new Uint8Array(publicKey.export({ type: "spki", format: "der" }))).raw;
    await keys.import(theirs.raw, { name: "imported", algorithm: theirs.algorithm, publicKey: raw });
    const made = sign(null, message, privateKey);
    expect(await keys.verify("imported", message, made)).toMatchObject({ imported: true, state: "active" });
    expect((await keys.sign("imported", message)).signature).toEqual(new Uint8Array(made));
    expect(publicKeyFromJwk(publicKey.export({ format: "jwk" }))).toEqual({ algorithm: "Ed25519", raw });
    expect(privateKeyFromJwk(privateKey.export({ format: "jwk" }))).toEqual({ ...theirs, publicKey: raw });
  });

  it("takes over a key that is exported as PKCS#8", async () => {
    for (const algorithm of ["Ed25519", "X25519"]) {
      const key = await keys.create({ algorithm, exportable: true });
      const raw = await keys.exportInsecureCleartext(key);
      const der = Buffer.from(privateKeyToPkcs8({ algorithm, raw }));
      const theirs = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
      const spki = new Uint8Array(theirs.export({ type: "spki", format: "der" }));
      expect(spki).toEqual(publicKeyToSpki(await keys.publicKey(key)));
    }
  });
});

describe.skipIf(!hasOpenssl)("openssl", () => {
  it("reads our public keys and verifies our signatures", async () => {
    for (const [name, algorithm] of [
      ["ED25519", "Ed25519"],
      ["X25519", "X25519"],
    ] as const) {
      await keys.create({ name, algorithm });
      const pem = file("public.pem", toPem("PUBLIC KEY", publicKeyToSpki(await keys.publicKey(name))));
      expect(openssl("pkey", "-pubin", "-in", pem, "-noout", "-text")).toContain(`${name} Public-Key`);
    }
    const { signature } = await keys.sign("ED25519", text("message"));
    const pem = file("public.pem", toPem("PUBLIC KEY", publicKeyToSpki(await keys.publicKey("ED25519"))));
    const check = (message: string): string =>
      openssl(
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        pem,
        "-rawin",
        "-in",
        file("message", message),
        "-sigfile",
        file("signature", signature),
      );
    expect(check("message")).toContain("Verified Successfully");
    expect(() => check("massage")).toThrow();
  });

  it("makes keys that are taken over, and signatures that then verify", async () => {
    const pem = join(folder, "private.pem");
    openssl("genpkey", "-algorithm", "ed25519", "-out", pem);
    const { algorithm, raw } = privateKeyFromPkcs8(fromPem("PRIVATE KEY", readFileSync(pem)));
    await keys.import(raw, { name: "k", algorithm, exportable: true });
    const signature = join(folder, "signature");
    openssl(
      "pkeyutl",
      "-sign",
      "-inkey",
      pem,
      "-rawin",
      "-in",
      file("message", "message"),
      "-out",
      signature,
    );
    expect(await keys.verify("k", text("message"), readFileSync(signature))).toMatchObject({ version: 1 });
    const out = file(
      "exported.pem",
      toPem("PRIVATE KEY", privateKeyToPkcs8({ algorithm, raw: await keys.exportInsecureCleartext("k") })),
    );
    expect(readFileSync(out, "utf8")).toBe(readFileSync(pem, "utf8"));
    expect(openssl("pkey", "-in", out, "-noout", "-text")).toContain("ED25519 Private-Key");
  });

  it("makes keys of other kinds, which are refused", async () => {
    for (const args of [
      ["-algorithm", "ed448"],
      ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ]) {
      const pem = join(folder, "private.pem");
      openssl("genpkey", ...args, "-out", pem);
      const der = fromPem("PRIVATE KEY", readFileSync(pem));
      expect(await codeOf(() => privateKeyFromPkcs8(der))).toBe("KEY_MALFORMED");
    }
  });
});
