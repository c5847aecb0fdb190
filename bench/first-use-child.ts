/** A fresh process: loads the core, wraps one key, and prints the milliseconds of each step as JSON. */
import { ALGORITHM, encodeAttributes, USAGE } from "../bindings/attributes.js";
import { chooseKind, compile } from "../bindings/instantiate.js";
import { loadCoreWith } from "../bindings/load.js";

const id = new Uint8Array(16);
const kek = {
  algorithm: ALGORITHM.XCHACHA20_POLY1305,
  usages: USAGE.WRAP | USAGE.UNWRAP,
  exportable: false,
  id,
  version: 1,
};
const attributes = encodeAttributes({ ...kek, usages: USAGE.ENCRYPT | USAGE.DECRYPT }, id, 1);

const times = [performance.now()];
const lap = (): number => times.push(performance.now());
await compile(await chooseKind(undefined));
lap();
const { vault } = await loadCoreWith();
lap();
vault.generateAndWrapBatch(vault.generate(kek), attributes, 1);
lap();
console.log(JSON.stringify(times.slice(1).map((time, i) => time - times[i]!)));
