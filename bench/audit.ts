/** The audit log: a million keys of bulk commands verified, what an append costs as the log grows, and writers that meet. */
import { KeyManager, rawKey, type StorageAdapter } from "../sdk/index.js";
import { memoryStorage, MemorySpace } from "../sdk/storage/memory.js";
import { loadCoreWith } from "../sdk/crypto/core.js";
import { verifyInclusion } from "../sdk/audit/proofs.js";
import { GrowingTree, HASH_LENGTH, proveInclusion } from "../sdk/audit/tree.js";
import { random } from "./data.js";
import { withCommit } from "../test/audit/support.js";

const KEYS = 1_000_000;
const AEAD = { algorithm: "XChaCha20-Poly1305" } as const;

export interface AuditFigures {
  /** A million keys of one bulk job: seconds to move their events to the log, and to verify everything. */
  entries: number;
  sequence: number;
  verify: number;
  /** Microseconds to append one entry to a tree of so many, and the hashes of a proof in it. */
  appends: { size: number; append: number; proof: number }[];
  /** Two managers that change keys at once: commits, and those that failed on the log's head or a record of it. */
  commits: number;
  conflicts: number;
}

const seconds = async (run: () => PromiseLike<unknown>): Promise<number> => {
  const from = performance.now();
  await run();
  return (performance.now() - from) / 1000;
};

async function bulk(): Promise<Pick<AuditFigures, "entries" | "sequence" | "verify">> {
  const keys = await KeyManager.open({ storage: memoryStorage(), unlock: rawKey(random(32)) });
  await keys.createMany(KEYS, AEAD);
  const sequence = await seconds(() => keys.sequenceAudit());
  let report = await keys.verifyAudit();
  const verify = await seconds(async () => (report = await keys.verifyAudit()));
  if (report.keys < KEYS || report.waiting > 0) throw new Error("not all keys were verified");
  await keys.close();
  return { entries: report.entries, sequence, verify };
}

async function appends(): Promise<AuditFigures["appends"]> {
  const core = await loadCoreWith();
  const rows: AuditFigures["appends"] = [];
  for (const size of [1_000, 10_000, 100_000, 1_000_000]) {
    const tree = new GrowingTree(core);
    const tiles = new Map<string, Uint8Array>();
    const grow = (count: number): void => {
      for (const { level, index, hashes } of tree.append(random(count * HASH_LENGTH))) {
        tiles.set(`${level}/${index}`, hashes.slice());
      }
    };
    grow(size);
    const proof = await proveInclusion(core, 17, size, (places) =>
      Promise.resolve(places.map(({ level, index }) => tiles.get(`${level}/${index}`)!)),
    );
    const leaf = tiles.get("0/0")!.subarray(17 * HASH_LENGTH, 18 * HASH_LENGTH);
    if (!verifyInclusion(core, 17, size, leaf, proof, tree.root()))
      throw new Error("a proof does not verify");
    const runs = 512;
    const from = performance.now();
    for (let i = 0; i < runs; i++) {
      grow(1);
      tree.root();
    }
    rows.push({ size, append: ((performance.now() - from) * 1000) / runs, proof: proof.length });
  }
  return rows;
}

/** Counts commits, and those that some check refused. */
function counting(storage: StorageAdapter, count: (committed: boolean) => void): StorageAdapter {
  return withCommit(storage, async (commit) => {
    // Others get a turn between what was read and what is committed, as with a store behind a network.
    await new Promise((resolve) => setImmediate(resolve));
    const outcome = await storage.commit(commit);
    count(outcome.committed);
    return outcome;
  });
}

async function meeting(): Promise<Pick<AuditFigures, "commits" | "conflicts">> {
  const space = new MemorySpace();
  const secret = random(32);
  let [commits, conflicts] = [0, 0];
  const open = (): Promise<KeyManager> => {
    const storage = counting(memoryStorage({ space }), (committed) => {
      commits++;
      if (!committed) conflicts++;
    });
    return KeyManager.open({ storage, unlock: rawKey(secret.slice()) });
  };
  const managers = [await open(), await open()];
  await Promise.all(
    managers.map(async (keys) => {
      for (let i = 0; i < 2000; i++) await keys.create(AEAD);
    }),
  );
  for (const keys of managers) await keys.close();
  return { commits, conflicts };
}

export async function auditFigures(): Promise<AuditFigures> {
  return { ...(await bulk()), appends: await appends(), ...(await meeting()) };
}

export function auditTable(figures: AuditFigures): string {
  const { entries, sequence, verify, commits, conflicts } = figures;
  const percent = ((conflicts / commits) * 100).toFixed(2);
  return [
    "### Audit log",
    "",
    `${KEYS.toLocaleString("en")} keys of a bulk job, ${entries.toLocaleString("en")} events, in memory: moved to the log in ${sequence.toFixed(2)} s;`,
    `all of it, chains, tree and events, verified in ${verify.toFixed(2)} s.`,
    `Two managers that create keys at once, and move their events to the log meanwhile: of ${commits.toLocaleString("en")} commits`,
    `${conflicts} met another (${percent} %; floor: < 1 % ${conflicts * 100 < commits ? "✓" : "**missed**"}).`,
    "",
    "| entries in the log | µs to append one, with the new root | hashes of a proof |",
    "|---:|---:|---:|",
    ...figures.appends.map(
      ({ size, append, proof }) => `| ${size.toLocaleString("en")} | ${append.toFixed(1)} | ${proof} |`,
    ),
    "",
  ].join("\n");
}
