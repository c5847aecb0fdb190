#!/usr/bin/env node
/**
 * The main job (`npm start`): 100,000 keys and real files through a rotation of their wrapping key, on the embedded
 * store, with the proof that nothing was lost, and the same wrap job by other means beside it.
 */
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Presets, SingleBar } from "cli-progress";
import { KeyManager, passphrase } from "../index.js";
import { lmdbStorage } from "../storage/lmdb.js";
import { auditTable, keyTable } from "./tables.js";
import { EXIT_CODES } from "./exit-codes.js";
import { writeOut } from "./files.js";
import { columns, type Io } from "./io.js";
import { follow } from "./progress.js";
import { compareWrapping } from "./wrap-comparison.js";

const KEYS = 100_000;
const LARGE_FILE_BYTES = 64 * 1024 * 1024;
const CHUNK = 1024 * 1024;
/** Folders of the repository whose files are encrypted. */
const SOURCES = ["assembly", "bindings", "sdk", "test", "bench", "scripts", "docs"];
/** How many keys are used between two looks at what else the process was told. */
const PAUSE_EVERY = 1000;

const interrupt = new AbortController();
// The first signal ends the work in good order, the folder with it; the second at once.
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort("interrupted"));

const io: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interrupt.signal,
};

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function step<T>(
  title: string,
  run: () => Promise<T>,
  tell?: (result: T, seconds: number) => string,
): Promise<T> {
  const from = performance.now();
  const result = await run();
  const seconds = (performance.now() - from) / 1000;
  const note = tell === undefined ? "" : `: ${tell(result, seconds)}`;
  say(`${seconds.toFixed(2).padStart(6)} s  ${title}${note}`);
  return result;
}

const perSecond = (count: number, seconds: number): string =>
  `${Math.round(count / seconds).toLocaleString("en")} keys/s`;

/** Every file below `folder`, in the same order on every machine; none where there is no such folder. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join((entry as { parentPath?: string; path: string }).parentPath ?? entry.path, entry.name),
    )
    .sort();
}

/** A file of pseudorandom bytes, the key stream of AES-256-CTR under a fixed key: the same on every machine. */
async function makeLargeFile(path: string): Promise<void> {
  const seed = createHash("sha256").update("keyloom main job").digest();
  const generator = createCipheriv("aes-256-ctr", seed, new Uint8Array(16));
  const zeros = new Uint8Array(CHUNK);
  const file = await open(path, "wx");
  try {
    for (let at = 0; at < LARGE_FILE_BYTES; at += CHUNK) await file.writeFile(generator.update(zeros));
  } finally {
    await file.close();
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

interface Encrypted {
  plain: string;
  sealed: string;
  digest: string;
  bytes: number;
}

async function encryptFiles(
  keys: KeyManager,
  files: readonly string[],
  root: string,
  to: string,
): Promise<Encrypted[]> {
  const done: Encrypted[] = [];
  for (const plain of files) {
    const sealed = join(to, `${relative(root, plain).replaceAll("..", "_")}.age`);
    await mkdir(dirname(sealed), { recursive: true });
    await writeOut(io, sealed, keys.encryptStream("files", createReadStream(plain)));
    done.push({ plain, sealed, digest: await digestOf(plain), bytes: (await stat(plain)).size });
  }
  return done;
}

async function checkFiles(keys: KeyManager, files: readonly Encrypted[]): Promise<void> {
  for (const { sealed, digest } of files) {
    const hash = createHash("sha256");
    for await (const chunk of keys.decryptStream(createReadStream(sealed))) hash.update(chunk);
    if (hash.digest("hex") !== digest) throw new Error(`${basename(sealed)} decrypts to something else`);
  }
}

interface Sample {
  id: string;
  sealed: Uint8Array;
}

/** A bar for work that is no job, on a terminal only. Without the pauses no signal would be heard. */
async function withBar<T>(
  label: string,
  work: (pause: (done: number) => Promise<void>) => Promise<T>,
): Promise<T> {
  const format = `${label} [{bar}] {percentage}% | {value}/{total} | {eta_formatted} left`;
  const stream = process.stderr;
  const bar = stream.isTTY ? new SingleBar({ format, stream, hideCursor: true }, Presets.rect) : null;
  bar?.start(KEYS, 0);
  try {
    return await work(async (done) => {
      if (done % PAUSE_EVERY !== 0) return;
      bar?.update(done);
      await setImmediate();
      io.signal.throwIfAborted();
    });
  } finally {
    bar?.stop();
  }
}

/** One message under every key of the job, sealed before the rotation. */
function sealUnderEach(keys: KeyManager, under: string, message: Uint8Array): Promise<Sample[]> {
  return withBar("sealing", async (pause) => {
    const samples: Sample[] = [];
    let cursor: string | undefined;
    do {
      const page = await keys.list({ under, limit: 1000, cursor });
      for (const { id } of page.keys) {
        samples.push({ id, sealed: await keys.encrypt(id, message) });
        await pause(samples.length);
      }
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    return samples;
  });
}

function openEach(keys: KeyManager, samples: readonly Sample[], message: Uint8Array): Promise<void> {
  return withBar("opening", async (pause) => {
    for (const [i, { id, sealed }] of samples.entries()) {
      const opened = await keys.decrypt(sealed);
      if (Buffer.compare(opened, message) !== 0) throw new Error(`key ${id} opens to something else`);
      await pause(i + 1);
    }
  });
}

async function run(folder: string): Promise<void> {
  const secret = randomBytes(24);
  const unlock = (): ReturnType<typeof passphrase> => passphrase(() => Uint8Array.from(secret));
  const store = join(folder, "store");
  const openStore = (): Promise<KeyManager> =>
    KeyManager.open({ storage: lmdbStorage({ path: store }), unlock: unlock() });

  let keys = await step("a new LMDB store, unlocked by a passphrase", openStore, () => store);
  const kek = await step("a wrapping key, and one for files", async () => {
    await keys.create({ name: "files", algorithm: "XChaCha20-Poly1305" });
    return keys.create({ name: "tenant-42", algorithm: "XChaCha20-Poly1305", usages: ["wrap", "unwrap"] });
  });
  await step(
    "data keys, wrapped under tenant-42",
    () =>
      follow(
        io,
        false,
        "creating",
        keys.createMany(KEYS, {
          algorithm: "XChaCha20-Poly1305",
          usages: ["encrypt", "decrypt"],
          under: kek,
        }),
      ),
    ({ created }, seconds) => `${created.toLocaleString("en")}, ${perSecond(created, seconds)}`,
  );
  const message = randomBytes(32);
  const samples = await step(
    "a message sealed under every one of them",
    () => sealUnderEach(keys, "tenant-42", message),
    (sealed, seconds) => perSecond(sealed.length, seconds),
  );
  if (samples.length !== KEYS) throw new Error(`${samples.length} keys are listed, ${KEYS} were made`);

  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const large = join(folder, "large.bin");
  await makeLargeFile(large);
  const sources = (await Promise.all(SOURCES.map((name) => filesBelow(join(root, name))))).flat();
  const files = await step(
    "real files encrypted as age",
    async () => [
      ...(await encryptFiles(keys, sources, root, join(folder, "sealed"))),
      ...(await encryptFiles(keys, [large], folder, join(folder, "sealed"))),
    ],
    (done) => {
      const bytes = done.reduce((sum, file) => sum + file.bytes, 0);
      return `${done.length} files, ${(bytes / 1024 / 1024).toFixed(1)} MiB`;
    },
  );

  await step("tenant-42 rotated", () => keys.rotate("tenant-42"));
  await step(
    "everything under it re-wrapped",
    () => follow(io, false, "re-wrapping", keys.rewrap("tenant-42")),
    ({ rewrapped }, seconds) => `${rewrapped.toLocaleString("en")}, ${perSecond(rewrapped, seconds)}`,
  );
  await step("the store closed and opened again", async () => {
    await keys.close();
    keys = await openStore();
  });
  await step(
    "proof: every key still opens what it sealed",
    () => openEach(keys, samples, message),
    (_, seconds) => `${samples.length.toLocaleString("en")}, ${perSecond(samples.length, seconds)}`,
  );
  await step(
    "proof: every file decrypts to the same SHA-256",
    () => checkFiles(keys, files),
    () => `${files.length} files`,
  );
  await step("the old version of tenant-42 deactivated and destroyed", async () => {
    await keys.deactivate("tenant-42", { version: 1 });
    await keys.destroy("tenant-42", { version: 1 });
  });

  say("\nKeys:");
  const shown = await keys.list({ limit: 5 });
  say(keyTable(shown.keys));
  say(`… and ${(KEYS + 2 - shown.keys.length).toLocaleString("en")} more`);
  const wrapper = (await keys.get("tenant-42"))!;
  say(
    `\ntenant-42: ${wrapper.versions.map(({ version, state }) => `version ${version} ${state}`).join(", ")}`,
  );

  say("\nThe end of the audit log:");
  say(auditTable(await keys.auditTail(6)));
  let entries = 0;
  await step(
    "the whole chain verified",
    async () => {
      for await (const entry of keys.audit()) entries += entry.sequence > 0 ? 1 : 0;
    },
    () => `${entries} entries`,
  );
  await keys.close();

  say(
    `\nThe same wrap job by other means: ${KEYS.toLocaleString("en")} keys of 32 bytes, 48 bytes of associated data each`,
  );
  say(columns(await compareWrapping(KEYS)));
}

const folder = await mkdtemp(join(tmpdir(), "keyloom-"));
try {
  const from = performance.now();
  await run(folder);
  say(`\nDone in ${((performance.now() - from) / 1000).toFixed(1)} s.`);
} catch (error) {
  const aborted = io.signal.aborted;
  process.exitCode = aborted ? EXIT_CODES.interrupted : EXIT_CODES.failed;
  const line = aborted ? "the main job was interrupted" : `the main job failed: ${(error as Error).message}`;
  process.stderr.write(`keyloom: ${line}\n`);
} finally {
  if (process.env["KEYLOOM_KEEP"]) say(`kept: ${folder}`);
  else await rm(folder, { recursive: true, force: true });
}
