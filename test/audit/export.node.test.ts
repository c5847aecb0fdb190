/** What leaves the log, checked with other tools: Node's crypto, and OpenSSL where it is installed. */
import { execFileSync } from "node:child_process";
import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditCheckpoint, KeyManager } from "../../sdk/index.js";
import { AEAD, codeOf, openMemory } from "../flows/support.js";

let keys: KeyManager;
let checkpoint: AuditCheckpoint;

beforeAll(async () => {
  ({ keys } = await openMemory());
  for (let i = 0; i < 20; i++) await keys.create({ algorithm: AEAD });
  await keys.createMany(2100, { algorithm: AEAD });
  checkpoint = await keys.checkpointAudit();
});

afterAll(() => keys.close());

const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const leafHash = (leaf: Uint8Array): Buffer => sha256(Uint8Array.of(0), leaf);

/** The root that an inclusion proof leads to: RFC 9162 §2.1.3.2. */
function rootOf(index: number, size: number, leaf: Uint8Array, proof: readonly Uint8Array[]): Buffer {
  let [fn, sn, hash] = [index, size - 1, leafHash(leaf)];
  for (const p of proof) {
    if (fn % 2 === 1 || fn === sn) {
      hash = sha256(Uint8Array.of(1), p, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else {
      hash = sha256(Uint8Array.of(1), hash, p);
    }
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  expect(sn).toBe(0);
  return hash;
}

/** SPKI of an Ed25519 key: RFC 8410. */
const spki = (publicKey: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey]);

/** Text and signature of a note, and the public key of a verifier key, by their specification alone. */
function partsOf({ note, verifierKey }: { note: string; verifierKey: string }): {
  text: Buffer;
  signature: Buffer;
  publicKey: Buffer;
} {
  const [text, lines] = note.split("\n\n") as [string, string];
  const [dash, name, encoded] = lines.trim().split(" ") as [string, string, string];
  // The last part is base64, which has plus signs of its own.
  const [, keyName, id, key] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(verifierKey) as unknown as [
    string,
    string,
    string,
    string,
  ];
  expect([dash, name]).toEqual(["—", keyName]);
  const [signature, typed] = [Buffer.from(encoded, "base64"), Buffer.from(key, "base64")];
  expect(typed[0]).toBe(1);
  const expected = sha256(Buffer.from(`${keyName}\n`), typed).subarray(0, 4);
  expect([signature.subarray(0, 4), Buffer.from(id, "hex")]).toEqual([expected, expected]);
  return { text: Buffer.from(`${text}\n`), signature: signature.subarray(4), publicKey: typed.subarray(1) };
}

describe("a checkpoint", () => {
  it("verifies with Node's crypto, and says what the log says", async () => {
    const { text, signature, publicKey } = partsOf(checkpoint);
    const key = createPublicKey({ key: spki(publicKey), format: "der", type: "spki" });
    expect(verify(null, text, key, signature)).toBe(true);
    const lines = text.toString().split("\n");
    expect(lines).toEqual([checkpoint.origin, String(checkpoint.size), checkpoint.root, ""]);
    expect(checkpoint.origin).toMatch(/^keyloom\.dev\/audit\/[0-9a-f-]{36}$/);
    const report = await keys.verifyAudit({
      checkpoint: checkpoint.note,
      verifierKey: checkpoint.verifierKey,
    });
    expect(report).toMatchObject({ log: { size: checkpoint.size }, writers: 1, checkpoints: 1, checkpoint });
    expect(report.keys).toBeGreaterThanOrEqual(2120);
  });

  it("verifies with OpenSSL", ({ skip }) => {
    try {
      execFileSync("openssl", ["version"], { stdio: "ignore" });
    } catch {
      skip("openssl is not installed");
    }
    const folder = mkdtempSync(join(tmpdir(), "keyloom-note-"));
    try {
      const { text, signature, publicKey } = partsOf(checkpoint);
      const file = (name: string, data: Uint8Array): string => {
        writeFileSync(join(folder, name), data);
        return join(folder, name);
      };
      const args = [
        "pkeyutl",
        "-verify",
        "-pubin",
        "-keyform",
        "DER",
        "-inkey",
        file("key", spki(publicKey)),
        "-rawin",
      ];
      const run = (): string =>
        execFileSync(
          "openssl",
          [...args, "-in", file("text", text), "-sigfile", file("signature", signature)],
          {
            stdio: ["ignore", "pipe", "ignore"],
          },
        ).toString();
      expect(run()).toContain("Verified Successfully");
      signature[5]! ^= 1;
      expect(run).toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is made once as long as nothing happens, and each goes on from the one before", async () => {
    const { keys: own } = await openMemory();
    const first = await own.checkpointAudit();
    expect(await own.checkpointAudit()).toEqual(first);
    await own.create({ algorithm: AEAD });
    const second = await own.checkpointAudit();
    expect(second.size).toBe(first.size + 2);
    expect(second.key).toBe(first.key);
    await own.rotate(second.key);
    const third = await own.checkpointAudit();
    expect([third.version, third.verifierKey === second.verifierKey]).toEqual([2, false]);
    for (const { note } of [first, second, third]) {
      expect((await own.verifyAudit({ checkpoint: note })).checkpoints).toBe(3);
    }
    // All versions that ever signed verify still, also when the first can't sign any more.
    await own.deactivate(second.key, { version: 1 });
    await own.destroy(second.key, { version: 1 });
    expect((await own.verifyAudit()).checkpoint).toEqual(third);

    const { proof, from, checkpoint: last } = await own.proveAuditConsistency(first.size);
    expect([from, last.size]).toEqual([first.size, third.size]);
    expect(proof.length).toBeGreaterThan(0);
    for (const size of [-1, 0.5, third.size + 1]) {
      expect(await codeOf(own.proveAuditConsistency(size))).toBe("AUDIT_ENTRY_NOT_FOUND");
    }
    await own.close();
  });

  it("that is no checkpoint of this log is refused", async () => {
    const other = await openMemory();
    const foreign = await other.keys.checkpointAudit();
    await other.keys.close();
    const bad = [
      { checkpoint: foreign.note },
      { checkpoint: foreign.note, verifierKey: checkpoint.verifierKey },
      { checkpoint: checkpoint.note.replace(`\n${checkpoint.size}\n`, "\n3\n") },
      { checkpoint: "" },
      { checkpoint: checkpoint.note, verifierKey: "nonsense" },
    ];
    for (const options of bad)
      expect(await codeOf(keys.verifyAudit(options))).toBe("AUDIT_CHECKPOINT_INVALID");
    // One of another log that its own key signed says something that this log does not.
    const { verifierKey, note } = foreign;
    expect(await codeOf(keys.verifyAudit({ checkpoint: note, verifierKey }))).toBe("STORE_DAMAGED");
  });
});

describe("a proof of one entry", () => {
  it("leads from the entry's bytes to the checkpoint's root, for every entry", async () => {
    for (let index = 0; index < checkpoint.size; index++) {
      const proved = await keys.proveAudit(index);
      const root = rootOf(index, proved.checkpoint.size, proved.leaf, proved.proof);
      expect(root.toString("base64")).toBe(proved.checkpoint.root);
      expect(proved.entry.index).toBe(index);
      const lines = proved.text.split("\n");
      expect(lines.slice(0, 2)).toEqual(["c2sp.org/tlog-proof@v1", `index ${index}`]);
      expect(lines.slice(2, 2 + proved.proof.length)).toEqual(
        proved.proof.map((hash) => Buffer.from(hash).toString("base64")),
      );
      expect(proved.text.endsWith(`\n\n${proved.checkpoint.note}`)).toBe(true);
    }
  });

  it("makes a checkpoint where none reaches so far, and is refused where nothing is", async () => {
    const { keys: own } = await openMemory();
    expect((await own.proveAudit(0)).entry.operation).toBe("init");
    for (const index of [-1, 0.5, NaN, 1000]) {
      expect(await codeOf(own.proveAudit(index))).toBe("AUDIT_ENTRY_NOT_FOUND");
    }
    await own.close();
  });
});

/** The lines of an export. */
interface Head {
  checkpoint: string;
  verifierKey: string;
  size: number;
  root: string;
}
interface Line {
  index: number;
  writer: string;
  sequence: number;
  leaf: string;
  proof: string[];
  entry: { kind: string; bulkCount?: number };
}

describe("an export", () => {
  it("is verified by its lines alone", async () => {
    const lines: string[] = [];
    for await (const line of keys.exportAudit()) lines.push(line);
    const { checkpoint: note, verifierKey, size, root } = JSON.parse(lines[0]!) as Head;
    const entries = lines.slice(1).map((line) => JSON.parse(line) as Line);
    const { text, signature, publicKey } = partsOf({ note, verifierKey });
    const key = createPublicKey({ key: spki(publicKey), format: "der", type: "spki" });
    expect(verify(null, text, key, signature)).toBe(true);
    expect(text.toString().split("\n").slice(1, 3)).toEqual([String(size), root]);

    expect(entries.map(({ index }) => index)).toEqual([...Array(size).keys()]);
    const chain = new Map<string, { sequence: number; link: Buffer }>();
    for (const { index, writer, sequence, leaf, proof, entry } of entries) {
      const bytes = Buffer.from(leaf, "base64");
      const path = proof.map((hash) => Buffer.from(hash, "base64"));
      expect(rootOf(index, size, bytes, path).toString("base64")).toBe(root);
      // The chain link before stands in the entry itself.
      const before = chain.get(writer) ?? { sequence: 0, link: Buffer.alloc(32) };
      expect(sequence).toBe(before.sequence + 1);
      expect(bytes.includes(before.link)).toBe(true);
      chain.set(writer, { sequence, link: leafHash(bytes) });
      expect(entry.kind).toBe("event");
    }
    const bulk = entries.filter(({ entry }) => entry.bulkCount !== undefined);
    expect(bulk).toHaveLength(3);
  });
});
