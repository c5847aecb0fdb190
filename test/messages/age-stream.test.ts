import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { concat, equalBytes } from "../../sdk/foundation/bytes.js";
import { KeyloomError } from "../../sdk/foundation/errors.js";
import type { AgeSource } from "../../sdk/messages/age/byte-source.js";
import { decryptAgeStream } from "../../sdk/messages/age/file.js";
import { encodeHeader, encodeMac } from "../../sdk/messages/age/header.js";
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import {
  decryptWith,
  drain,
  encryptTo,
  importFileKey,
  importKey,
  openVault,
  type Outcome,
  pattern,
  readAll,
  split,
  streaming,
  yielding,
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

const SOURCES: Record<string, (pieces: readonly Uint8Array[]) => AgeSource> = {
  stream: streaming,
  iterable: yielding,
  array: (pieces) => concat(...pieces),
};
const kindOfSource = fc.constantFrom("stream", "iterable", "array");
const lengthNearAChunk = fc.oneof(
  fc.nat(300),
  fc
    .tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(-17, -16, -1, 0, 1, 15, 16, 17))
    .map(([chunks, off]) => chunks * CHUNK_BYTES + off),
);
const cuts = fc.array(
  fc.oneof(
    fc.nat(4 * SEALED_CHUNK_BYTES),
    fc.constantFrom(0, 1, CHUNK_BYTES, SEALED_CHUNK_BYTES, 2 * CHUNK_BYTES),
  ),
  { maxLength: 12 },
);

/** A file with the file key known: header, nonce, then what `payload` seals with the payload key. */
function forge(payload: (payloadKey: Handle) => Uint8Array[]): Uint8Array[] {
  const fileKey = importFileKey(vault, FILE_KEY);
  const head = encodeHeader([{ type: "example.com/known", args: [], body: new Uint8Array(0) }]);
  const nonce = pattern(16, 21);
  const payloadKey = vault.agePayloadKey(fileKey, nonce);
  const start = concat(head, encodeMac(vault.ageHeaderMac(fileKey, head)), nonce);
  const pieces = [start, ...payload(payloadKey)];
  vault.dispose(payloadKey);
  vault.dispose(fileKey);
  return pieces;
}
const FILE_KEY = pattern(16, 20);

function openForged(pieces: readonly Uint8Array[]): Promise<Outcome> {
  const unwrapFileKey = async () => importFileKey(vault, FILE_KEY);
  return drain(decryptAgeStream({ vault, unwrapFileKey }, yielding(pieces)));
}

/** Start (header and nonce) and sealed chunks of a file. */
async function sealedChunks(plaintext: Uint8Array): Promise<{ start: Uint8Array; chunks: Uint8Array[] }> {
  const count = Math.max(1, Math.ceil(plaintext.length / CHUNK_BYTES));
  const file = await readAll(encryptTo(vault, key, plaintext));
  const startLength = file.length - plaintext.length - 16 * count;
  const chunks = Array.from({ length: count }, (_, i) =>
    file.slice(startLength + i * SEALED_CHUNK_BYTES, startLength + (i + 1) * SEALED_CHUNK_BYTES),
  );
  return { start: file.slice(0, startLength), chunks };
}

/** The stream failed in the payload, and what came before is whole chunks from the plaintext's start. */
function expectRefused(outcome: Outcome, plaintext: Uint8Array): void {
  expect(outcome.error).toBeInstanceOf(KeyloomError);
  expect(outcome.error).toMatchObject({
    code: "MESSAGE_AUTHENTICATION_FAILED",
    details: { stage: "payload" },
  });
  expect(outcome.bytes.length % CHUNK_BYTES).toBe(0);
  expect(equalBytes(outcome.bytes, plaintext.subarray(0, outcome.bytes.length))).toBe(true);
  expect(vault.liveCount()).toBe(held);
}

describe("age streams", () => {
  it("give back what went in, however both sources are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        lengthNearAChunk,
        kindOfSource,
        kindOfSource,
        cuts,
        cuts,
        async (length, from, to, plainCuts, sealedCuts) => {
          const plaintext = pattern(length, length + 1);
          const file = await readAll(encryptTo(vault, key, SOURCES[from]!(split(plaintext, plainCuts))));
          const opened = await readAll(decryptWith(vault, key, SOURCES[to]!(split(file, sealedCuts))));
          expect(equalBytes(opened, plaintext)).toBe(true);
          expect(vault.liveCount()).toBe(held);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("take a source that yields one byte at a time and one that uses its buffer again", async () => {
    const plaintext = pattern(CHUNK_BYTES + 3);
    async function* reusing(bytes: Uint8Array, size: number) {
      const buffer = new Uint8Array(size);
      for (let at = 0; at < bytes.length; at += buffer.length) {
        const piece = bytes.subarray(at, at + buffer.length);
        buffer.set(piece);
        yield buffer.subarray(0, piece.length);
        buffer.fill(0xee);
      }
    }
    const file = await readAll(encryptTo(vault, key, reusing(plaintext, CHUNK_BYTES)));
    const bytewise = yielding([...file].map((byte) => Uint8Array.of(byte)));
    expect(equalBytes(await readAll(decryptWith(vault, key, bytewise)), plaintext)).toBe(true);
    for (const size of [7, 1000, SEALED_CHUNK_BYTES]) {
      expect(equalBytes(await readAll(decryptWith(vault, key, reusing(file, size))), plaintext)).toBe(true);
    }
  });

  it("leave the bytes of their sources as they were", async () => {
    const plaintext = pattern(CHUNK_BYTES + 100);
    const before = plaintext.slice();
    const file = await readAll(encryptTo(vault, key, plaintext));
    const sealed = file.slice();
    await readAll(decryptWith(vault, key, file));
    expect(equalBytes(plaintext, before) && equalBytes(file, sealed)).toBe(true);
  });

  it("make chunks of 64 KiB, with an empty one only for an empty file", async () => {
    for (const [length, chunks] of [
      [0, 1],
      [1, 1],
      [CHUNK_BYTES - 1, 1],
      [CHUNK_BYTES, 1],
      [CHUNK_BYTES + 1, 2],
      [2 * CHUNK_BYTES, 2],
    ] as const) {
      const pieces: number[] = [];
      for await (const piece of encryptTo(vault, key, pattern(length))) pieces.push(piece.length);
      expect(pieces.length).toBe(1 + chunks);
      expect(pieces.slice(1).reduce((sum, piece) => sum + piece, 0)).toBe(length + 16 * chunks);
    }
  });
});

describe("a damaged payload", () => {
  it("is refused when it ends at any byte but the last", async () => {
    const plaintext = pattern(150);
    const { start, chunks } = await sealedChunks(plaintext);
    for (let length = 0; length < chunks[0]!.length; length++) {
      expectRefused(
        await drain(decryptWith(vault, key, concat(start, chunks[0]!.subarray(0, length)))),
        plaintext,
      );
    }
  });

  it("is refused when a longer one ends near a chunk's edge, or anywhere", async () => {
    const plaintext = pattern(3 * CHUNK_BYTES);
    const { start, chunks } = await sealedChunks(plaintext);
    const payload = concat(...chunks);
    const length = fc.oneof(
      fc.nat(payload.length - 1),
      fc
        .tuple(fc.constantFrom(1, 2, 3), fc.integer({ min: -20, max: 20 }))
        .map(([count, off]) => Math.min(count * SEALED_CHUNK_BYTES + off, payload.length - 1)),
    );
    await fc.assert(
      fc.asyncProperty(length, cuts, async (length, cuts) => {
        const cut = concat(start, payload.subarray(0, length));
        expectRefused(await drain(decryptWith(vault, key, yielding(split(cut, cuts)))), plaintext);
      }),
      { numRuns: 40 },
    );
  });

  it("is refused when its chunks stand in another order, are missing, or come twice", async () => {
    const plaintext = pattern(2 * CHUNK_BYTES + 500);
    const { start, chunks } = await sealedChunks(plaintext);
    expect(chunks.length).toBe(3);
    const orders = [
      // other orders
      ...[
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ],
      // missing: the last, the first, the middle one, all but one, all
      ...[[0, 1], [1, 2], [0, 2], [0], [1], [2], []],
      // twice
      ...[
        [0, 0, 1, 2],
        [0, 1, 1, 2],
        [0, 1, 2, 2],
        [0, 1, 2, 0],
      ],
    ];
    for (const order of orders) {
      const changed = concat(start, ...order.map((i) => chunks[i]!));
      expectRefused(await drain(decryptWith(vault, key, changed)), plaintext);
    }
    const whole = await drain(decryptWith(vault, key, concat(start, ...chunks)));
    expect(equalBytes(whole.bytes, plaintext)).toBe(true);
  });

  it("is refused with bytes behind its last chunk, be that short or full", async () => {
    for (const length of [0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 1]) {
      const plaintext = pattern(length);
      const { start, chunks } = await sealedChunks(plaintext);
      for (const garbage of [1, 15, 16, 17, CHUNK_BYTES]) {
        const file = concat(start, ...chunks, pattern(garbage, 77));
        expectRefused(await drain(decryptWith(vault, key, file)), plaintext);
      }
    }
  });

  it("is refused when a bit was turned, before a byte of that chunk has left", async () => {
    const plaintext = pattern(CHUNK_BYTES + 64);
    const { start, chunks } = await sealedChunks(plaintext);
    const payload = concat(...chunks);
    const places = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, SEALED_CHUNK_BYTES - 1];
    const inSecond = Array.from(
      { length: payload.length - SEALED_CHUNK_BYTES },
      (_, i) => SEALED_CHUNK_BYTES + i,
    );
    for (const place of [...places, ...inSecond]) {
      const changed = payload.slice();
      changed[place]! ^= 0x10;
      const outcome = await drain(decryptWith(vault, key, concat(start, changed)));
      expectRefused(outcome, plaintext);
      expect(outcome.bytes.length).toBe(place < SEALED_CHUNK_BYTES ? 0 : CHUNK_BYTES);
    }
  });

  it("is refused under the nonce of another file", async () => {
    const plaintext = pattern(10);
    const { start, chunks } = await sealedChunks(plaintext);
    start[start.length - 1]! ^= 1;
    expectRefused(await drain(decryptWith(vault, key, concat(start, ...chunks))), plaintext);
  });
});

describe("a payload sealed with the right key against the rules", () => {
  const full = pattern(CHUNK_BYTES, 30);
  const short = pattern(40, 31);
  const empty = new Uint8Array(0);

  it("opens when it keeps them", async () => {
    const pieces = forge((payloadKey) => [
      vault.ageChunkSeal(payloadKey, 0, false, full),
      vault.ageChunkSeal(payloadKey, 1, true, short),
    ]);
    const outcome = await openForged(pieces);
    expect(outcome.error).toBeUndefined();
    expect(equalBytes(outcome.bytes, concat(full, short))).toBe(true);
  });

  it("is refused with an empty last chunk behind a full one", async () => {
    const pieces = forge((payloadKey) => [
      vault.ageChunkSeal(payloadKey, 0, false, full),
      vault.ageChunkSeal(payloadKey, 1, true, empty),
    ]);
    const outcome = await openForged(pieces);
    expectRefused(outcome, full);
    expect(outcome.bytes.length).toBe(CHUNK_BYTES);
  });

  it("is refused with a short chunk that isn't the last", async () => {
    const pieces = forge((payloadKey) => [
      vault.ageChunkSeal(payloadKey, 0, false, short),
      vault.ageChunkSeal(payloadKey, 1, true, full),
    ]);
    expectRefused(await openForged(pieces), full);
  });

  it("is refused without a last chunk, with two of them, or with a counter that skips", async () => {
    const seal = (counter: number, last: boolean, chunk: Uint8Array) => (payloadKey: Handle) =>
      vault.ageChunkSeal(payloadKey, counter, last, chunk);
    for (const steps of [
      [seal(0, false, full)],
      [seal(0, false, short)],
      [seal(0, true, full), seal(1, true, short)],
      [seal(0, true, full), seal(0, true, short)],
      [seal(0, false, full), seal(2, true, short)],
      [seal(1, true, short)],
      [],
    ]) {
      expectRefused(await openForged(forge((payloadKey) => steps.map((step) => step(payloadKey)))), full);
    }
  });
});
