import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { concat, equalBytes, utf8 } from "../../sdk/foundation/bytes.js";
import { ByteReader } from "../../sdk/messages/age/byte-source.js";
import { decryptAgeStream, encryptAgeStream } from "../../sdk/messages/age/file.js";
import { readHeader, type Stanza } from "../../sdk/messages/age/header.js";
import { wrapManagedKeyStanza } from "../../sdk/messages/age/stanza.js";
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import {
  decryptWith,
  drain,
  encryptTo,
  flipped,
  importKey,
  KEY_ID,
  KEY_VERSION,
  openVault,
  pattern,
  randomBytes,
  readAll,
  unwrapWith,
} from "./support.js";

let vault: Vault;
let key: Handle;
let held: number;
beforeAll(async () => {
  vault = await openVault();
  key = importKey(vault);
});
beforeEach(() => {
  held = vault.liveCount();
});

/** A source that counts what is asked of it and records how it was left. */
function observed(pieces: number, size: number) {
  const seen = { pulls: 0, cancelled: undefined as unknown };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.pulls++ < pieces) controller.enqueue(pattern(size));
        else controller.close();
      },
      cancel(reason) {
        seen.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, stream };
}

/** A source that gives `first` and then never anything again. */
function stalling(first: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(first) });
}

describe("the header of an encrypted file", () => {
  it("is refused whichever of its bytes was changed, before the payload is touched", async () => {
    const file = await readAll(encryptTo(vault, key, pattern(100)));
    const headerLength = file.length - 100 - 16 - 16;
    const stages = new Set<string>();
    for (let at = 0; at < headerLength; at++) {
      const outcome = await drain(decryptWith(vault, key, flipped(file, at)));
      const error = outcome.error as { code: string; message: string; details: { stage?: string } };
      expect(outcome.bytes.length).toBe(0);
      expect(error.details?.stage).not.toBe("payload");
      // A changed type is a stanza nobody knows.
      stages.add(error.code ?? error.message);
    }
    expect([...stages].sort()).toEqual([
      "MESSAGE_AUTHENTICATION_FAILED",
      "MESSAGE_MALFORMED",
      "no managed-key stanza",
    ]);
    expect(vault.liveCount()).toBe(held);
  });

  it("is refused when a stanza was added, removed or moved, even if ours still unwraps", async () => {
    const other: Stanza = { type: "X25519", args: ["c2hhcmU"], body: pattern(32) };
    const file = await readAll(encryptTo(vault, key, pattern(5), [other]));
    const text = String.fromCharCode(...file.subarray(0, -37));
    const payload = file.subarray(-37);
    const [intro, theirs, ours, end] = text.split(/(?=-> )|(?=---)/) as [string, string, string, string];
    for (const parts of [
      [intro, ours, end],
      [intro, ours, theirs, end],
      [intro, theirs, theirs, ours, end],
    ]) {
      const { error } = await drain(decryptWith(vault, key, concat(utf8(parts.join("")), payload)));
      expect(error).toMatchObject({ code: "MESSAGE_AUTHENTICATION_FAILED", details: { stage: "header" } });
    }
    expect(
      await readAll(decryptWith(vault, key, concat(utf8(intro + theirs + ours + end), payload))),
    ).toEqual(pattern(5));
    expect(vault.liveCount()).toBe(held);
  });

  it("keeps foreign stanzas as they are, and hands them all to the unwrapping side", async () => {
    const others: Stanza[] = [
      { type: "X25519", args: ["c2hhcmU"], body: pattern(32) },
      { type: "x-grease", args: ["!", "~"], body: pattern(96) },
    ];
    const file = await readAll(encryptTo(vault, key, pattern(5), others));
    const { stanzas } = await readHeader(new ByteReader(file));
    expect(stanzas.slice(0, 2)).toEqual(others);
    expect(stanzas.length).toBe(3);
    expect(await readAll(decryptWith(vault, key, file))).toEqual(pattern(5));
  });

  it("is not written with scrypt beside another stanza", async () => {
    const scrypt: Stanza = { type: "scrypt", args: ["c2FsdA", "10"], body: pattern(32) };
    const { bytes, error } = await drain(encryptTo(vault, key, pattern(5), [scrypt]));
    expect(bytes.length).toBe(0);
    expect(error).toMatchObject({ code: "MESSAGE_MALFORMED" });
    expect(vault.liveCount()).toBe(held);
  });

  it("must be followed by a whole nonce", async () => {
    const file = await readAll(encryptTo(vault, key, new Uint8Array(0)));
    for (let missing = 17; missing <= 32; missing++) {
      const { error } = await drain(decryptWith(vault, key, file.subarray(0, -missing)));
      expect(error).toMatchObject({ code: "MESSAGE_MALFORMED" });
    }
    expect(vault.liveCount()).toBe(held);
  });

  it("has a file key and a nonce of its own for every file", async () => {
    const [a, b] = [
      await readAll(encryptTo(vault, key, pattern(5))),
      await readAll(encryptTo(vault, key, pattern(5))),
    ];
    const [first, second] = [await readHeader(new ByteReader(a)), await readHeader(new ByteReader(b))];
    expect(first.stanzas[0]!.body).not.toEqual(second.stanzas[0]!.body);
    expect(a.subarray(-37, -21)).not.toEqual(b.subarray(-37, -21));
  });
});

describe("an age stream", () => {
  it("takes nothing from the vault or its source before it is read", async () => {
    const { seen, stream } = observed(3, 10);
    const encrypting = encryptTo(vault, key, stream);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(seen.pulls).toBe(0);
    expect(vault.liveCount()).toBe(held);
    await encrypting.cancel();
  });

  it("reads its source no further than what was asked of it, and one piece ahead", async () => {
    const { seen, stream } = observed(8, CHUNK_BYTES);
    const reader = encryptTo(vault, key, stream).getReader();
    await reader.read();
    expect(seen.pulls).toBe(0);
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(seen.pulls).toBe(2);
    await reader.read();
    expect(seen.pulls).toBe(3);
    await reader.cancel("enough");
    expect(seen.cancelled).toBe("enough");
    expect(vault.liveCount()).toBe(held);
  });

  it("gives its slot back with the last chunk, in both directions", async () => {
    const file = await readAll(encryptTo(vault, key, pattern(CHUNK_BYTES)));
    const encrypting = encryptTo(vault, key, pattern(CHUNK_BYTES)).getReader();
    await encrypting.read();
    expect(vault.liveCount()).toBe(held + 1);
    for (const reader of [encrypting, decryptWith(vault, key, file).getReader()]) {
      expect((await reader.read()).value?.length).toBeGreaterThanOrEqual(CHUNK_BYTES);
      expect(vault.liveCount()).toBe(held);
      expect((await reader.read()).done).toBe(true);
    }
  });

  it("gives its slots back when it is cancelled in the middle, and while it waits", async () => {
    const file = await readAll(encryptTo(vault, key, pattern(2 * CHUNK_BYTES)));
    const middle = decryptWith(vault, key, file).getReader();
    await middle.read();
    expect(vault.liveCount()).toBe(held + 1);
    await middle.cancel();
    expect(vault.liveCount()).toBe(held);

    for (const length of [0, 50, 300, file.length - 2 * SEALED_CHUNK_BYTES, file.length - 10]) {
      const reader = decryptWith(vault, key, stalling(file.subarray(0, length))).getReader();
      const waiting = (async () => {
        while (!(await reader.read()).done);
      })();
      await new Promise((resolve) => setTimeout(resolve, 0));
      await reader.cancel();
      await waiting;
      expect(vault.liveCount()).toBe(held);
    }
  });

  it("gives the file key back when it is cancelled while the key is looked up, in both directions", async () => {
    const file = await readAll(encryptTo(vault, key, pattern(5)));
    for (const direction of ["decrypt", "encrypt"]) {
      let letGo = (): void => {};
      let asked = (): void => {};
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      const reached = new Promise<void>((resolve) => (asked = resolve));
      const lookUp = () => {
        asked();
        return gate;
      };
      const stream =
        direction === "decrypt"
          ? decryptAgeStream(
              { vault, unwrapFileKey: (stanzas) => lookUp().then(() => unwrapWith(vault, key)(stanzas)) },
              file,
            )
          : encryptAgeStream(
              {
                vault,
                random: randomBytes,
                stanzas: (fileKey) =>
                  lookUp().then(() => [wrapManagedKeyStanza(vault, key, KEY_ID, KEY_VERSION, fileKey)]),
              },
              pattern(5),
            );
      const reader = stream.getReader();
      const read = reader.read();
      await reached;
      await reader.cancel();
      letGo();
      expect((await read).done).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 0));
      expect(vault.liveCount()).toBe(held);
    }
  });

  it("cancels its source when it fails, and fails with its own reason", async () => {
    const file = await readAll(encryptTo(vault, key, pattern(10)));
    let reason: unknown;
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(flipped(file, file.length - 1));
        controller.enqueue(pattern(100_000));
      },
      cancel: (given) => {
        reason = given;
        throw new Error("the source can't even clean up");
      },
    });
    const { error } = await drain(decryptWith(vault, key, source));
    expect(error).toMatchObject({ code: "MESSAGE_AUTHENTICATION_FAILED" });
    expect(reason).toBe(error);
  });

  it("passes on an error of its source and gives its slots back", async () => {
    const failure = new Error("the disk is gone");
    async function* failing(bytes: Uint8Array) {
      yield bytes;
      throw failure;
    }
    expect((await drain(encryptTo(vault, key, failing(pattern(10))))).error).toBe(failure);
    const file = await readAll(encryptTo(vault, key, pattern(2 * CHUNK_BYTES)));
    for (const length of [0, 100, file.length - 5]) {
      expect((await drain(decryptWith(vault, key, failing(file.subarray(0, length))))).error).toBe(failure);
    }
    expect(vault.liveCount()).toBe(held);
  });

  it("passes on an error of the key look-up and of the stanzas", async () => {
    const failure = new Error("no such key");
    const fail = () => {
      throw failure;
    };
    const file = await readAll(encryptTo(vault, key, pattern(5)));
    expect((await drain(decryptAgeStream({ vault, unwrapFileKey: fail }, file))).error).toBe(failure);
    const options = { vault, stanzas: fail, random: randomBytes };
    expect((await drain(encryptAgeStream(options, pattern(5)))).error).toBe(failure);
    expect(vault.liveCount()).toBe(held);
  });

  it("fails as stale, and stays failed, when the vault was emptied under it", async () => {
    const own = await openVault();
    const ownKey = importKey(own);
    const encrypting = encryptTo(own, ownKey, pattern(3 * CHUNK_BYTES)).getReader();
    await encrypting.read();
    own.disposeAll();
    await expect(encrypting.read()).rejects.toMatchObject({ code: "CORE_HANDLE_STALE" });
    await expect(encrypting.read()).rejects.toMatchObject({ code: "CORE_HANDLE_STALE" });
  });

  it("refuses a source that isn't one at once, and a piece that isn't bytes when it comes", async () => {
    const notASource = "plain text" as unknown as Uint8Array;
    expect(() => encryptTo(vault, key, notASource)).toThrow(TypeError);
    expect(() => decryptWith(vault, key, undefined as unknown as Uint8Array)).toThrow(TypeError);
    const locked = stalling(pattern(1));
    locked.getReader();
    expect(() => encryptTo(vault, key, locked)).toThrow(TypeError);

    async function* texts() {
      yield "text" as unknown as Uint8Array;
    }
    expect((await drain(encryptTo(vault, key, texts()))).error).toEqual(
      new TypeError("a piece of the source must be a Uint8Array"),
    );
    expect(vault.liveCount()).toBe(held);
  });

  it("can be piped and iterated", async () => {
    const plaintext = pattern(CHUNK_BYTES + 5);
    const parts: Uint8Array[] = [];
    const through = encryptTo(vault, key, plaintext).pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>(),
    );
    const sink = new WritableStream<Uint8Array>({ write: (part) => void parts.push(part) });
    await decryptWith(vault, key, through).pipeTo(sink);
    expect(equalBytes(concat(...parts), plaintext)).toBe(true);
  });
});
