/** What workers add: the same batch on one thread, and divided among one and two workers. */
import { createVaultPool, encodeAttributes, loadCore, USAGE } from "../bindings/index.js";
import { random } from "./data.js";
import type { Comparison } from "./harness.js";

const COUNT = 200_000;

export async function poolComparisons(): Promise<{ comparisons: Comparison[]; close: () => Promise<void> }> {
  const { vault } = await loadCore();
  const kekId = random(16);
  const usages = USAGE.WRAP | USAGE.UNWRAP;
  const kek = vault.generate({ algorithm: 1, usages, exportable: false, id: kekId, version: 1 });
  const next = vault.generate({ algorithm: 1, usages, exportable: false, id: kekId, version: 2 });
  const attributes = new Uint8Array(COUNT * 48);
  for (let i = 0; i < COUNT; i++) {
    const template = { algorithm: 1, usages: USAGE.ENCRYPT, exportable: false, id: random(16), version: 1 };
    encodeAttributes(template, kekId, 1, attributes, i * 48);
  }
  const wrapped = vault.generateAndWrapBatch(kek, attributes, COUNT);
  const pools = await Promise.all([1, 2].map((workers) => createVaultPool(vault, { workers })));
  const opens = (moved: { failed: number }): void => {
    if (moved.failed > 0) throw new Error("a re-wrapped key does not open");
  };
  const [one, two] = pools as [(typeof pools)[0], (typeof pools)[0]];
  return {
    comparisons: [
      {
        title: `Re-wrapping ${COUNT.toLocaleString("en")} keys, by workers`,
        units: COUNT,
        unit: "key",
        rounds: 5,
        contenders: [
          {
            name: "two workers",
            run: () => two.rewrapBatch(kek, next, attributes, wrapped, COUNT),
            async: true,
          },
          {
            name: "one worker",
            run: () => one.rewrapBatch(kek, next, attributes, wrapped, COUNT),
            async: true,
          },
          { name: "no worker", run: () => vault.rewrapBatch(kek, next, attributes, wrapped, COUNT) },
        ],
        floors: { "one worker": 1.9 },
        check: async () => {
          for (const pool of pools) opens(await pool.rewrapBatch(kek, next, attributes, wrapped, COUNT));
        },
      },
    ],
    close: async () => {
      for (const pool of pools) await pool.close();
    },
  };
}
