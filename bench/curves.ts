/** Ed25519 and X25519 against what a user would pick instead, on one core. */
import * as nodeCrypto from "node:crypto";
import sodium from "libsodium-wrappers";
import nacl from "tweetnacl";
import { ALGORITHM, loadCore, USAGE } from "../bindings/index.js";
import { random } from "./data.js";
import { assertSame, type Comparison, type Contender } from "./harness.js";

const BATCH = 64;

function comparison(
  title: string,
  unit: string,
  contenders: Contender[],
  floors: Record<string, number>,
  units = 1,
): Comparison {
  return {
    title,
    units,
    unit,
    contenders,
    floors,
    check: async () => {
      const expected = contenders[0]!.run() as Uint8Array;
      for (const { name, run } of contenders) assertSame(run() as Uint8Array, expected, name);
    },
  };
}

const verdict = (valid: boolean): Uint8Array => Uint8Array.of(valid ? 1 : 0);

function nodeKey(oid: string, secret: Uint8Array): nodeCrypto.KeyObject {
  const hex = `302e020100300506032b65${oid}04220420${Buffer.from(secret).toString("hex")}`;
  return nodeCrypto.createPrivateKey({ key: Buffer.from(hex, "hex"), format: "der", type: "pkcs8" });
}

export async function curveComparisons(): Promise<Comparison[]> {
  await sodium.ready;
  const core = await loadCore();
  const [seed, message] = [random(32), random(100)];
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  const key = nodeKey("70", seed);
  const nodePublic = nodeCrypto.createPublicKey(key);
  const slot = core.vault.import(
    { algorithm: ALGORITHM.ED25519, usages: USAGE.SIGN, exportable: false, id: random(16), version: 1 },
    seed,
  );
  const signature = core.vault.sign(slot, message);
  const many = Array.from({ length: BATCH }, (_, i) => {
    const pair = nacl.sign.keyPair();
    const text = random(100 + i);
    return { pair, text, signature: core.ed25519.sign(pair.secretKey.subarray(0, 32), text) };
  });
  const concat = (parts: Uint8Array[]): Uint8Array => new Uint8Array(parts.flatMap((part) => [...part]));
  const keys = concat(many.map(({ pair }) => pair.publicKey));
  const texts = many.map(({ text }) => text);
  const signatures = concat(many.map((one) => one.signature));
  const [scalar, peer] = [random(32), nacl.scalarMult.base(random(32))];
  const agreement = {
    privateKey: nodeKey("6e", scalar),
    publicKey: nodeCrypto.createPublicKey({
      key: Buffer.from(`302a300506032b656e032100${Buffer.from(peer).toString("hex")}`, "hex"),
      format: "der",
      type: "spki",
    }),
  };
  const every = (verify: (one: (typeof many)[number]) => boolean): Uint8Array => verdict(many.every(verify));
  return [
    comparison(
      "Ed25519 sign, 100 bytes",
      "signature",
      [
        { name: "keyloom, key in a slot", run: () => core.vault.sign(slot, message) },
        { name: "keyloom, from the seed", run: () => core.ed25519.sign(seed, message) },
        { name: "libsodium-wrappers", run: () => sodium.crypto_sign_detached(message, secretKey) },
        { name: "node:crypto", run: () => new Uint8Array(nodeCrypto.sign(null, message, key)) },
        { name: "tweetnacl", run: () => nacl.sign.detached(message, secretKey) },
      ],
      { "libsodium-wrappers": 1 },
    ),
    comparison(
      "Ed25519 verify, 100 bytes",
      "signature",
      [
        { name: "keyloom", run: () => verdict(core.ed25519.verify(publicKey, message, signature)) },
        {
          name: "libsodium-wrappers",
          run: () => verdict(sodium.crypto_sign_verify_detached(signature, message, publicKey)),
        },
        { name: "node:crypto", run: () => verdict(nodeCrypto.verify(null, message, nodePublic, signature)) },
        { name: "tweetnacl", run: () => verdict(nacl.sign.detached.verify(message, signature, publicKey)) },
      ],
      { "libsodium-wrappers": 1 },
    ),
    comparison(
      `Ed25519 verify: ${BATCH} signatures of as many keys`,
      "signature",
      [
        {
          name: "keyloom, verifyBatch",
          run: () => {
            core.ed25519.verifyBatch(keys, texts, signatures, BATCH);
            return verdict(true);
          },
        },
        {
          name: "keyloom, one by one",
          run: () => every((one) => core.ed25519.verify(one.pair.publicKey, one.text, one.signature)),
        },
        {
          name: "libsodium-wrappers",
          run: () =>
            every((one) => sodium.crypto_sign_verify_detached(one.signature, one.text, one.pair.publicKey)),
        },
      ],
      { "libsodium-wrappers": 1 },
      BATCH,
    ),
    comparison(
      "X25519 shared secret",
      "secret",
      [
        { name: "keyloom", run: () => core.x25519.sharedSecret(scalar, peer) },
        { name: "libsodium-wrappers", run: () => sodium.crypto_scalarmult(scalar, peer) },
        { name: "node:crypto", run: () => new Uint8Array(nodeCrypto.diffieHellman(agreement)) },
        { name: "tweetnacl", run: () => nacl.scalarMult(scalar, peer) },
      ],
      { "libsodium-wrappers": 1 },
    ),
    comparison(
      "X25519 public key",
      "key",
      [
        { name: "keyloom", run: () => core.x25519.publicKey(scalar) },
        { name: "libsodium-wrappers", run: () => sodium.crypto_scalarmult_base(scalar) },
        { name: "tweetnacl", run: () => nacl.scalarMult.base(scalar) },
      ],
      { "libsodium-wrappers": 1 },
    ),
  ];
}
