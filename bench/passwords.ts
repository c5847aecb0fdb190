/** Memory-hard key derivation from passwords. Peers that aren't installed are left out. */
import * as nodeCrypto from "node:crypto";
import { argon2id as nobleArgon2id } from "@noble/hashes/argon2.js";
import { scrypt as nobleScrypt } from "@noble/hashes/scrypt.js";
import { loadCore } from "../bindings/index.js";
import { random } from "./data.js";
import { assertSame, type Comparison, type Contender } from "./harness.js";

// What of the optional peers is used here.
interface Argon2 {
  argon2id: number;
  hash(password: Uint8Array, options: object): Promise<Uint8Array>;
}
interface HashWasm {
  argon2id(options: object): Promise<Uint8Array>;
  scrypt(options: object): Promise<Uint8Array>;
}
interface Sodium {
  ready: Promise<void>;
  crypto_pwhash_ALG_ARGON2ID13: number;
  crypto_pwhash(
    length: number,
    password: Uint8Array,
    salt: Uint8Array,
    passes: number,
    memory: number,
    algorithm: number,
  ): Uint8Array;
  crypto_pwhash_scryptsalsa208sha256_ll(
    password: Uint8Array,
    salt: Uint8Array,
    N: number,
    r: number,
    p: number,
    length: number,
  ): Uint8Array;
}

async function optional<T extends object>(name: string): Promise<T | null> {
  try {
    const module = (await import(name)) as { default?: T };
    return module.default ?? (module as T);
  } catch {
    return null;
  }
}

const LENGTH = 32;

export async function passwordComparisons(): Promise<Comparison[]> {
  const core = await loadCore();
  const argon2 = await optional<Argon2>("argon2");
  const hashWasm = await optional<HashWasm>("hash-wasm");
  const sodium = await optional<Sodium>("libsodium-wrappers-sumo");
  await sodium?.ready;
  const [password, salt] = [random(20), random(16)];

  const comparison = (
    title: string,
    contenders: Contender[],
    floors: Record<string, number>,
  ): Comparison => ({
    title,
    units: 1,
    unit: "derivation",
    contenders,
    floors,
    rounds: 5,
    check: async () => {
      const expected = contenders[0]!.run() as Uint8Array;
      for (const { name, run } of contenders) assertSame((await run()) as Uint8Array, expected, name);
    },
  });

  const { memoryKiB, passes, lanes } = { memoryKiB: 65_536, passes: 3, lanes: 1 };
  const argon: Contender[] = [
    {
      name: "keyloom",
      run: () => core.argon2id(password, salt, { memoryKiB, passes, lanes, length: LENGTH }),
    },
    {
      name: "@noble/hashes",
      run: () => nobleArgon2id(password, salt, { m: memoryKiB, t: passes, p: lanes, dkLen: LENGTH }),
    },
  ];
  const { N, r, p } = { N: 2 ** 17, r: 8, p: 1 };
  const scrypt: Contender[] = [
    { name: "keyloom", run: () => core.scrypt(password, salt, { N, r, p, length: LENGTH }) },
    {
      name: "node:crypto",
      run: () => new Uint8Array(nodeCrypto.scryptSync(password, salt, LENGTH, { N, r, p, maxmem: 2 ** 28 })),
    },
    { name: "@noble/hashes", run: () => nobleScrypt(password, salt, { N, r, p, dkLen: LENGTH }) },
  ];
  if (argon2 !== null) {
    argon.push({
      name: "argon2 (native)",
      async: true,
      run: () =>
        argon2.hash(password, {
          type: argon2.argon2id,
          salt: Buffer.from(salt),
          memoryCost: memoryKiB,
          timeCost: passes,
          parallelism: lanes,
          hashLength: LENGTH,
          raw: true,
        }),
    });
  }
  if (hashWasm !== null) {
    const common = { password, salt, parallelism: lanes, hashLength: LENGTH, outputType: "binary" };
    argon.push({
      name: "hash-wasm",
      async: true,
      run: () => hashWasm.argon2id({ ...common, iterations: passes, memorySize: memoryKiB }),
    });
    scrypt.push({
      name: "hash-wasm",
      async: true,
      run: () => hashWasm.scrypt({ ...common, costFactor: N, blockSize: r }),
    });
  }
  if (sodium !== null) {
    argon.push({
      name: "libsodium.js",
      run: () =>
        sodium.crypto_pwhash(
          LENGTH,
          password,
          salt,
          passes,
          memoryKiB * 1024,
          sodium.crypto_pwhash_ALG_ARGON2ID13,
        ),
    });
    scrypt.push({
      name: "libsodium.js",
      run: () => sodium.crypto_pwhash_scryptsalsa208sha256_ll(password, salt, N, r, p, LENGTH),
    });
  }
  return [
    comparison("Argon2id: 64 MiB, 3 passes, 1 lane", argon, {
      "argon2 (native)": 1.4,
      "hash-wasm": 2.4,
      "libsodium.js": 1.6,
    }),
    comparison("scrypt: N = 2^17, r = 8, p = 1", scrypt, { "node:crypto": 1.8, "hash-wasm": 1.5 }),
  ];
}
