/** Keys from passwords, derived in workers: the same keys, nothing secret posted, whatever dies. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ALGORITHM,
  CoreError,
  loadCore,
  type Core,
  type Handle,
  type Vault,
} from "../../../bindings/index.js";
import { compile } from "../../../bindings/instantiate.js";
import { deriveFromPassword } from "../../../bindings/password.js";
import type { Derivation } from "../../../bindings/pool/derivation.js";
import { deriveAside } from "../../../bindings/pool/derive.js";
import { PAIR, type FromWorker, type Spawn } from "../../../bindings/pool/protocol.js";
import { ALL_CIPHER, ALL_WRAP, bytes, template } from "../support.js";
import { Loopback } from "./loopback.js";

const PASSWORD = bytes(70, 1);
const SALT = bytes(16, 2);
const ARGON2ID = { name: "Argon2id", memoryKiB: 64, passes: 1, lanes: 1 } as const;
const SCRYPT = { name: "scrypt", N: 16, r: 8, p: 1 } as const;
const EXPORTABLE = template(ALL_WRAP, { exportable: true });
const FILE_KEY = template(0, { algorithm: ALGORITHM.AGE_FILE_KEY });
const DERIVATION: Derivation = { template: EXPORTABLE, salt: SALT, kdf: ARGON2ID };

/** A vault that refuses to block the thread. */
function aside(vault: Vault): Vault {
  const refuse = (): never => {
    throw new Error("derived on the calling thread");
  };
  return { ...vault, deriveFromPasswordArgon2id: refuse, deriveFromPasswordScrypt: refuse };
}

/** All bytes of messages, back to back, and whether eight in a row of a secret are among them. */
function holds(messages: readonly unknown[], secret: Uint8Array): boolean {
  const parts: string[] = [];
  const walk = (value: unknown): void => {
    if (value instanceof Uint8Array) parts.push(value.join());
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(walk);
  };
  messages.forEach(walk);
  const all = `,${parts.join("|")},`;
  return Array.from({ length: secret.length - 7 }, (_, i) => `${secret.subarray(i, i + 8).join()}`).some(
    (part) => all.includes(part),
  );
}

const reasonOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: { code?: string }) => error.code ?? error,
  );

describe("a derivation in a worker", () => {
  let core: Core;
  let vault: Vault;
  let loopback: Loopback;

  beforeEach(async () => {
    core = await loadCore();
    vault = core.vault;
    loopback = new Loopback();
  });

  const material = (key: Handle): Uint8Array => vault.exportInsecureCleartext(key);
  const expected = (): Uint8Array => core.argon2id(PASSWORD, SALT, { ...ARGON2ID, length: 32 });

  it("gives the key that the primitives give, by Argon2id and by scrypt", async () => {
    const argon2id = await deriveAside(loopback.spawn, aside(vault), PASSWORD, DERIVATION);
    expect(material(argon2id)).toEqual(expected());
    const scrypt = { ...DERIVATION, kdf: SCRYPT };
    const key = await deriveAside(loopback.spawn, aside(vault), PASSWORD, scrypt);
    expect(material(key)).toEqual(core.scrypt(PASSWORD, SALT, { ...SCRYPT, length: 32 }));
    // With all its attributes: it wraps, and does not encrypt.
    vault.wrap(key, argon2id);
    expect(() => vault.seal(key, SALT, SALT)).toThrow(
      expect.objectContaining({ code: "CORE_HANDLE_MISUSE" }),
    );
    expect(vault.liveCount()).toBe(2);
    expect([loopback.started, loopback.alive]).toEqual([2, 0]);
  });

  it("gives the key of an age stanza, which seals once here too", async () => {
    const age = {
      ...DERIVATION,
      template: template(0, { algorithm: ALGORITHM.AGE_SCRYPT_KEY }),
      kdf: SCRYPT,
    };
    const key = await deriveAside(loopback.spawn, aside(vault), PASSWORD, age);
    const fileKey = vault.generate(FILE_KEY);
    const body = vault.ageScryptWrap(key, fileKey);
    const opened = vault.ageScryptUnwrap(
      vault.deriveFromPasswordScrypt(age.template, PASSWORD, SALT, SCRYPT),
      body,
    );
    expect(vault.ageHeaderMac(opened, SALT)).toEqual(vault.ageHeaderMac(fileKey, SALT));
    expect(() => vault.ageScryptWrap(key, fileKey)).toThrow(
      expect.objectContaining({ code: "CORE_HANDLE_STALE" }),
    );
  });

  it("posts neither the password nor the key", async () => {
    await deriveAside(loopback.spawn, vault, PASSWORD, DERIVATION);
    const messages = [...loopback.posted, ...loopback.answered];
    expect(messages.map(({ kind }) => kind)).toEqual(["start", "derive", "ready", "derived"]);
    expect(holds(messages, SALT)).toBe(true);
    expect(holds(messages, PASSWORD)).toBe(false);
    expect(holds(messages, expected())).toBe(false);
  });

  it("leaves no key in the worker's core, not even its own pair", async () => {
    const worker = (await loopback.spawn())!;
    const answers: FromWorker[] = [];
    let next = (): void => undefined;
    worker.onMessage((message) => (answers.push(message), next()));
    const posted = (message: Parameters<typeof worker.post>[0]): Promise<void> => {
      const answered = new Promise<void>((resolve) => (next = resolve));
      worker.post(message, []);
      return answered;
    };
    await posted({ kind: "start", simd: core.simd, module: await compile(core.simd ? "simd" : "scalar") });
    const { publicKey } = answers[0] as Extract<FromWorker, { kind: "ready" }>;
    const passwordKey = vault.generate(template(ALL_CIPHER));
    const derive = {
      kind: "derive",
      password: vault.seal(passwordKey, new Uint8Array(0), PASSWORD),
      passwordKey: vault.sealTo(passwordKey, publicKey),
      recipient: vault.publicKey(vault.generate(PAIR)),
      derivation: DERIVATION,
    } as const;
    await posted(derive);
    await posted(derive);
    expect(answers.slice(1)).toMatchObject([
      { kind: "derived" },
      { kind: "underived", code: "CORE_HANDLE_STALE" },
    ]);
  });

  it("is done here when its worker dies, does not come up or is none", async () => {
    loopback.losesDerivations = true;
    const fails: Spawn = async () => Promise.reject(new Error("no worker to be had"));
    for (const spawn of [loopback.spawn, fails, async () => null]) {
      const key = await deriveAside(spawn, vault, PASSWORD, DERIVATION);
      expect(material(key)).toEqual(expected());
    }
    expect([loopback.started, vault.liveCount()]).toEqual([1, 3]);
  });

  it("is refused as it is here, with the same codes", async () => {
    const misused = { ...DERIVATION, template: template(ALL_WRAP | ALL_CIPHER) };
    for (const [wrong, code] of [
      [{ ...DERIVATION, salt: bytes(7) }, "CORE_INVALID_LENGTH"],
      [{ ...DERIVATION, kdf: { ...ARGON2ID, passes: 0 } }, "CORE_INVALID_PARAMETER"],
      [misused, "CORE_HANDLE_MISUSE"],
    ] as [Derivation, string][]) {
      const refused = deriveAside(loopback.spawn, aside(vault), PASSWORD, wrong);
      expect(await reasonOf(refused)).toBe(code);
      await expect(refused).rejects.toBeInstanceOf(CoreError);
    }
    expect([vault.liveCount(), loopback.alive]).toEqual([0, 0]);
    const long = { ...DERIVATION, kdf: { ...ARGON2ID, memoryKiB: 7 } };
    expect(await reasonOf(deriveFromPassword(vault, PASSWORD, long))).toBe("CORE_INVALID_PARAMETER");
  });

  it.each(["before its turn", "while its worker starts", "while its worker derives"])(
    "is aborted %s, and leaves nothing",
    async (when) => {
      let open = (): void => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const controller = new AbortController();
      const before = deriveAside(loopback.spawn, vault, PASSWORD, DERIVATION);
      if (when !== "before its turn") await before;
      loopback.gate = when === "while its worker derives" ? loopback.gate : gate;
      loopback.derivationGate = gate;
      const aborted = deriveAside(loopback.spawn, aside(vault), PASSWORD, DERIVATION, controller.signal);
      if (when === "before its turn") controller.abort("enough");
      const waitedFor = when === "while its worker starts" ? "start" : "derive";
      while (!controller.signal.aborted) {
        if (loopback.posted.filter(({ kind }) => kind === waitedFor).length === 2) controller.abort("enough");
        await new Promise((resolve) => setTimeout(resolve));
      }
      if (when === "before its turn") open();
      expect(await reasonOf(aborted)).toBe("enough");
      await before;
      expect([loopback.alive, vault.liveCount()]).toEqual([0, 1]);
      open();
      // The next one has its turn.
      expect(material(await deriveAside(loopback.spawn, vault, PASSWORD, DERIVATION))).toEqual(expected());
    },
  );

  it("waits for the one before it, so that memory is taken for one at a time", async () => {
    const keys = await Promise.all(
      [1, 2, 3].map(() => deriveAside(loopback.spawn, vault, PASSWORD, DERIVATION)),
    );
    for (const key of keys) expect(material(key)).toEqual(expected());
    expect([loopback.started, loopback.mostAlive]).toEqual([3, 1]);
  });

  it("takes place in the host's own workers when it is long, and the event loop goes on", async () => {
    const kdf = { ...ARGON2ID, memoryKiB: 65_536 };
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const long = await deriveFromPassword(aside(vault), PASSWORD, { ...DERIVATION, kdf });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(material(long)).toEqual(core.argon2id(PASSWORD, SALT, { ...kdf, length: 32 }));
    // What is short isn't worth one.
    await expect(deriveFromPassword(aside(vault), PASSWORD, DERIVATION)).rejects.toThrow("calling thread");
  });
});
