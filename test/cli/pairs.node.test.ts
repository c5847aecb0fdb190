/** Key pairs on the command line, beside node:crypto. */
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { bench, type Bench, type Ran } from "./support.js";

let at: Bench;
beforeAll(async () => {
  at = await bench();
  expect((await at.run("init")).code).toBe(0);
  await writeFile(at.path("message"), "message");
  await writeFile(at.path("massage"), "massage");
});
afterAll(() => rm(at.folder, { recursive: true, force: true }));

/** The result of a command, which has to succeed. */
async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const ran = await at.run(...argv, "--json");
  expect(ran.code, ran.stderr).toBe(EXIT_CODES.done);
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

async function refused(exit: keyof typeof EXIT_CODES, code: string, ...argv: string[]): Promise<void> {
  const ran: Ran = await at.run(...argv);
  expect([ran.code, ran.stdout], ran.stderr).toEqual([EXIT_CODES[exit], ""]);
  expect(ran.stderr).toContain(code);
}

describe("a pair on the command line", () => {
  it("signs a file, whose signature others verify under the public key that is printed", async () => {
    const { id } = await json("create", "k", "--algorithm", "Ed25519");
    const signed = await json("sign", at.path("message"), "--key", "k");
    expect(signed).toEqual({ output: at.path("message.sig"), bytes: 64, key: id, version: 1 });
    const signature = await readFile(at.path("message.sig"));
    const pem = await at.run("public-key", "k");
    expect(pem.stdout).toMatch(/^-----BEGIN PUBLIC KEY-----\n.{60}\n-----END PUBLIC KEY-----\n$/);
    expect(verify(null, Buffer.from("message"), createPublicKey(pem.stdout), signature)).toBe(true);
    const jwk = JSON.parse((await at.run("public-key", "k", "--format", "jwk")).stdout) as object;
    const key = createPublicKey({ key: jwk as never, format: "jwk" });
    expect(verify(null, Buffer.from("message"), key, signature)).toBe(true);
    expect(await json("public-key", "k")).toMatchObject({
      key: id,
      version: 1,
      algorithm: "Ed25519",
      jwk,
      pem: pem.stdout,
    });
    const again = await at.run("sign", at.path("message"), "--key", "k", "-o", "-");
    expect(Buffer.from(again.stdout, "latin1").equals(signature)).toBe(true);
  });

  it("verifies, by the version that signed, and says no with the exit code of a broken file", async () => {
    await json("rotate", "k");
    const message = at.path("message");
    expect(await json("verify", message, "--key", "k")).toMatchObject({ version: 1, state: "active" });
    expect((await at.run("verify", message, "--key", "k")).stdout).toBe(
      "valid: signed by version 1, which is active now\n",
    );
    const wrong = ["verify", at.path("massage"), "--signature", at.path("message.sig")];
    await refused("integrity", "SIGNATURE_INVALID", ...wrong, "--key", "k");
    await refused("integrity", "SIGNATURE_INVALID", "verify", message, "--key", "k", "--key-version", "2");
    await refused("not-found", "KEY_NOT_FOUND", "verify", message, "--key", "nobody");
    await refused("usage", "CLI_USAGE", "verify", message);
    await refused("usage", "CLI_USAGE", "verify", "-", "--key", "k");
    await refused("usage", "CLI_USAGE", "verify", message, "--key", "k", "--evidence", "assertion");
    await refused("usage", "CLI_USAGE", "sign", message);
    await refused("usage", "CLI_USAGE", "public-key", "k", "--format", "der");
    await refused("conflict", "CLI_FILE_EXISTS", "sign", message, "--key", "k");
    await writeFile(at.path("long"), new Uint8Array(1024 * 1024 + 1));
    await refused("usage", "CLI_USAGE", "sign", at.path("long"), "--key", "k");
  });

  it("that is compromised needs trusted evidence, and that is destroyed still verifies", async () => {
    await json("create", "gone", "--algorithm", "Ed25519");
    const argv = ["verify", at.path("message"), "--key", "gone", "--signature", at.path("gone.sig")];
    await json("sign", at.path("message"), "--key", "gone", "-o", at.path("gone.sig"));
    await json("deactivate", "gone");
    await json("destroy", "gone");
    expect(await json(...argv)).toMatchObject({ state: "destroyed" });
    await json("revoke", "gone", "--reason", "key-compromise", "--occurrence", "2026-01-02");
    await refused("denied", "KEY_NOT_USABLE", ...argv);
    const evidence = (kind: string, day: string): string[] => [...argv, "--evidence", kind, "--signed", day];
    await refused("denied", "KEY_NOT_USABLE", ...evidence("assertion", "2026-01-01"));
    await refused("denied", "KEY_NOT_USABLE", ...evidence("time-stamp", "2026-01-02"));
    await refused("usage", "KEY_INVALID_OPTION", ...evidence("hearsay", "2026-01-01"));
    expect(await json(...evidence("time-stamp", "2026-01-01"))).toMatchObject({
      state: "destroyed-compromised",
      mark: "compromised",
      evidence: "time-stamp",
    });
    expect((await at.run(...evidence("inclusion", "2026-01-01"))).stdout).toContain(
      'the evidence "inclusion"',
    );
  });

  it("of X25519 is a recipient of age, and opens what is encrypted to it", async () => {
    await json("create", "box", "--algorithm", "X25519");
    const { stdout: recipient } = await at.run("public-key", "box", "--format", "age");
    expect(recipient).toMatch(/^age1[a-z0-9]{58}\n$/);
    const argv = ["encrypt", at.path("message"), "-r", recipient.trim(), "-o", at.path("boxed.age")];
    expect((await at.bare(argv)).code).toBe(EXIT_CODES.done);
    expect((await at.run("decrypt", at.path("boxed.age"), "--key", "box", "-o", "-")).stdout).toBe("message");
    await refused("denied", "MESSAGE_NO_MATCH", "decrypt", at.path("boxed.age"), "-o", "-");
    await refused("usage", "CLI_USAGE", "decrypt", at.path("boxed.age"), "--key", "box", "--passphrase");
    await refused("usage", "MESSAGE_INVALID_IDENTITY", "public-key", "k", "--format", "age");
  });

  it("comes from a PEM, DER or JWK file of others, checked against its public key", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    await writeFile(at.path("theirs.sig"), sign(null, Buffer.from("message"), privateKey));
    const jwk = privateKey.export({ format: "jwk" });
    await writeFile(at.path("k.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    await writeFile(at.path("k.der"), privateKey.export({ type: "pkcs8", format: "der" }));
    await writeFile(at.path("k.jwk"), JSON.stringify(jwk));
    for (const format of ["pem", "der", "jwk"]) {
      const key = await json("import", at.path(`k.${format}`), format, "--format", format);
      expect(key).toMatchObject({ algorithm: "Ed25519", usages: ["sign", "verify"] });
      expect((await at.run("public-key", format)).stdout).toBe(
        publicKey.export({ type: "spki", format: "pem" }),
      );
      const theirs = ["--key", format, "--signature", at.path("theirs.sig")];
      expect(await json("verify", at.path("message"), ...theirs)).toMatchObject({ imported: true });
    }
    const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
    await writeFile(at.path("mixed.jwk"), JSON.stringify({ ...jwk, x: other.x }));
    await refused("usage", "KEY_INVALID_OPTION", "import", at.path("mixed.jwk"), "--format", "jwk");
    await writeFile(at.path("broken.jwk"), JSON.stringify(jwk).slice(1));
    const broken = await at.run("import", at.path("broken.jwk"), "--format", "jwk");
    expect(broken.code).toBe(EXIT_CODES.usage);
    expect(broken.stderr).not.toContain(jwk.d);
    await refused("usage", "KEY_MALFORMED", "import", at.path("k.pem"), "--format", "der");
    await refused("usage", "CLI_USAGE", "import", at.path("k.der"), "--format", "p12");
    await refused(
      "usage",
      "CLI_USAGE",
      "import",
      at.path("k.der"),
      "--format",
      "der",
      "--algorithm",
      "X25519",
    );
    const x25519 = generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(at.path("x.pem"), x25519);
    await json("import", at.path("x.pem"), "x", "--format", "pem", "--algorithm", "X25519");
    expect((await at.run("show", "x")).stdout).toMatch(/^hands down +encrypt, decrypt$/m);
  });
});
