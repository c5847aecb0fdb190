/** Whole age v1 files as streams: header, MAC, nonce, payload, and armor around them where it is wanted. */
import { ALGORITHM, type Handle, type Vault } from "../../crypto/core.js";
import { concat } from "../../foundation/bytes.js";
import { KeyloomError } from "../../foundation/errors.js";
import { ID_LENGTH } from "../../foundation/ids.js";
import { ArmorWriter, dearmored } from "./armor.js";
import { type AgeSource, ByteReader, type Chunk } from "./byte-source.js";
import { encodeHeader, encodeMac, readHeader, type Stanza } from "./header.js";
import { CHUNK_BYTES, disposeIfLive, Payload, PAYLOAD_NONCE_LENGTH, SEALED_CHUNK_BYTES } from "./stream.js";

interface AgeOptions {
  /** A vault, or what opens one at the first read of the result. */
  readonly vault: Vault | (() => Promise<Vault>);
  /** Throws once the vault is gone: whatever a stream fails with then, this is the reason. */
  readonly requireOpen?: () => void;
}

export interface AgeEncryptOptions extends AgeOptions {
  /**
   * Wraps the file key for every reader; called once, at the first read of the result. The handle is
   * disposed of here, as soon as the call has returned or its promise is settled.
   *
   * @param cancelled - aborted when the result is cancelled
   */
  readonly stanzas: (
    fileKey: Handle,
    vault: Vault,
    cancelled: AbortSignal,
  ) => readonly Stanza[] | Promise<readonly Stanza[]>;
  /** Draws that many public random bytes (the payload's nonce). */
  readonly random: (length: number) => Uint8Array;
  /** Write ASCII armor around the file. */
  readonly armor?: boolean | undefined;
}

export interface AgeDecryptOptions extends AgeOptions {
  /**
   * Finds the stanza it knows and unwraps the file key; ignores stanzas of other types. The handle
   * given back is disposed of here. Throws when no stanza can be unwrapped.
   *
   * @param cancelled - aborted when the result is cancelled
   */
  readonly unwrapFileKey: (
    stanzas: readonly Stanza[],
    vault: Vault,
    cancelled: AbortSignal,
  ) => Promise<Handle>;
}

const NOTHING = new Uint8Array(0);

/**
 * Encrypts a source of any length as an age v1 file under a fresh file key.
 *
 * @param source - locked at once, read chunk by chunk as the result is read. Pieces are not modified.
 * @returns the file. Nothing is drawn from the vault before the first read; its slots are free again
 *   when the stream has been read to its end, has failed, or was cancelled.
 * @throws TypeError for something that isn't a source, or a locked stream. All else fails the stream:
 *   errors of the source, of `stanzas` and of the vault come through as they are.
 */
export function encryptAgeStream(options: AgeEncryptOptions, source: AgeSource): ReadableStream<Uint8Array> {
  const { requireOpen } = options;
  const reader = new ByteReader(source);
  const armor = options.armor === true ? new ArmorWriter() : null;
  return payloadStream(reader, {
    requireOpen,
    async begin(cancelled) {
      const { payload, prefix } = await beginFile(await opened(options), options, cancelled);
      return { payload, prefix: armor === null ? prefix : armor.write(prefix, false) };
    },
    async next(payload) {
      const chunk = await reader.readChunk(CHUNK_BYTES);
      const sealed = payload.seal(chunk);
      return { bytes: armor === null ? sealed : armor.write(sealed, chunk.last), last: chunk.last };
    },
  });
}

/**
 * Decrypts an age v1 file, armored or not. A chunk leaves only after its tag has been checked, but the end of the
 * file is known only at the end: what was read from a stream that fails later must be thrown away.
 *
 * @param source - locked at once, read as the result is read. Pieces are not modified.
 * @returns the plaintext. Slots are held and given back as in {@link encryptAgeStream}.
 * @throws TypeError for something that isn't a source, or a locked stream. All else fails the stream:
 *   `MESSAGE_MALFORMED` for a header that doesn't parse or a missing nonce, and with `stage: "armor"`
 *   for other than strict armor, wherever that shows;
 *   `MESSAGE_AUTHENTICATION_FAILED` with `stage: "header"` for a wrong MAC, `stage: "payload"` for
 *   changed, reordered, missing or trailing chunks; errors of the source and of `unwrapFileKey`.
 */
export function decryptAgeStream(options: AgeDecryptOptions, source: AgeSource): ReadableStream<Uint8Array> {
  const { requireOpen } = options;
  const reader = new ByteReader(source, dearmored);
  return payloadStream(reader, {
    requireOpen,
    begin: async (cancelled) => ({
      payload: await openFile(await opened(options), options, reader, cancelled),
    }),
    async next(payload) {
      // A last chunk that is full leaves at once; that nothing follows it is checked behind it.
      if (payload.ended) {
        if (await reader.hasMore()) throw payload.refused();
        return { bytes: NOTHING, last: true };
      }
      const sealed = await reader.readUpTo(SEALED_CHUNK_BYTES);
      return { bytes: payload.open(sealed), last: sealed.length < SEALED_CHUNK_BYTES };
    },
  });
}

async function opened({ vault }: AgeOptions): Promise<Vault> {
  return typeof vault === "function" ? vault() : vault;
}

async function beginFile(
  vault: Vault,
  options: AgeEncryptOptions,
  cancelled: AbortSignal,
): Promise<Required<Beginning>> {
  const fileKey = vault.generate({
    algorithm: ALGORITHM.AGE_FILE_KEY,
    usages: 0,
    exportable: false,
    id: new Uint8Array(ID_LENGTH),
    version: 0,
  });
  try {
    const head = encodeHeader(await options.stanzas(fileKey, vault, cancelled));
    const mac = encodeMac(vault.ageHeaderMac(fileKey, head));
    const nonce = options.random(PAYLOAD_NONCE_LENGTH);
    const payload = new Payload(vault, vault.agePayloadKey(fileKey, nonce));
    return { payload, prefix: concat(head, mac, nonce) };
  } finally {
    disposeIfLive(vault, fileKey);
  }
}

async function openFile(
  vault: Vault,
  options: AgeDecryptOptions,
  reader: ByteReader,
  cancelled: AbortSignal,
): Promise<Payload> {
  const { stanzas, authenticated, mac } = await readHeader(reader);
  const fileKey = await options.unwrapFileKey(stanzas, vault, cancelled);
  try {
    if (!vault.ageHeaderMacVerify(fileKey, authenticated, mac)) {
      throw new KeyloomError("MESSAGE_AUTHENTICATION_FAILED", {
        message: "the file's header was changed (its MAC is wrong)",
        stage: "header",
      });
    }
    const nonce = await reader.readUpTo(PAYLOAD_NONCE_LENGTH);
    if (nonce.length < PAYLOAD_NONCE_LENGTH) {
      throw new KeyloomError("MESSAGE_MALFORMED", { message: "the file ends before its payload" });
    }
    return new Payload(vault, vault.agePayloadKey(fileKey, nonce));
  } finally {
    disposeIfLive(vault, fileKey);
  }
}

interface Beginning {
  readonly payload: Payload;
  /** What goes out before the first chunk. */
  readonly prefix?: Uint8Array;
}

interface Direction {
  readonly requireOpen: AgeOptions["requireOpen"] | undefined;
  begin(cancelled: AbortSignal): Promise<Beginning>;
  /** The next bytes of the result, and whether they are its end. */
  next(payload: Payload): Promise<Chunk>;
}

/** Why a stream fails: what was thrown, or that the vault went away under it. */
function reasonOf(cause: unknown, { requireOpen }: Direction): unknown {
  try {
    requireOpen?.();
    return cause;
  } catch (closed) {
    return closed;
  }
}

/** The one pump of both directions: a read of the result is a read of the source, nothing runs ahead. */
function payloadStream(reader: ByteReader, direction: Direction): ReadableStream<Uint8Array> {
  let payload: Payload | null = null;
  let over = false;
  const cancelling = new AbortController();

  function release(): void {
    over = true;
    payload?.dispose();
    reader.wipe();
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (payload === null) {
      const beginning = await direction.begin(cancelling.signal);
      payload = beginning.payload;
      // Cancelled meanwhile: nobody else knows of this handle.
      if (over) return payload.dispose();
      if (beginning.prefix !== undefined) return controller.enqueue(beginning.prefix);
    }
    const { bytes, last } = await direction.next(payload);
    if (bytes.length > 0) controller.enqueue(bytes);
    if (!last) return;
    release();
    controller.close();
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          await pull(controller);
        } catch (cause) {
          // Cancelled while it waited: its payload is gone, and nobody reads any more.
          if (over) return;
          release();
          const error = reasonOf(cause, direction);
          // The source's own clean-up must not hide why the stream failed.
          reader.cancel(error).catch(() => {});
          throw error;
        }
      },
      cancel(reason) {
        release();
        cancelling.abort(reason);
        return reader.cancel(reason);
      },
    },
    // No queue: a chunk is decrypted when somebody asks for it.
    { highWaterMark: 0 },
  );
}
