/** AES key wrap and AES-256-GCM-SIV against what a user would pick instead, on one core. */
import * as nodeCrypto from "node:crypto";
import { aeskw, gcmsiv } from "@noble/ciphers/aes.js";
import { loadCore } from "../bindings/index.js";
import { AAD, at, batch, COUNT, KEY, random, TAG } from "./data.js";
import { assertSame, type Comparison, type Contender } from "./harness.js";

const WRAPPED = KEY + 8;

function perKey(length: number, one: (i: number) => Uint8Array): Uint8Array {
  const out = new Uint8Array(COUNT * length);
  for (let i = 0; i < COUNT; i++) out.set(one(i), i * length);
  return out;
}

async function perKeyAsync(length: number, one: (i: number) => Promise<ArrayBuffer>): Promise<Uint8Array> {
  const out = new Uint8Array(COUNT * length);
  for (let i = 0; i < COUNT; i++) out.set(new Uint8Array(await one(i)), i * length);
  return out;
}

function comparison(title: string, contenders: Contender[], floors: Record<string, number>): Comparison {
  return {
    title: `${title}: ${COUNT.toLocaleString("en")} keys of 32 bytes`,
    units: COUNT,
    unit: "key",
    contenders,
    floors,
    check: async () => {
      const expected = (await contenders[0]!.run()) as Uint8Array;
      for (const { name, run } of contenders) assertSame((await run()) as Uint8Array, expected, name);
    },
  };
}

export async function aesComparisons(): Promise<Comparison[]> {
  const core = await loadCore();
  const { subtle } = nodeCrypto.webcrypto;
  const [kek, keys] = [random(32), random(COUNT * KEY)];
  const wrapped = core.aesKw.wrapBatch(kek, keys, COUNT);
  const keyObject = nodeCrypto.createSecretKey(kek);
  const iv = new Uint8Array(8).fill(0xa6);
  const webKek = await subtle.importKey("raw", kek, "AES-KW", false, ["wrapKey", "unwrapKey"]);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const wrap = comparison(
    "AES-256-KW wrap",
    [
      { name: "keyloom", run: () => core.aesKw.wrapBatch(kek, keys, COUNT) },
      {
        name: "node:crypto",
        run: () =>
          perKey(WRAPPED, (i) => {
            const cipher = nodeCrypto.createCipheriv("id-aes256-wrap", keyObject, iv);
            const out = cipher.update(at(keys, i, KEY));
            cipher.final();
            return out;
          }),
      },
      {
        name: "WebCrypto",
        async: true,
        run: () =>
          perKeyAsync(WRAPPED, async (i) => {
            const key = await subtle.importKey("raw", at(keys, i, KEY), hmac, true, ["sign"]);
            return subtle.wrapKey("raw", key, webKek, "AES-KW");
          }),
      },
      { name: "noble", run: () => perKey(WRAPPED, (i) => aeskw(kek).encrypt(at(keys, i, KEY))) },
      {
        name: "keyloom, one by one",
        run: () => perKey(WRAPPED, (i) => core.aesKw.wrap(kek, at(keys, i, KEY))),
      },
    ],
    { "node:crypto": 6, WebCrypto: 15 },
  );

  const unwrap = comparison(
    "AES-256-KW unwrap",
    [
      { name: "keyloom", run: () => core.aesKw.unwrapBatch(kek, wrapped, COUNT) },
      {
        name: "node:crypto",
        run: () =>
          perKey(KEY, (i) => {
            const decipher = nodeCrypto.createDecipheriv("id-aes256-wrap", keyObject, iv);
            const out = decipher.update(at(wrapped, i, WRAPPED));
            decipher.final();
            return out;
          }),
      },
      {
        name: "WebCrypto",
        async: true,
        run: () =>
          perKeyAsync(KEY, async (i) => {
            const record = at(wrapped, i, WRAPPED);
            const key = await subtle.unwrapKey("raw", record, webKek, "AES-KW", hmac, true, ["sign"]);
            return subtle.exportKey("raw", key);
          }),
      },
      { name: "noble", run: () => perKey(KEY, (i) => aeskw(kek).decrypt(at(wrapped, i, WRAPPED))) },
      {
        name: "keyloom, one by one",
        run: () => perKey(KEY, (i) => core.aesKw.unwrap(kek, at(wrapped, i, WRAPPED))),
      },
    ],
    { "node:crypto": 6, WebCrypto: 15 },
  );

  const siv = batch(12);
  const sealed = core.aesGcmSiv.sealBatch(siv.key, siv.nonces, siv.aads, siv.plaintexts, COUNT);
  const nobleSiv = (i: number): ReturnType<typeof gcmsiv> =>
    gcmsiv(siv.key, at(siv.nonces, i, 12), at(siv.aads, i, AAD));
  const seal = comparison(
    "AES-256-GCM-SIV seal, 48 bytes of associated data",
    [
      {
        name: "keyloom",
        run: () => core.aesGcmSiv.sealBatch(siv.key, siv.nonces, siv.aads, siv.plaintexts, COUNT),
      },
      { name: "noble", run: () => perKey(KEY + TAG, (i) => nobleSiv(i).encrypt(at(siv.plaintexts, i, KEY))) },
    ],
    {},
  );
  const open = comparison(
    "AES-256-GCM-SIV open, 48 bytes of associated data",
    [
      { name: "keyloom", run: () => core.aesGcmSiv.openBatch(siv.key, siv.nonces, siv.aads, sealed, COUNT) },
      { name: "noble", run: () => perKey(KEY, (i) => nobleSiv(i).decrypt(at(sealed, i, KEY + TAG))) },
    ],
    {},
  );
  return [wrap, unwrap, seal, open];
}
