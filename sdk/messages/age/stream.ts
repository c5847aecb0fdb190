/**
 * The payload of an age file (C2SP age, "Payload"): STREAM over chunks of 64 KiB, each sealed with
 * ChaCha20-Poly1305 under a nonce of counter and last-chunk flag. The counter finds reordered,
 * repeated and dropped chunks; the flag finds a missing end and anything behind the end.
 */
import type { Handle, Vault } from "../../crypto/core.js";
import { isKeyloomError, KeyloomError } from "../../foundation/errors.js";
import type { Chunk } from "./byte-source.js";

export const PAYLOAD_NONCE_LENGTH = 16;
export const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

/** One payload's key and place. Owns the key's handle; both directions dispose of it after the last chunk. */
export class Payload {
  readonly #vault: Vault;
  #key: Handle | null;
  #counter = 0;
  #ended = false;

  /** @param key - from `vault.agePayloadKey`; owned by this object from here on. */
  constructor(vault: Vault, key: Handle) {
    this.#vault = vault;
    this.#key = key;
  }

  /**
   * Seals the next chunk.
   *
   * @param chunk - 64 KiB, or fewer bytes if it is the last. Not modified.
   * @returns 16 bytes more, owned by the caller.
   */
  seal(chunk: Chunk): Uint8Array {
    const sealed = this.#vault.ageChunkSeal(this.#live(), this.#counter, chunk.last, chunk.bytes);
    this.#advance(chunk.last);
    return sealed;
  }

  /**
   * Opens the next chunk.
   *
   * @param sealed - 64 KiB + 16 bytes, or fewer if the file ends behind them. Not modified.
   * @returns the plaintext, authenticated, owned by the caller. If it was the last, `ended` is true,
   *   and nothing may follow.
   * @throws {KeyloomError} `MESSAGE_AUTHENTICATION_FAILED`, with `stage: "payload"` and the chunk's
   *   number, for anything that isn't this chunk at this place of this file.
   */
  open(sealed: Uint8Array): Uint8Array {
    const key = this.#live();
    const counter = this.#counter;
    // A last chunk is empty only where the whole payload is. Too short for a tag: the end was cut off.
    const least = counter === 0 ? TAG_BYTES : TAG_BYTES + 1;
    if (sealed.length < least) throw this.refused();
    let last = sealed.length < SEALED_CHUNK_BYTES;
    let plaintext = last ? null : this.#tryOpen(key, false, sealed);
    if (plaintext === null) {
      // A full chunk doesn't show whether it is the last; its tag does.
      last = true;
      plaintext = this.#tryOpen(key, true, sealed);
    }
    if (plaintext === null) throw this.refused();
    this.#advance(last);
    return plaintext;
  }

  /** Whether the last chunk has been sealed or opened. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The one error for all that can be wrong with a payload. */
  refused(): KeyloomError {
    return new KeyloomError("MESSAGE_AUTHENTICATION_FAILED", {
      message: `the file was changed or cut short (chunk ${this.#counter} does not open)`,
      stage: "payload",
      chunk: this.#counter,
    });
  }

  /** Gives the key back. May be called again. */
  dispose(): void {
    const key = this.#key;
    this.#key = null;
    if (key !== null) disposeIfLive(this.#vault, key);
  }

  #live(): Handle {
    if (this.#key === null) throw new KeyloomError("CORE_HANDLE_STALE", { message: "the payload has ended" });
    return this.#key;
  }

  #tryOpen(key: Handle, last: boolean, sealed: Uint8Array): Uint8Array | null {
    try {
      return this.#vault.ageChunkOpen(key, this.#counter, last, sealed);
    } catch (error) {
      if (isKeyloomError(error, "CORE_AUTHENTICATION_FAILED")) return null;
      throw error;
    }
  }

  #advance(last: boolean): void {
    this.#counter++;
    if (!last) return;
    this.#ended = true;
    this.dispose();
  }
}

/** Disposes of a handle that something else, such as closing the vault, may have taken already. */
export function disposeIfLive(vault: Vault, key: Handle): void {
  try {
    vault.dispose(key);
  } catch (error) {
    if (!isKeyloomError(error, "CORE_HANDLE_STALE")) throw error;
  }
}
