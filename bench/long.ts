/** Long data in chunks: each chunk a message of its own, sealed where it lies or into a new array. */
import * as nodeCrypto from "node:crypto";
import sodium from "libsodium-wrappers";
import { loadCore } from "../bindings/index.js";
import { at, random, TAG } from "./data.js";
import { assertSame, type Comparison, type Contender } from "./harness.js";

const CHUNK = 64 * 1024;
const CHUNKS = 1024;
const MIB = (CHUNK * CHUNKS) / 2 ** 20;
const SEALED = CHUNK + TAG;
const NOTHING = new Uint8Array(0);
const FLOORS = { "node:crypto": 0.7, "libsodium-wrappers": 2.8 };

/** What does one chunk: gives its result, in parts where a peer has them so, or writes it to `into`. */
interface Way {
  name: string;
  one(nonce: Uint8Array, text: Uint8Array, into: Uint8Array): readonly Uint8Array[] | void;
}

export async function longComparisons(): Promise<Comparison[]> {
  await sodium.ready;
  const core = await loadCore();
  const key = random(32);
  const keyObject = nodeCrypto.createSecretKey(key);
  const plaintext = random(CHUNK * CHUNKS);

  const compared = (
    title: string,
    nonceLength: number,
    length: number,
    texts: (i: number) => Uint8Array,
    ways: readonly Way[],
  ): Comparison => {
    const nonces = random(nonceLength * CHUNKS);
    const buffer = new Uint8Array(SEALED * CHUNKS);
    const into = (i: number): Uint8Array => at(buffer, i, SEALED).subarray(0, length);
    const contenders = ways.map(({ name, one }): Contender => ({
      name,
      run: () => {
        for (let i = 0; i < CHUNKS; i++) one(at(nonces, i, nonceLength), texts(i), into(i));
      },
    }));
    return {
      title: `${title}: ${MIB} MiB in chunks of ${CHUNK / 1024} KiB`,
      units: MIB,
      unit: "MiB",
      contenders,
      rounds: 5,
      floors: FLOORS,
      check: () => {
        for (const i of [0, 1, CHUNKS - 1]) {
          let expected: Uint8Array | undefined;
          for (const { name, one } of ways) {
            into(i).set(texts(i).subarray(0, CHUNK));
            const parts = one(at(nonces, i, nonceLength), texts(i), into(i)) ?? [into(i)];
            const result = new Uint8Array(Buffer.concat(parts));
            assertSame(result, (expected ??= result), `${title}: ${name}`);
          }
        }
      },
    };
  };

  const comparisons: Comparison[] = [];
  for (const extended of [false, true]) {
    const aead = extended ? core.xchacha20Poly1305 : core.chacha20Poly1305;
    const name = extended ? "XChaCha20-Poly1305" : "ChaCha20-Poly1305";
    const nonceLength = extended ? 24 : 12;
    const nonce = random(nonceLength);
    const encrypt = extended
      ? sodium.crypto_aead_xchacha20poly1305_ietf_encrypt
      : sodium.crypto_aead_chacha20poly1305_ietf_encrypt;
    const decrypt = extended
      ? sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
      : sodium.crypto_aead_chacha20poly1305_ietf_decrypt;
    // Node's OpenSSL has no XChaCha20.
    const node = (way: Way["one"]): Way[] => (extended ? [] : [{ name: "node:crypto", one: way }]);

    const sealed = new Uint8Array(SEALED * CHUNKS);
    comparisons.push(
      compared(`${name} seal`, nonceLength, SEALED, (i) => at(plaintext, i, CHUNK), [
        {
          name: "keyloom, in place",
          one: (n, _, into) => aead.sealInto(key, n, NOTHING, into.subarray(0, CHUNK), into),
        },
        { name: "keyloom, new arrays", one: (n, text) => [aead.seal(key, n, NOTHING, text)] },
        ...node((n, text) => {
          const cipher = nodeCrypto.createCipheriv("chacha20-poly1305", keyObject, n, { authTagLength: TAG });
          const first = cipher.update(text);
          cipher.final();
          return [first, cipher.getAuthTag()];
        }),
        { name: "libsodium-wrappers", one: (n, text) => [encrypt(text, NOTHING, null, n, key)] },
      ]),
    );
    for (let i = 0; i < CHUNKS; i++)
      aead.sealInto(key, nonce, NOTHING, at(plaintext, i, CHUNK), at(sealed, i, SEALED));
    comparisons.push(
      compared(`${name} open`, nonceLength, CHUNK, (i) => at(sealed, i, SEALED), [
        // Not where it lies: what was opened once is no sealed chunk any more.
        {
          name: "keyloom, into a buffer",
          one: (_, text, into) => aead.openInto(key, nonce, NOTHING, text, into),
        },
        { name: "keyloom, new arrays", one: (_, text) => [aead.open(key, nonce, NOTHING, text)] },
        ...node((_, text) => {
          const decipher = nodeCrypto.createDecipheriv("chacha20-poly1305", keyObject, nonce, {
            authTagLength: TAG,
          });
          decipher.setAuthTag(text.subarray(CHUNK));
          const opened = decipher.update(text.subarray(0, CHUNK));
          decipher.final();
          return [opened];
        }),
        { name: "libsodium-wrappers", one: (_, text) => [decrypt(null, text, NOTHING, nonce, key)] },
      ]),
    );
  }
  return comparisons;
}
