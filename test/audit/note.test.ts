/** Signed notes and checkpoints: Go's and transparency-dev's vectors, and the examples of the C2SP specifications. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadCoreWith } from "../../sdk/crypto/core.js";
import { fromBase64, toBase64 } from "../../sdk/foundation/base64.js";
import { toHex, utf8 } from "../../sdk/foundation/bytes.js";
import { decodeCheckpoint, encodeCheckpoint, openCheckpoint } from "../../sdk/audit/checkpoint.js";
import {
  decodeNote,
  decodeVerifierKey,
  encodeNote,
  encodeVerifierKey,
  openNote,
} from "../../sdk/audit/note.js";
import vectors from "../vectors/tlog/signed-note-and-checkpoint.json";

const core = await loadCoreWith();
const crypto = { sha256: core.sha256, verifySignature: core.ed25519.verify };
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "no error";
}

describe("a signed note", () => {
  it("is what Go's signer makes of the same text and key", () => {
    // PRIVATE+KEY+<name>+<id>+base64(type ‖ seed)
    const [, , name, , encoded] = /^(PRIVATE\+KEY)\+([^+]+)\+([0-9a-f]+)\+(.+)$/.exec(vectors.signerKey)!;
    const seed = fromBase64(encoded ?? "")!.slice(1);
    const key = { name: name === undefined ? "" : "PeterNeumann", publicKey: core.ed25519.publicKey(seed) };
    const signature = core.ed25519.sign(seed, utf8(vectors.signedText));
    const note = encodeNote(vectors.signedText, key, signature, crypto);
    expect(note).toBe(text(fromBase64(vectors.expectedSignedNoteBase64)!));
    expect(openNote(utf8(note), [key], crypto)).toEqual({
      text: vectors.signedText,
      verified: ["PeterNeumann"],
      unverified: [],
    });
  });

  it.each(vectors.notes)("is judged as Go does: $name", (vector) => {
    const keys = vector.verifierKeys.map((key) => decodeVerifierKey(key, crypto));
    const open = (): unknown => openNote(fromBase64(vector.noteBase64)!, keys, crypto);
    if (vector.result === "valid") {
      const { verified, unverified } = vector;
      expect(open()).toMatchObject({ verified, unverified });
    } else {
      expect(codeOf(open)).toBe("AUDIT_CHECKPOINT_INVALID");
    }
  });

  it("does not open with any character changed, but for what no key vouches for", () => {
    const seed = new Uint8Array(32).fill(7);
    const key = { name: "example.com/log", publicKey: core.ed25519.publicKey(seed) };
    const body = "some\ntext\n";
    const note = utf8(encodeNote(body, key, core.ed25519.sign(seed, utf8(body)), crypto));
    for (let at = 0; at < note.length; at++) {
      for (const bit of [1, 2, 32]) {
        const changed = note.slice();
        changed[at]! ^= bit;
        expect(
          codeOf(() => openNote(changed, [key], crypto)),
          `${at}`,
        ).toBe("AUDIT_CHECKPOINT_INVALID");
      }
      expect(codeOf(() => openNote(note.slice(0, at), [key], crypto))).toBe("AUDIT_CHECKPOINT_INVALID");
    }
  });

  it("of the specifications is taken apart", () => {
    for (const name of ["signed-note.md", "tlog-checkpoint.md", "tlog-cosignature.md"] as const) {
      for (const example of vectors.specExamples[name]) {
        expect(decodeNote(utf8(example)).signatures.length).toBeGreaterThan(0);
      }
    }
    const example = vectors.specExamples["signed-note.md"][1]!;
    const key = decodeVerifierKey(
      "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
      crypto,
    );
    expect(openNote(utf8(example), [key], crypto).verified).toEqual(["example.com/foo"]);
  });
});

describe("a verifier key", () => {
  it("is refused with another type, length or id", () => {
    for (const { key, why } of vectors.badVerifierKeys) {
      expect(
        codeOf(() => decodeVerifierKey(key, crypto)),
        why,
      ).toBe("AUDIT_CHECKPOINT_INVALID");
    }
    const good = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    for (const bad of [
      "",
      "a",
      "a+b",
      good.replace("c74f20a3", "c74f20a4"),
      good.replace("Peter", "peter"),
      `${good}\n`,
    ]) {
      expect(
        codeOf(() => decodeVerifierKey(bad, crypto)),
        bad,
      ).toBe("AUDIT_CHECKPOINT_INVALID");
    }
    expect(encodeVerifierKey(decodeVerifierKey(good, crypto), crypto)).toBe(good);
  });
});

describe("a checkpoint", () => {
  it.each(vectors.checkpointBodies)("is read as transparency-dev does: $name", (vector) => {
    const read = (): ReturnType<typeof decodeCheckpoint> => decodeCheckpoint(vector.body);
    if (vector.result !== "valid") return expect(codeOf(read)).toBe("AUDIT_CHECKPOINT_INVALID");
    const { origin, size, root, extensions } = read();
    expect([origin, size, toHex(root), extensions]).toEqual([
      vector.origin,
      vector.size,
      vector.hashHex,
      vector.rest,
    ]);
    expect(encodeCheckpoint(read())).toBe(vector.body);
  });

  it("has no second form", () => {
    const root = toBase64(new Uint8Array(32));
    for (const body of [
      `log\n01\n${root}\n`,
      `log\n+1\n${root}\n`,
      `log\n1 \n${root}\n`,
      `log\n1\n${root.slice(0, -1)}\n`,
      `log\n1\n${root.replace(/A=$/, "B=")}\n`,
      `log\n9007199254740993\n${root}\n`,
    ]) {
      expect(
        codeOf(() => decodeCheckpoint(body)),
        body,
      ).toBe("AUDIT_CHECKPOINT_INVALID");
    }
  });

  it("is believed with its own log's name and a root of 32 bytes only", () => {
    const seed = new Uint8Array(32).fill(3);
    const key = { name: "example.com/log", publicKey: core.ed25519.publicKey(seed) };
    const signed = (origin: string, root: Uint8Array): string => {
      const body = encodeCheckpoint({ origin, size: 5, root, extensions: "" });
      return encodeNote(body, key, core.ed25519.sign(seed, utf8(body)), crypto);
    };
    expect(openCheckpoint(signed("example.com/log", new Uint8Array(32)), key, crypto).size).toBe(5);
    for (const note of [
      signed("example.com/other", new Uint8Array(32)),
      signed("example.com/log", new Uint8Array(31)),
    ]) {
      expect(codeOf(() => openCheckpoint(note, key, crypto))).toBe("AUDIT_CHECKPOINT_INVALID");
    }
  });
});

describe("base64", () => {
  it("is the host's, both ways, and canonical", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const encoded = toBase64(bytes);
        expect(encoded).toBe(btoa(String.fromCharCode(...bytes)));
        expect(fromBase64(encoded)).toEqual(bytes);
      }),
    );
    expect(toBase64(new Uint8Array(100_000)).length).toBe(133_336);
    for (const bad of ["A", "AA", "AAA", "AB==", "AAB=", "A===", "AA=A", "AA==AAAA", " AAA", "AA-_", "\n"]) {
      expect(fromBase64(bad), bad).toBeNull();
    }
  });
});
