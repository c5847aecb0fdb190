/** Approvals made by other tools: node:crypto, and OpenSSL where there is one. */
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { POLICY_TEMPLATES } from "../../sdk/index.js";
import { AEAD, codeOf, openMemory } from "./support.js";

const rawOf = (publicKey: KeyObject): Uint8Array =>
  new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url"));

/** Signs with OpenSSL's command line. `null`: it isn't here. */
function openssl(pem: string, message: Uint8Array): Uint8Array | null {
  const folder = mkdtempSync(join(tmpdir(), "keyloom-approval-"));
  const at = (name: string): string => join(folder, name);
  try {
    writeFileSync(at("key.pem"), pem);
    writeFileSync(at("to-sign"), message);
    const files = ["-inkey", at("key.pem"), "-in", at("to-sign"), "-out", at("signature")];
    execFileSync("openssl", ["pkeyutl", "-sign", "-rawin", ...files], { stdio: "pipe" });
    return new Uint8Array(readFileSync(at("signature")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it("approvals are signatures of any Ed25519 tool", async () => {
  const { keys } = await openMemory();
  const pairs = [1, 2, 3].map(() => generateKeyPairSync("ed25519"));
  const approvers = [];
  for (const [i, { publicKey }] of pairs.entries()) {
    approvers.push(
      await keys.registerEntity({ name: `approver ${i}`, roles: ["approver"], publicKey: rawOf(publicKey) }),
    );
  }
  await keys.create({ name: "k", algorithm: AEAD });
  await keys.deactivate("k");
  await keys.setPolicy(POLICY_TEMPLATES.strict);
  const proposal = await keys.propose({ operation: "destroy", key: "k" });
  const first = new Uint8Array(sign(null, proposal.toSign, pairs[0]!.privateKey));
  await keys.approve(proposal, { approver: approvers[0]!.id, signature: first });
  expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
  const pem = pairs[1]!.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const second = openssl(pem, proposal.toSign) ?? new Uint8Array(sign(null, proposal.toSign, pem));
  expect(createPublicKey(pem).asymmetricKeyType).toBe("ed25519");
  await keys.approve(proposal, { approver: approvers[1]!.id, signature: second });
  await keys.destroy("k", { approval: proposal.id });
  expect((await keys.get("k"))!.versions[0]!.state).toBe("destroyed");
  await keys.close();
});
