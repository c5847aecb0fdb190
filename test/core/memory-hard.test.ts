/** Argon2id and scrypt: published vectors, noble, bounds, and what their instances leave behind. */
import { argon2id } from "@noble/hashes/argon2.js";
import { scrypt } from "@noble/hashes/scrypt.js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ALGORITHM } from "../../bindings/attributes.js";
import phc from "../vectors/argon2/argon2.json";
import rfc7914 from "../vectors/rfc-kat/rfc7914-scrypt.json";
import { STATIC_END } from "./memory/probe.js";
import { ALL_CIPHER, ALL_WRAP, bytes, codeOf, cores, hex, template, toHex } from "./support.js";

const builds = await cores();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const SMALL = { memoryKiB: 64, passes: 2, lanes: 1 };
const CHEAP = { N: 16, r: 2, p: 2 };

describe.each(builds)("Argon2id, $name build,", ({ core }) => {
  it("agrees with RFC 9106 and with the reference implementation's vectors", () => {
    const tests = phc.tests.filter((test) => test.type === "argon2id" && test.version === 0x13);
    expect(tests.length).toBe(9);
    for (const test of tests) {
      // 256 MiB would take half the time of all; it is among the slow suites.
      if (test.memoryKiB > 65_536) continue;
      const derived = core.argon2id(hex(test.password), hex(test.salt), {
        memoryKiB: test.memoryKiB,
        passes: test.iterations,
        lanes: test.lanes,
        length: test.tagLength,
        secret: hex(test.secret ?? ""),
        associatedData: hex(test.ad ?? ""),
      });
      expect(toHex(derived)).toBe(test.tag);
    }
  });

  const same = (password: Uint8Array, salt: Uint8Array, o: Parameters<typeof core.argon2id>[2]): void => {
    const expected = argon2id(password, salt, {
      m: o.memoryKiB,
      t: o.passes,
      p: o.lanes,
      dkLen: o.length,
      ...(o.secret && { key: o.secret }),
      ...(o.associatedData && { personalization: o.associatedData }),
    });
    expect(toHex(core.argon2id(password, salt, o))).toBe(toHex(expected));
  };

  it("agrees with noble for every shape of memory: lanes, segments of two blocks and more, memory cut to whole segments", () => {
    for (let lanes = 1; lanes <= 5; lanes++) {
      for (const more of [0, 1, 3, 4, 7, 9, 31]) {
        const parameters = { memoryKiB: 8 * lanes + more, passes: 1 + (more % 3), lanes, length: 32 };
        same(bytes(20, lanes), bytes(16, more + 1), parameters);
      }
    }
  });

  it("agrees with noble beyond one block of addresses in a segment", () => {
    same(bytes(9), bytes(8), { memoryKiB: 1200, passes: 1, lanes: 2, length: 24 });
  });

  it("agrees with noble for every length of output to five blocks of its hash", () => {
    for (let length = 4; length <= 5 * 32 + 1; length++)
      same(bytes(8), bytes(8), { memoryKiB: 8, passes: 1, lanes: 1, length });
  });

  it("agrees with noble on whatever comes", () => {
    const data = fc.uint8Array({ maxLength: 300, size: "max" });
    const arbitrary = fc.record({
      password: data,
      salt: fc.uint8Array({ minLength: 8, maxLength: 64 }),
      secret: fc.option(fc.uint8Array({ minLength: 1, maxLength: 64 }), { nil: undefined }),
      associatedData: fc.option(data, { nil: undefined }),
      lanes: fc.integer({ min: 1, max: 6 }),
      more: fc.integer({ min: 0, max: 50 }),
      passes: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 4, max: 100 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ password, salt, lanes, more, ...rest }) =>
        same(password, salt, { memoryKiB: 8 * lanes + more, lanes, ...rest }),
      ),
    );
  });

  it("doesn't modify its inputs, and hands out bytes of the caller's own", () => {
    const inputs = [bytes(20, 1), bytes(16, 2), bytes(8, 3), bytes(9, 4)] as const;
    const before = inputs.map(toHex);
    const [password, salt, secret, associatedData] = inputs;
    const options = { ...SMALL, length: 32, secret, associatedData };
    const first = core.argon2id(password, salt, options);
    const copy = toHex(first);
    core.argon2id(bytes(5), salt, options);
    expect(inputs.map(toHex)).toEqual(before);
    expect(toHex(first)).toBe(copy);
  });

  it("refuses what the algorithm doesn't have, and more memory than 2 GiB, before anything is allocated", () => {
    const run = (wrong: object) => () =>
      core.argon2id(bytes(8), bytes(8), { ...SMALL, length: 32, ...wrong });
    for (const wrong of [
      { memoryKiB: 7 },
      { memoryKiB: 15, lanes: 2 },
      { memoryKiB: 64.5 },
      { memoryKiB: 2 ** 32 },
      { memoryKiB: undefined },
      { passes: 0 },
      { passes: 2 ** 32 },
      { lanes: 0 },
      { lanes: 2 ** 24, memoryKiB: 2 ** 27 },
      { length: 3 },
      { length: 2 ** 31 },
      { length: "32" },
    ]) {
      expect(codeOf(run(wrong)), JSON.stringify(wrong)).toBe("CORE_INVALID_PARAMETER");
    }
    expect(codeOf(run({ memoryKiB: 2 ** 21 + 1 }))).toBe("CORE_INPUT_TOO_LARGE");
    expect(codeOf(run({ memoryKiB: 2 ** 32 - 1 }))).toBe("CORE_INPUT_TOO_LARGE");
    const { length, ...parameters } = { ...SMALL, length: 32 };
    expect(codeOf(() => core.argon2id(bytes(8), bytes(7), { ...parameters, length }))).toBe(
      "CORE_INVALID_LENGTH",
    );
    expect(codeOf(run({ secret: "secret" }))).toBe("TypeError");
    expect(codeOf(run({ associatedData: [1] }))).toBe("TypeError");
    expect(codeOf(() => core.argon2id("password" as never, bytes(8), { ...parameters, length }))).toBe(
      "TypeError",
    );
  });
});

describe.each(builds)("scrypt, $name build,", ({ core }) => {
  it("agrees with RFC 7914", () => {
    for (const test of rfc7914.tests) {
      const [N, r, p, length] = [test.N, test.r, test.p, test.LENGTH].map(Number) as [
        number,
        number,
        number,
        number,
      ];
      // 1 GiB: among the slow suites.
      if (N === 2 ** 20) continue;
      const derived = core.scrypt(text(test.PASSWORD), text(test.SALT), { N, r, p, length });
      expect(toHex(derived)).toBe(test.DERIVED_KEY);
    }
    expect(rfc7914.tests.length).toBe(4);
  });

  const same = (
    password: Uint8Array,
    salt: Uint8Array,
    { length, ...rest }: Parameters<typeof core.scrypt>[2],
  ): void => {
    const derived = core.scrypt(password, salt, { length, ...rest });
    expect(toHex(derived)).toBe(toHex(scrypt(password, salt, { ...rest, dkLen: length })));
  };

  it("agrees with noble for block sizes, parallel blocks and output lengths one by one", () => {
    for (let r = 1; r <= 9; r++) {
      for (let p = 1; p <= 4; p++)
        same(bytes(r * 20, r), bytes(p, p), { N: 4 << p, r, p, length: r * 8 + p });
    }
    for (let length = 1; length <= 97; length++) same(bytes(5), bytes(5), { N: 2, r: 1, p: 1, length });
  });

  it("agrees with noble on whatever comes", () => {
    const data = fc.uint8Array({ maxLength: 200, size: "max" });
    const numbers = fc.record({
      N: fc.integer({ min: 1, max: 7 }).map((log) => 2 ** log),
      r: fc.integer({ min: 1, max: 10 }),
      p: fc.integer({ min: 1, max: 4 }),
      length: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(fc.property(data, data, numbers, same));
  });

  it("refuses what the algorithm doesn't have, and more memory than 2 GiB, before anything is allocated", () => {
    const run = (wrong: object) => () => core.scrypt(bytes(8), bytes(8), { ...CHEAP, length: 32, ...wrong });
    for (const wrong of [
      { N: 1 },
      { N: 0 },
      { N: 24 },
      { N: 2 ** 32 },
      { N: 16.5 },
      { N: 2 ** 16, r: 1 },
      { r: 0 },
      { p: 0 },
      { r: 2 ** 15, p: 2 ** 15 },
      { r: 2 ** 30 },
      { length: 0 },
      { length: 2 ** 31 },
      { r: undefined },
    ]) {
      expect(codeOf(run(wrong)), JSON.stringify(wrong)).toBe("CORE_INVALID_PARAMETER");
    }
    for (const wrong of [
      { N: 2 ** 22, r: 8 },
      { N: 2 ** 31, r: 2 },
      { r: 2 ** 12, p: 2 ** 12 },
      { r: 2 ** 30 - 1, p: 1 },
    ]) {
      expect(codeOf(run(wrong)), JSON.stringify(wrong)).toBe("CORE_INPUT_TOO_LARGE");
    }
    expect(codeOf(() => core.scrypt(null as never, bytes(8), { ...CHEAP, length: 32 }))).toBe("TypeError");
  });
});

describe.each(builds)("memory-hard derivation, $name build,", ({ core }) => {
  const { vault, argon2id: derive, scrypt: deriveScrypt } = core;
  const HostMemory = WebAssembly.Memory;
  const made: WebAssembly.Memory[] = [];
  /** What the host answers to a request for so many pages. */
  let allow: (pages: number) => boolean;

  beforeEach(() => {
    made.length = 0;
    allow = () => true;
    WebAssembly.Memory = class extends HostMemory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        if (!allow(descriptor.initial)) throw new RangeError("could not allocate memory");
        super(descriptor);
        made.push(this);
      }
    };
  });
  afterEach(() => {
    WebAssembly.Memory = HostMemory;
    vault.disposeAll();
  });

  /** How many bytes behind the static data are not zero, in every memory made since the test began. */
  const residue = (): number =>
    made.reduce((sum, memory) => {
      const words = new Uint32Array(memory.buffer, STATIC_END);
      return sum + words.reduce((count, word) => count + (word === 0 ? 0 : 1), 0);
    }, 0);
  /** More than any derivation before took: a spare memory doesn't serve. */
  let most = 70_000;
  const larger = () => ({ memoryKiB: (most += 1000), passes: 1, lanes: 1 });

  it("has a memory of its own, fixed, which is all zero afterwards", () => {
    derive(bytes(20), bytes(16), { ...larger(), length: 100 });
    expect(made.length).toBe(1);
    expect(() => made[0]!.grow(1)).toThrow(RangeError);
    deriveScrypt(bytes(20), bytes(16), { N: 2 ** 9, r: 8, p: 3, length: 100 });
    expect(residue()).toBe(0);
    // The host's view of the residue is not blind.
    new Uint8Array(made[0]!.buffer)[STATIC_END + 5] = 1;
    expect(residue()).toBe(1);
    new Uint8Array(made[0]!.buffer)[STATIC_END + 5] = 0;
  });

  it("gives the same in a memory that served before, whatever served before", () => {
    const run = (): string[] => [
      toHex(derive(bytes(20), bytes(16), { ...SMALL, length: 32 })),
      toHex(deriveScrypt(bytes(20), bytes(16), { ...CHEAP, length: 32 })),
      toHex(derive(bytes(21), bytes(16), { ...SMALL, memoryKiB: 8, length: 500 })),
    ];
    const first = run();
    for (let i = 0; i < 3; i++) expect(run()).toEqual(first);
    expect(residue()).toBe(0);
  });

  it("derives straight into the vault what it derives for the caller", () => {
    const exportable = template(ALL_CIPHER, { exportable: true });
    const argon = vault.deriveFromPasswordArgon2id(exportable, bytes(20), bytes(16), {
      ...SMALL,
      secret: bytes(4),
      associatedData: bytes(5),
    });
    const expected = derive(bytes(20), bytes(16), {
      ...SMALL,
      length: 32,
      secret: bytes(4),
      associatedData: bytes(5),
    });
    expect(toHex(vault.exportInsecureCleartext(argon))).toBe(toHex(expected));
    const key = vault.deriveFromPasswordScrypt(exportable, bytes(20), bytes(16), CHEAP);
    expect(toHex(vault.exportInsecureCleartext(key))).toBe(
      toHex(deriveScrypt(bytes(20), bytes(16), { ...CHEAP, length: 32 })),
    );
    const short = { ...exportable, algorithm: ALGORITHM.AGE_FILE_KEY, usages: 0 };
    const file = vault.deriveFromPasswordScrypt(short, bytes(20), bytes(16), CHEAP);
    expect(vault.exportInsecureCleartext(file).length).toBe(16);
  });

  it("leaves nothing when the vault refuses the derived key", () => {
    expect(codeOf(() => vault.deriveFromPasswordArgon2id(template(1), bytes(9), bytes(8), larger()))).toBe(
      "CORE_HANDLE_MISUSE",
    );
    while (vault.liveCount() < vault.capacity) vault.generate(template(ALL_CIPHER));
    expect(codeOf(() => vault.deriveFromPasswordScrypt(template(ALL_WRAP), bytes(9), bytes(8), CHEAP))).toBe(
      "CORE_SLOTS_EXHAUSTED",
    );
    expect(made.length).toBeGreaterThan(0);
    expect(residue()).toBe(0);
  });

  it("is refused with CORE_INPUT_TOO_LARGE where the host has not so much memory, and works again afterwards", () => {
    allow = () => false;
    expect(codeOf(() => derive(bytes(9), bytes(8), { ...larger(), length: 32 }))).toBe(
      "CORE_INPUT_TOO_LARGE",
    );
    expect(
      codeOf(() => vault.deriveFromPasswordArgon2id(template(ALL_WRAP), bytes(9), bytes(8), larger())),
    ).toBe("CORE_INPUT_TOO_LARGE");
    expect(codeOf(() => deriveScrypt(bytes(9), bytes(8), { N: 2 ** 18, r: 8, p: 1, length: 32 }))).toBe(
      "CORE_INPUT_TOO_LARGE",
    );
    allow = () => true;
    expect(derive(bytes(9), bytes(8), { ...SMALL, length: 32 }).length).toBe(32);
  });

  it("asks for memory only once the parameters are checked, and for 2 GiB of work at most", () => {
    const asked: number[] = [];
    allow = (pages) => {
      asked.push(pages);
      return false;
    };
    const [password, salt] = [bytes(9), bytes(8)];
    const { passes, lanes } = larger();
    for (const wrong of [
      { memoryKiB: 2 ** 20, passes: 0, lanes },
      { memoryKiB: 2 ** 20, passes, lanes: 0 },
      { memoryKiB: 2 ** 20, passes, lanes: 2 ** 24 },
      { memoryKiB: 2 ** 20 - 1, passes, lanes: 2 ** 17 },
      { memoryKiB: 2 ** 21 + 1, passes, lanes },
      { memoryKiB: 2 ** 32 - 1, passes, lanes },
    ]) {
      codeOf(() => derive(password, salt, { ...wrong, length: 32 }));
      codeOf(() => vault.deriveFromPasswordArgon2id(template(ALL_WRAP), password, salt, wrong));
    }
    codeOf(() => derive(password, bytes(7), { memoryKiB: 2 ** 20, passes, lanes, length: 32 }));
    codeOf(() => derive(password, salt, { memoryKiB: 2 ** 20, passes, lanes, length: 3 }));
    for (const wrong of [
      { N: 2 ** 18, r: 8, p: 0 },
      { N: 2 ** 18, r: 0, p: 1 },
      { N: 2 ** 18 - 1, r: 8, p: 1 },
      { N: 2 ** 18, r: 8, p: 2 ** 27 },
      { N: 2 ** 16, r: 1, p: 1 },
      { N: 2 ** 22, r: 8, p: 1 },
      { N: 2 ** 4, r: 8, p: 2 ** 21 },
    ]) {
      codeOf(() => deriveScrypt(password, salt, { ...wrong, length: 32 }));
      codeOf(() => vault.deriveFromPasswordScrypt(template(ALL_WRAP), password, salt, wrong));
    }
    codeOf(() => deriveScrypt(password, salt, { N: 2 ** 18, r: 8, p: 1, length: 0 }));
    expect(asked).toEqual([]);
    const refused = [
      () => derive(password, salt, { memoryKiB: 2 ** 21, passes, lanes, length: 4 }),
      () => deriveScrypt(password, salt, { N: 2 ** 21, r: 8, p: 1, length: 1 }),
      () => deriveScrypt(password, salt, { N: 2 ** 15, r: 1, p: 2 ** 24 - 1, length: 1 }),
    ];
    for (const call of refused) expect(codeOf(call)).toBe("CORE_INPUT_TOO_LARGE");
    expect(asked.map((pages) => Math.floor(pages / 2 ** 15))).toEqual([1, 1, 1]);
  });
});
