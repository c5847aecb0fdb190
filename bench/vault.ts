/** The vault's own batches: figures without a peer, since nobody else does this. */
import { ALGORITHM, loadCoreWith, USAGE, wrapAlgorithmOf, type KeyTemplate } from "../sdk/crypto/core.js";
import { hostRandom } from "../sdk/foundation/random.js";
import { encodeMaterialAttributes } from "../sdk/crypto/material.js";
import { COUNT, random } from "./data.js";
import type { Comparison } from "./harness.js";

const RECORD = 170;

export async function vaultComparison(): Promise<Comparison> {
  const { vault } = await loadCoreWith({ random: hostRandom });
  const template = (version: number): KeyTemplate => ({
    algorithm: ALGORITHM.XCHACHA20_POLY1305,
    usages: USAGE.WRAP | USAGE.UNWRAP,
    exportable: false,
    id: new Uint8Array(16).fill(1),
    version,
  });
  const oldKek = vault.generate(template(1));
  const newKek = vault.generate(template(2));
  const macKey = vault.generate({
    ...template(1),
    algorithm: ALGORITHM.HMAC_SHA256,
    usages: USAGE.MAC_GENERATE | USAGE.MAC_VERIFY,
  });
  const attributes = new Uint8Array(COUNT * 48);
  for (let i = 0; i < COUNT; i++) {
    const one = encodeMaterialAttributes({
      algorithm: ALGORITHM.XCHACHA20_POLY1305,
      usages: USAGE.ENCRYPT | USAGE.DECRYPT,
      exportable: false,
      key: random(16),
      version: 1,
      kek: new Uint8Array(16).fill(1),
      kekVersion: 1,
    });
    attributes.set(one, i * 48);
  }
  const wrapped = vault.generateAndWrapBatch(oldKek, attributes, COUNT);
  // The same jobs under wrapping keys of other algorithms.
  const others = (["A256KW", "A256GCMSIV"] as const).map((name) => {
    const kek = vault.generate({ ...template(1), algorithm: ALGORITHM[name] });
    const own = attributes.slice();
    for (let i = 0; i < COUNT; i++) own[i * 48 + 1] = wrapAlgorithmOf(ALGORITHM[name]);
    return { name, kek, own, wrapped: vault.generateAndWrapBatch(kek, own, COUNT) };
  });
  const prefix = new Uint8Array(64);
  const messages = random(COUNT * RECORD);
  const lengths = new Uint32Array(COUNT).fill(RECORD);
  return {
    title: `The vault: ${COUNT.toLocaleString("en")} keys of 32 bytes under XChaCha20-Poly1305 with commitment`,
    units: COUNT,
    unit: "key",
    contenders: [
      { name: "generateAndWrapBatch", run: () => vault.generateAndWrapBatch(oldKek, attributes, COUNT) },
      { name: "openCheckBatch", run: () => vault.openCheckBatch(oldKek, attributes, wrapped, COUNT) },
      { name: "rewrapBatch", run: () => vault.rewrapBatch(oldKek, newKek, attributes, wrapped, COUNT) },
      ...others.flatMap(({ name, kek, own, wrapped: theirs }) => [
        { name: `generateAndWrapBatch, ${name}`, run: () => vault.generateAndWrapBatch(kek, own, COUNT) },
        { name: `openCheckBatch, ${name}`, run: () => vault.openCheckBatch(kek, own, theirs, COUNT) },
      ]),
      {
        name: `recordSeal: MAC and digest of ${RECORD} bytes`,
        run: () => vault.recordSeal(macKey, prefix, messages, lengths),
      },
    ],
    check: () => {
      const moved = vault.rewrapBatch(oldKek, newKek, attributes, wrapped, COUNT);
      const opened = others.map(({ kek, own, wrapped: theirs }) =>
        vault.openCheckBatch(kek, own, theirs, COUNT),
      );
      if ([moved, ...opened].some(({ failed }) => failed > 0)) throw new Error("a wrapped key does not open");
    },
  };
}
