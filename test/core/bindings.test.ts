/** What the host side leaves in memory: nothing, whether a method returns, fails in the core or never gets there. */
import { describe, expect, it } from "vitest";
import type { Abi } from "../../bindings/abi.js";
import { ALGORITHM, encodeAttributes, USAGE } from "../../bindings/attributes.js";
import { compile } from "../../bindings/instantiate.js";
import { memoryHardOf } from "../../bindings/memory-hard.js";
import { primitivesOf, type Aead, type KeyWrap, type Primitives } from "../../bindings/primitives/index.js";
import { Staging } from "../../bindings/staging.js";
import { vaultOf, type Handle, type Vault } from "../../bindings/vault.js";
import { Probe, SCRATCH_END, STAGING, STATIC_END } from "./memory/probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, bytes, codeOf, template } from "./support.js";

const NONE = new Uint8Array(0);

interface Rig {
  vault: Vault;
  primitives: Primitives;
  memory: Uint8Array;
  /** The addresses of words, outside of the slots, that hold what they should not. */
  residue: () => number[];
}

async function rigOf(kind: "simd" | "scalar"): Promise<Rig> {
  const { exports, memory } = await Probe.create(kind);
  const abi = exports as unknown as Abi;
  const staging = new Staging(memory, STAGING);
  const memoryHard = memoryHardOf(await compile(kind), STAGING);
  const all = new Uint8Array(memory.buffer);
  const words = new Uint32Array(memory.buffer);
  const before = words.slice(0, STATIC_END / 4);
  const residue = (): number[] => {
    const found: number[] = [];
    const look = (from: number, to: number): void => {
      for (let i = from / 4; i < to / 4; i++) {
        const expected = i < before.length ? before[i] : 0;
        if (words[i] !== expected) found.push(i * 4);
      }
    };
    look(0, SCRATCH_END);
    look(STAGING, all.length);
    return found;
  };
  return {
    vault: vaultOf({ abi, staging }, memoryHard),
    primitives: primitivesOf({ abi, staging }, memoryHard),
    memory: all,
    residue,
  };
}

/** Bytes at an odd address of a larger buffer. */
function view(length: number, seed: number): Uint8Array {
  return bytes(length + 8, seed).subarray(3, 3 + length);
}

const SECRET = view(100, 9);
const ARGON2 = { memoryKiB: 8, passes: 1, lanes: 1 };
const SCRYPT = { N: 2, r: 1, p: 1 };
const STALE = 77 as Handle;
/** What isn't a handle, and would not be refused before it is converted on its way into the core. */
const NOT_HANDLES = [1n, "1", null, undefined, { valueOf: () => 1025 }] as unknown as Handle[];

type Call = readonly [expected: string, call: () => unknown];

/** Ways to call every method of the vault: what each ends with, and the call. */
function vaultCalls(vault: Vault): Record<keyof Vault, Call[]> {
  const kekId = bytes(16, 50);
  const kek = vault.import(template(ALL_WRAP, { id: kekId }), bytes(32, 1));
  const next = vault.import(template(ALL_WRAP, { id: kekId, version: 2 }), bytes(32, 2));
  const key = vault.import(template(ALL_CIPHER | ALL_MAC, { exportable: true }), bytes(32, 3));
  const parent = vault.import(template(USAGE.DERIVE | ALL_CIPHER), bytes(32, 4));
  const fileKey = vault.import(template(0, { algorithm: ALGORITHM.AGE_FILE_KEY }), bytes(16, 5));
  const payload = vault.agePayloadKey(fileKey, bytes(16));
  const scryptKey = template(0, { algorithm: ALGORITHM.AGE_SCRYPT_KEY });
  const attributes = encodeAttributes(template(ALL_CIPHER), kekId, 1);
  const wrapped = vault.generateAndWrapBatch(kek, attributes, 1);
  const sealed = vault.seal(key, NONE, SECRET);
  const body = vault.ageWrapFileKey(key, NONE, fileKey);
  const chunk = vault.ageChunkSeal(payload, 5, false, SECRET);
  const lengths = new Uint32Array([40, 60]);
  const [prefix, macs] = [view(64, 1), bytes(64)];
  const recorder = vault.import(template(ALL_MAC, { algorithm: ALGORITHM.HMAC_SHA256 }), bytes(32, 7));
  const signer = vault.import(
    template(USAGE.SIGN | USAGE.VERIFY, { algorithm: ALGORITHM.ED25519 }),
    bytes(32, 8),
  );
  const agreer = vault.import(
    template(USAGE.AGREE | ALL_CIPHER, { algorithm: ALGORITHM.X25519 }),
    bytes(32, 9),
  );
  const peer = vault.publicKey(agreer);
  const transferred = vault.sealTo(key, peer);
  const stanza = vault.ageX25519Wrap(peer, fileKey);
  const large = new Uint8Array(4 * 1024 * 1024);
  const wrongHandles = (call: (handle: Handle) => unknown): Call[] =>
    NOT_HANDLES.map((handle) => ["TypeError", () => call(handle)] as const);
  const wrongTemplates = (call: (t: ReturnType<typeof template>) => unknown): Call[] => [
    ...[{ usages: 1n }, { version: "1" }, { algorithm: null }, { exportable: 1 }, { id: "id" }].map(
      (wrong) => ["TypeError", () => call(template(ALL_CIPHER, wrong as never))] as const,
    ),
    ...[{ usages: 2 ** 32 }, { version: -1 }, { version: 1.5 }, { algorithm: 257 }].map(
      (wrong) => ["CORE_INVALID_PARAMETER", () => call(template(ALL_CIPHER, wrong))] as const,
    ),
    ["CORE_INVALID_LENGTH", () => call(template(ALL_CIPHER, { id: bytes(15) }))],
  ];
  return {
    capacity: [["", () => vault.capacity]],
    liveCount: [["", () => vault.liveCount()]],
    generate: [
      ["", () => vault.generate(template(ALL_CIPHER))],
      ["CORE_HANDLE_MISUSE", () => vault.generate(template(USAGE.WRAP | USAGE.ENCRYPT))],
      ...wrongTemplates((t) => vault.generate(t)),
    ],
    import: [
      ["", () => vault.import(template(ALL_CIPHER), view(32, 6))],
      ["CORE_INVALID_LENGTH", () => vault.import(template(ALL_CIPHER), view(31, 6))],
      ["CORE_INVALID_LENGTH", () => vault.import(template(ALL_CIPHER), view(65, 6))],
      ["CORE_HANDLE_MISUSE", () => vault.import(template(USAGE.WRAP | USAGE.ENCRYPT), view(32, 6))],
      ["TypeError", () => vault.import(template(ALL_CIPHER), "0".repeat(32) as never)],
      ...wrongTemplates((t) => vault.import(t, view(32, 6))),
    ],
    deriveFromPassword: [
      ["", () => vault.deriveFromPassword(template(ALL_WRAP), SECRET, bytes(16), 2)],
      ["CORE_INVALID_PARAMETER", () => vault.deriveFromPassword(template(ALL_WRAP), SECRET, bytes(16), 1.5)],
      [
        "CORE_INVALID_PARAMETER",
        () => vault.deriveFromPassword(template(ALL_WRAP), SECRET, bytes(16), 2 ** 32),
      ],
      ["CORE_HANDLE_MISUSE", () => vault.deriveFromPassword(template(1), SECRET, bytes(16), 2)],
      ["CORE_INPUT_TOO_LARGE", () => vault.deriveFromPassword(template(4), large, bytes(16), 2)],
      ["TypeError", () => vault.deriveFromPassword(template(ALL_WRAP), SECRET, null as never, 2)],
      ...wrongTemplates((t) => vault.deriveFromPassword(t, SECRET, bytes(16), 2)),
    ],
    deriveFromPasswordArgon2id: [
      ["", () => vault.deriveFromPasswordArgon2id(template(ALL_WRAP), SECRET, bytes(16), ARGON2)],
      ["CORE_HANDLE_MISUSE", () => vault.deriveFromPasswordArgon2id(template(1), SECRET, bytes(16), ARGON2)],
      [
        "CORE_INVALID_LENGTH",
        () => vault.deriveFromPasswordArgon2id(template(ALL_WRAP), SECRET, bytes(7), ARGON2),
      ],
      ["TypeError", () => vault.deriveFromPasswordArgon2id(template(4), "text" as never, bytes(16), ARGON2)],
      ...wrongTemplates((t) => vault.deriveFromPasswordArgon2id(t, SECRET, bytes(16), ARGON2)),
    ],
    deriveFromPasswordScrypt: [
      ["", () => vault.deriveFromPasswordScrypt(template(ALL_WRAP), SECRET, bytes(16), SCRYPT)],
      ["CORE_HANDLE_MISUSE", () => vault.deriveFromPasswordScrypt(template(1), SECRET, bytes(16), SCRYPT)],
      [
        "CORE_INVALID_PARAMETER",
        () => vault.deriveFromPasswordScrypt(template(ALL_WRAP), SECRET, bytes(16), { ...SCRYPT, N: 3 }),
      ],
      ...wrongTemplates((t) => vault.deriveFromPasswordScrypt(t, SECRET, bytes(16), SCRYPT)),
    ],
    unwrap: [
      ["", () => vault.unwrap(kek, attributes, wrapped)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.unwrap(next, attributes, wrapped)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.unwrap(kek, attributes, bytes(200))],
      ["CORE_INVALID_LENGTH", () => vault.unwrap(kek, attributes, bytes(71))],
      ["CORE_INVALID_LENGTH", () => vault.unwrap(kek, bytes(47), wrapped)],
      ["CORE_HANDLE_STALE", () => vault.unwrap(STALE, attributes, wrapped)],
      ...wrongHandles((handle) => vault.unwrap(handle, attributes, wrapped)),
    ],
    derive: [
      ["", () => vault.derive(parent, template(ALL_CIPHER), SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.derive(parent, template(ALL_WRAP), SECRET)],
      ["CORE_INVALID_LENGTH", () => vault.derive(parent, template(ALL_CIPHER), bytes(1025))],
      ...wrongHandles((handle) => vault.derive(handle, template(ALL_CIPHER), SECRET)),
      ...wrongTemplates((t) => vault.derive(parent, t, SECRET)),
    ],
    wrap: [
      ["", () => vault.wrap(kek, key)],
      ["CORE_HANDLE_STALE", () => vault.wrap(kek, STALE)],
      ...wrongHandles((handle) => vault.wrap(kek, handle)),
    ],
    exportInsecureCleartext: [
      ["", () => vault.exportInsecureCleartext(key)],
      ["CORE_NOT_EXPORTABLE", () => vault.exportInsecureCleartext(kek)],
      ...wrongHandles((handle) => vault.exportInsecureCleartext(handle)),
    ],
    dispose: [
      ["", () => vault.dispose(vault.generate(template(0)))],
      ["CORE_HANDLE_STALE", () => vault.dispose(STALE)],
      ...wrongHandles((handle) => vault.dispose(handle)),
    ],
    generateAndWrapBatch: [
      ["", () => vault.generateAndWrapBatch(kek, attributes, 1)],
      ["CORE_HANDLE_MISUSE", () => vault.generateAndWrapBatch(next, attributes, 1)],
      ["CORE_INVALID_LENGTH", () => vault.generateAndWrapBatch(kek, attributes, 2)],
      ["CORE_INVALID_PARAMETER", () => vault.generateAndWrapBatch(kek, attributes, -1)],
      ...wrongHandles((handle) => vault.generateAndWrapBatch(handle, attributes, 1)),
    ],
    wrapBatch: [
      ["", () => vault.wrapBatch(kek, [key, parent])],
      ["CORE_HANDLE_MISUSE", () => vault.wrapBatch(kek, [key, fileKey])],
      ...wrongHandles((handle) => vault.wrapBatch(handle, [key])),
      ...wrongHandles((handle) => vault.wrapBatch(kek, [key, handle])),
    ],
    openCheckBatch: [
      ["", () => vault.openCheckBatch(kek, attributes, wrapped, 1)],
      ["CORE_INVALID_LENGTH", () => vault.openCheckBatch(kek, attributes, bytes(71), 1)],
      ["CORE_HANDLE_MISUSE", () => vault.openCheckBatch(key, attributes, wrapped, 1)],
      ...wrongHandles((handle) => vault.openCheckBatch(handle, attributes, wrapped, 1)),
    ],
    rewrapBatch: [
      ["", () => vault.rewrapBatch(kek, next, attributes, wrapped, 1)],
      ["CORE_HANDLE_MISUSE", () => vault.rewrapBatch(kek, key, attributes, wrapped, 1)],
      ...wrongHandles((handle) => vault.rewrapBatch(kek, handle, attributes, wrapped, 1)),
      ...wrongHandles((handle) => vault.rewrapBatch(handle, next, attributes, wrapped, 1)),
    ],
    deriveBatch: [
      ["", () => vault.deriveBatch(parent, kek, attributes, SECRET, 100, 1)],
      ["CORE_HANDLE_MISUSE", () => vault.deriveBatch(key, kek, attributes, SECRET, 100, 1)],
      ["CORE_INVALID_LENGTH", () => vault.deriveBatch(parent, kek, attributes, SECRET, 99, 1)],
      ["CORE_INVALID_LENGTH", () => vault.deriveBatch(parent, kek, attributes, bytes(1025), 1025, 1)],
      ["CORE_INVALID_LENGTH", () => vault.deriveBatch(parent, kek, bytes(96), bytes(1), 0.5, 2)],
      ...wrongHandles((handle) => vault.deriveBatch(handle, kek, attributes, SECRET, 100, 1)),
      ...wrongHandles((handle) => vault.deriveBatch(parent, handle, attributes, SECRET, 100, 1)),
    ],
    seal: [
      ["", () => vault.seal(key, NONE, SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.seal(kek, NONE, SECRET)],
      ["CORE_INPUT_TOO_LARGE", () => vault.seal(key, NONE, large)],
      ["CORE_INPUT_TOO_LARGE", () => vault.seal(key, large, SECRET)],
      ["TypeError", () => vault.seal(key, NONE, [1, 2] as never)],
      ...wrongHandles((handle) => vault.seal(handle, NONE, SECRET)),
    ],
    openLent: [
      ["", () => vault.openLent(key, NONE, sealed, (plaintext) => plaintext.length)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.openLent(key, view(1, 1), sealed, () => 0)],
      ...wrongHandles((handle) => vault.openLent(handle, NONE, sealed, () => 0)),
    ],
    open: [
      ["", () => vault.open(key, NONE, sealed)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.open(key, bytes(1), sealed)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.open(key, NONE, large)],
      ...wrongHandles((handle) => vault.open(handle, NONE, sealed)),
    ],
    mac: [
      ["", () => vault.mac(key, SECRET)],
      ["CORE_INPUT_TOO_LARGE", () => vault.mac(key, large)],
      ...wrongHandles((handle) => vault.mac(handle, SECRET)),
    ],
    macVerify: [
      ["", () => expect(vault.macVerify(key, SECRET, bytes(32))).toBe(false)],
      ["", () => expect(vault.macVerify(key, SECRET, vault.mac(key, SECRET))).toBe(true)],
      ["CORE_INVALID_LENGTH", () => vault.macVerify(key, SECRET, bytes(31))],
      ["CORE_HANDLE_MISUSE", () => vault.macVerify(kek, SECRET, bytes(32))],
      ...wrongHandles((handle) => vault.macVerify(handle, SECRET, bytes(32))),
    ],
    macBatch: [
      ["", () => vault.macBatch(key, SECRET, lengths)],
      ["CORE_INVALID_LENGTH", () => vault.macBatch(key, SECRET, new Uint32Array([101]))],
      ["TypeError", () => vault.macBatch(key, SECRET, [40, 60] as never)],
      ["TypeError", () => vault.macBatch(key, SECRET, new Float64Array([40.5, 59.5]) as never)],
      ...wrongHandles((handle) => vault.macBatch(handle, SECRET, lengths)),
    ],
    recordSeal: [
      ["", () => vault.recordSeal(key, prefix, SECRET, lengths)],
      ["CORE_INVALID_LENGTH", () => vault.recordSeal(key, bytes(63), SECRET, lengths)],
      ...wrongHandles((handle) => vault.recordSeal(handle, prefix, SECRET, lengths)),
    ],
    recordCheck: [
      ["", () => vault.recordCheck(key, prefix, SECRET, lengths, macs)],
      ["CORE_INVALID_LENGTH", () => vault.recordCheck(key, prefix, SECRET, lengths, bytes(63))],
      ...wrongHandles((handle) => vault.recordCheck(handle, prefix, SECRET, lengths, macs)),
    ],
    recordSealRows: [
      ["", () => vault.recordSealRows(key, prefix, bytes(300), 100)],
      ["CORE_INVALID_LENGTH", () => vault.recordSealRows(key, prefix, bytes(300), 32)],
      ["CORE_HANDLE_STALE", () => vault.recordSealRows(STALE, prefix, bytes(300), 100)],
      ...wrongHandles((handle) => vault.recordSealRows(handle, prefix, bytes(300), 100)),
    ],
    recordCheckRows: [
      ["", () => vault.recordCheckRows(key, prefix, bytes(300), 100)],
      ["CORE_INVALID_LENGTH", () => vault.recordCheckRows(key, prefix, bytes(301), 100)],
      ...wrongHandles((handle) => vault.recordCheckRows(handle, prefix, bytes(300), 100)),
    ],
    moveRows: [
      ["", () => vault.moveRows(recorder, kek, kek, prefix, bytes(0), 193)],
      ["CORE_INVALID_LENGTH", () => vault.moveRows(recorder, kek, kek, prefix, bytes(194), 193)],
      ["CORE_INVALID_LENGTH", () => vault.moveRows(recorder, kek, kek, prefix, bytes(161), 161)],
      ["CORE_INVALID_LENGTH", () => vault.moveRows(recorder, kek, kek, bytes(63), bytes(193), 193)],
      ...wrongHandles((handle) => vault.moveRows(handle, kek, kek, prefix, bytes(193), 193)),
      ...wrongHandles((handle) => vault.moveRows(recorder, handle, kek, prefix, bytes(193), 193)),
      ...wrongHandles((handle) => vault.moveRows(recorder, kek, handle, prefix, bytes(193), 193)),
    ],
    publicKey: [
      ["", () => vault.publicKey(signer)],
      ["", () => vault.publicKey(agreer)],
      ["CORE_HANDLE_MISUSE", () => vault.publicKey(key)],
      ["CORE_HANDLE_STALE", () => vault.publicKey(STALE)],
      ...wrongHandles((handle) => vault.publicKey(handle)),
    ],
    sign: [
      ["", () => vault.sign(signer, SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.sign(agreer, SECRET)],
      ["CORE_INPUT_TOO_LARGE", () => vault.sign(signer, large)],
      ["TypeError", () => vault.sign(signer, "text" as never)],
      ...wrongHandles((handle) => vault.sign(handle, SECRET)),
    ],
    verify: [
      ["", () => expect(vault.verify(signer, SECRET, vault.sign(signer, SECRET))).toBe(true)],
      ["", () => expect(vault.verify(signer, NONE, vault.sign(signer, SECRET))).toBe(false)],
      ["", () => expect(vault.verify(signer, NONE, bytes(63))).toBe(false)],
      ["CORE_HANDLE_MISUSE", () => vault.verify(key, SECRET, bytes(64))],
      ["CORE_HANDLE_MISUSE", () => vault.verify(key, SECRET, bytes(63))],
      ["TypeError", () => vault.verify(signer, SECRET, null as never)],
      ...wrongHandles((handle) => vault.verify(handle, SECRET, bytes(64))),
    ],
    agree: [
      ["", () => vault.agree(agreer, peer, template(ALL_CIPHER), SECRET)],
      ["CORE_WEAK_PUBLIC_KEY", () => vault.agree(agreer, new Uint8Array(32), template(ALL_CIPHER), SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.agree(agreer, peer, template(ALL_WRAP), SECRET)],
      [
        "CORE_HANDLE_MISUSE",
        () => vault.agree(agreer, peer, template(ALL_CIPHER, { exportable: true }), SECRET),
      ],
      ["CORE_HANDLE_MISUSE", () => vault.agree(signer, peer, template(ALL_CIPHER), SECRET)],
      ["CORE_INVALID_LENGTH", () => vault.agree(agreer, bytes(31), template(ALL_CIPHER), SECRET)],
      ["CORE_INVALID_LENGTH", () => vault.agree(agreer, peer, template(ALL_CIPHER), bytes(1025))],
      ...wrongHandles((handle) => vault.agree(handle, peer, template(ALL_CIPHER), SECRET)),
      ...wrongTemplates((t) => vault.agree(agreer, peer, t, SECRET)),
    ],
    ageX25519Wrap: [
      ["", () => vault.ageX25519Wrap(peer, fileKey)],
      ["CORE_WEAK_PUBLIC_KEY", () => vault.ageX25519Wrap(new Uint8Array(32), fileKey)],
      ["CORE_HANDLE_MISUSE", () => vault.ageX25519Wrap(peer, key)],
      ["CORE_INVALID_LENGTH", () => vault.ageX25519Wrap(bytes(33), fileKey)],
      ...wrongHandles((handle) => vault.ageX25519Wrap(peer, handle)),
    ],
    ageX25519Unwrap: [
      ["", () => vault.ageX25519Unwrap(agreer, stanza.share, stanza.body)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.ageX25519Unwrap(agreer, peer, stanza.body)],
      ["CORE_WEAK_PUBLIC_KEY", () => vault.ageX25519Unwrap(agreer, new Uint8Array(32), stanza.body)],
      ["CORE_INVALID_LENGTH", () => vault.ageX25519Unwrap(agreer, stanza.share, bytes(31))],
      ...wrongHandles((handle) => vault.ageX25519Unwrap(handle, stanza.share, stanza.body)),
    ],
    sealTo: [
      ["", () => vault.sealTo(key, peer)],
      ["CORE_WEAK_PUBLIC_KEY", () => vault.sealTo(key, new Uint8Array(32))],
      ["CORE_INVALID_LENGTH", () => vault.sealTo(key, bytes(31))],
      ["CORE_HANDLE_MISUSE", () => vault.sealTo(fileKey, peer)],
      ...wrongHandles((handle) => vault.sealTo(handle, peer)),
    ],
    openFrom: [
      ["", () => vault.openFrom(agreer, transferred)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.openFrom(agreer, transferred.subarray(1))],
      ["TypeError", () => vault.openFrom(agreer, "sealed" as never)],
      ...wrongHandles((handle) => vault.openFrom(handle, transferred)),
    ],
    ageWrapFileKey: [
      ["", () => vault.ageWrapFileKey(key, SECRET, fileKey)],
      ["CORE_HANDLE_MISUSE", () => vault.ageWrapFileKey(key, SECRET, key)],
      ...wrongHandles((handle) => vault.ageWrapFileKey(handle, SECRET, fileKey)),
      ...wrongHandles((handle) => vault.ageWrapFileKey(key, SECRET, handle)),
    ],
    ageUnwrapFileKey: [
      ["", () => vault.ageUnwrapFileKey(key, NONE, body)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.ageUnwrapFileKey(key, SECRET, body)],
      ["CORE_INVALID_LENGTH", () => vault.ageUnwrapFileKey(key, NONE, bytes(87))],
      ...wrongHandles((handle) => vault.ageUnwrapFileKey(handle, NONE, body)),
    ],
    ageScryptWrap: [
      ["", () => vault.ageScryptWrap(vault.import(scryptKey, bytes(32)), fileKey)],
      ["CORE_HANDLE_MISUSE", () => vault.ageScryptWrap(key, fileKey)],
      ...wrongHandles((handle) => vault.ageScryptWrap(handle, fileKey)),
      ...wrongHandles((handle) => vault.ageScryptWrap(key, handle)),
    ],
    ageScryptUnwrap: [
      [
        "CORE_AUTHENTICATION_FAILED",
        () => vault.ageScryptUnwrap(vault.import(scryptKey, bytes(32)), bytes(32)),
      ],
      ["CORE_INVALID_LENGTH", () => vault.ageScryptUnwrap(key, bytes(31))],
      ["TypeError", () => vault.ageScryptUnwrap(key, "body" as never)],
      ...wrongHandles((handle) => vault.ageScryptUnwrap(handle, bytes(32))),
    ],
    ageHeaderMac: [
      ["", () => vault.ageHeaderMac(fileKey, SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.ageHeaderMac(key, SECRET)],
      ...wrongHandles((handle) => vault.ageHeaderMac(handle, SECRET)),
    ],
    ageHeaderMacVerify: [
      ["", () => expect(vault.ageHeaderMacVerify(fileKey, SECRET, bytes(32))).toBe(false)],
      ["CORE_HANDLE_MISUSE", () => vault.ageHeaderMacVerify(key, SECRET, bytes(32))],
      ...wrongHandles((handle) => vault.ageHeaderMacVerify(handle, SECRET, bytes(32))),
    ],
    agePayloadKey: [
      ["", () => vault.agePayloadKey(fileKey, bytes(16))],
      ["CORE_INVALID_LENGTH", () => vault.agePayloadKey(fileKey, bytes(15))],
      ...wrongHandles((handle) => vault.agePayloadKey(handle, bytes(16))),
    ],
    ageChunkSeal: [
      ["", () => vault.ageChunkSeal(payload, 0, true, SECRET)],
      ["CORE_INVALID_PARAMETER", () => vault.ageChunkSeal(payload, -1, true, SECRET)],
      ["CORE_INVALID_PARAMETER", () => vault.ageChunkSeal(payload, 2 ** 53, true, SECRET)],
      ["CORE_HANDLE_MISUSE", () => vault.ageChunkSeal(fileKey, 0, true, SECRET)],
      ...wrongHandles((handle) => vault.ageChunkSeal(handle, 0, true, SECRET)),
    ],
    ageChunkOpen: [
      ["", () => vault.ageChunkOpen(payload, 5, false, chunk)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.ageChunkOpen(payload, 6, false, chunk)],
      ["CORE_AUTHENTICATION_FAILED", () => vault.ageChunkOpen(payload, 5, false, bytes(15))],
      ["CORE_INVALID_PARAMETER", () => vault.ageChunkOpen(payload, 0.5, false, chunk)],
      ...wrongHandles((handle) => vault.ageChunkOpen(handle, 5, false, chunk)),
    ],
    disposeAll: [["", () => vault.disposeAll()]],
  };
}

function aeadCalls(aead: Aead, nonceLength: number): Call[] {
  const [key, nonce] = [view(32, 1), view(nonceLength, 2)];
  const sealed = aead.seal(key, nonce, NONE, SECRET);
  const nonces = new Uint8Array(nonceLength * 4);
  const batch = aead.sealBatch(key, nonces, NONE, SECRET, 4);
  const broken = batch.slice();
  broken[50]! ^= 1;
  return [
    ["", () => aead.seal(key, nonce, SECRET, SECRET)],
    ["CORE_INVALID_LENGTH", () => aead.seal(SECRET, nonce, NONE, SECRET)],
    ["TypeError", () => aead.seal(key, nonce, NONE, "text" as never)],
    ["CORE_INPUT_TOO_LARGE", () => aead.seal(key, nonce, NONE, new Uint8Array(4 * 1024 * 1024))],
    ["", () => aead.open(key, nonce, NONE, sealed)],
    ["CORE_AUTHENTICATION_FAILED", () => aead.open(key, nonce, SECRET, sealed)],
    ["CORE_AUTHENTICATION_FAILED", () => aead.open(key, nonce, NONE, bytes(15))],
    ["", () => aead.sealInto(key, nonce, SECRET, SECRET, new Uint8Array(SECRET.length + 16))],
    ["CORE_INVALID_LENGTH", () => aead.sealInto(key, nonce, NONE, SECRET, new Uint8Array(SECRET.length))],
    ["TypeError", () => aead.sealInto(key, nonce, NONE, SECRET, new ArrayBuffer(9) as never)],
    ["", () => aead.openInto(key, nonce, NONE, sealed, new Uint8Array(SECRET.length))],
    ["CORE_AUTHENTICATION_FAILED", () => aead.openInto(key, nonce, NONE, bytes(15), NONE)],
    ["CORE_AUTHENTICATION_FAILED", () => aead.openInto(key, nonce, NONE, bytes(17), new Uint8Array(1))],
    ["CORE_INVALID_LENGTH", () => aead.openInto(key, nonce, NONE, sealed, new Uint8Array(sealed.length))],
    ["", () => aead.sealBatch(key, nonces, NONE, SECRET, 4)],
    ["CORE_INVALID_LENGTH", () => aead.sealBatch(key, nonces, NONE, SECRET, 3)],
    ["", () => aead.openBatch(key, nonces, NONE, batch, 4)],
    ["CORE_AUTHENTICATION_FAILED", () => aead.openBatch(key, nonces, NONE, broken, 4)],
    ["CORE_AUTHENTICATION_FAILED", () => aead.openBatch(key, nonces, NONE, bytes(4), 4)],
  ];
}

function keyWrapCalls({ aesKw, aesKwp }: Primitives): { aesKw: Call[]; aesKwp: Call[] } {
  const [kek, text] = [view(32, 1), SECRET.subarray(0, 96)];
  const wrapped = aesKw.wrapBatch(kek, text, 4);
  const broken = wrapped.slice();
  broken[50]! ^= 1;
  const each = (algorithm: KeyWrap): Call[] => [
    ["", () => algorithm.wrap(kek, text)],
    ["", () => algorithm.unwrap(kek, algorithm.wrap(kek, text))],
    ["TypeError", () => algorithm.wrap(kek, [1] as never)],
    ["CORE_INVALID_LENGTH", () => algorithm.wrap(bytes(15), text)],
    ["CORE_AUTHENTICATION_FAILED", () => algorithm.unwrap(kek, text)],
    ["CORE_AUTHENTICATION_FAILED", () => algorithm.unwrap(kek, bytes(23))],
    ["CORE_INPUT_TOO_LARGE", () => algorithm.wrap(kek, new Uint8Array(4 * 1024 * 1024))],
  ];
  return {
    aesKw: [
      ...each(aesKw),
      ["", () => aesKw.wrapBatch(kek, text, 4)],
      ["CORE_INVALID_LENGTH", () => aesKw.wrapBatch(kek, text, 5)],
      ["", () => aesKw.unwrapBatch(kek, wrapped, 4)],
      ["CORE_AUTHENTICATION_FAILED", () => aesKw.unwrapBatch(kek, broken, 4)],
      ["CORE_AUTHENTICATION_FAILED", () => aesKw.unwrapBatch(kek, bytes(4), 4)],
    ],
    aesKwp: each(aesKwp),
  };
}

function curveCalls({ ed25519, x25519 }: Primitives): { ed25519: Call[]; x25519: Call[] } {
  const seed = view(32, 1);
  const [key, signature] = [ed25519.publicKey(seed), ed25519.sign(seed, SECRET)];
  const twice = (one: Uint8Array): Uint8Array => new Uint8Array([...one, ...one]);
  return {
    ed25519: [
      ["", () => ed25519.publicKey(seed)],
      ["CORE_INVALID_LENGTH", () => ed25519.publicKey(view(33, 1))],
      ["", () => ed25519.sign(seed, SECRET)],
      ["CORE_INVALID_LENGTH", () => ed25519.sign(view(64, 1), SECRET)],
      ["TypeError", () => ed25519.sign(seed, "text" as never)],
      ["CORE_INPUT_TOO_LARGE", () => ed25519.sign(seed, new Uint8Array(4 * 1024 * 1024))],
      ["", () => expect(ed25519.verify(key, SECRET, signature)).toBe(true)],
      ["", () => expect(ed25519.verify(key, NONE, signature)).toBe(false)],
      ["", () => expect(ed25519.verify(key, SECRET, view(63, 1))).toBe(false)],
      ["CORE_INVALID_LENGTH", () => ed25519.verify(NONE, SECRET, signature)],
      ["", () => ed25519.verifyBatch(twice(key), [SECRET, SECRET], twice(signature), 2)],
      [
        "CORE_AUTHENTICATION_FAILED",
        () => ed25519.verifyBatch(twice(key), [SECRET, NONE], twice(signature), 2),
      ],
      ["CORE_INVALID_LENGTH", () => ed25519.verifyBatch(key, [SECRET, SECRET], signature, 2)],
      ["TypeError", () => ed25519.verifyBatch(key, [null as never], signature, 1)],
    ],
    x25519: [
      ["", () => x25519.publicKey(seed)],
      ["", () => x25519.sharedSecret(seed, key)],
      ["CORE_WEAK_PUBLIC_KEY", () => x25519.sharedSecret(seed, new Uint8Array(32))],
      ["CORE_INVALID_LENGTH", () => x25519.sharedSecret(seed, SECRET)],
      ["TypeError", () => x25519.publicKey("seed" as never)],
    ],
  };
}

function primitiveCalls(primitives: Primitives): Record<keyof Primitives, Call[]> {
  return {
    sha256: [
      ["", () => primitives.sha256(SECRET)],
      ["TypeError", () => primitives.sha256(new ArrayBuffer(4) as never)],
    ],
    sha512: [["", () => primitives.sha512(SECRET)]],
    blake2b: [
      ["", () => primitives.blake2b(SECRET, { key: view(64, 1) })],
      ["CORE_INVALID_LENGTH", () => primitives.blake2b(SECRET, { key: SECRET })],
    ],
    argon2id: [
      ["", () => primitives.argon2id(SECRET, view(16, 1), { ...ARGON2, length: 32 })],
      ["CORE_INVALID_PARAMETER", () => primitives.argon2id(SECRET, view(16, 1), { ...ARGON2, length: 3 })],
    ],
    scrypt: [
      ["", () => primitives.scrypt(SECRET, SECRET, { ...SCRYPT, length: 32 })],
      ["CORE_INVALID_PARAMETER", () => primitives.scrypt(SECRET, SECRET, { ...SCRYPT, length: 0 })],
    ],
    hmacSha256: [["", () => primitives.hmacSha256(SECRET, SECRET)]],
    hmacSha512: [["", () => primitives.hmacSha512(SECRET, SECRET)]],
    merkleLeafHash: [["", () => primitives.merkleLeafHash(SECRET)]],
    merkleNodeHash: [
      ["", () => primitives.merkleNodeHash(view(32, 1), view(32, 2))],
      ["CORE_INVALID_LENGTH", () => primitives.merkleNodeHash(view(32, 1), SECRET)],
    ],
    merkleLeafHashBatch: [
      ["", () => primitives.merkleLeafHashBatch(SECRET, 10)],
      ["CORE_INVALID_LENGTH", () => primitives.merkleLeafHashBatch(SECRET, 3)],
    ],
    merkleLevel: [
      ["", () => primitives.merkleLevel(view(320, 1))],
      ["CORE_INVALID_LENGTH", () => primitives.merkleLevel(SECRET)],
    ],
    hkdfSha256: [
      ["", () => primitives.hkdfSha256(SECRET, SECRET, SECRET, 100)],
      ["CORE_INVALID_PARAMETER", () => primitives.hkdfSha256(SECRET, SECRET, SECRET, 8161)],
      ["CORE_INVALID_PARAMETER", () => primitives.hkdfSha256(SECRET, SECRET, SECRET, 1n as never)],
    ],
    hkdfExpandSha256Batch: [
      ["", () => primitives.hkdfExpandSha256Batch(view(32, 1), SECRET, 32, 10)],
      ["CORE_INVALID_LENGTH", () => primitives.hkdfExpandSha256Batch(view(32, 1), SECRET, 32, 3)],
    ],
    pbkdf2Sha256: [
      ["", () => primitives.pbkdf2Sha256(SECRET, SECRET, 2, 100)],
      ["CORE_INVALID_PARAMETER", () => primitives.pbkdf2Sha256(SECRET, SECRET, 0, 100)],
    ],
    hkdfSha512: [
      ["", () => primitives.hkdfSha512(SECRET, SECRET, SECRET, 100)],
      ["CORE_INVALID_PARAMETER", () => primitives.hkdfSha512(SECRET, SECRET, SECRET, 16_321)],
    ],
    pbkdf2Sha512: [
      ["", () => primitives.pbkdf2Sha512(SECRET, SECRET, 2, 100)],
      ["CORE_INVALID_PARAMETER", () => primitives.pbkdf2Sha512(SECRET, SECRET, 0, 100)],
    ],
    pbkdf2Sha256Batch: [
      ["", () => primitives.pbkdf2Sha256Batch([SECRET, NONE, view(70, 3)], [NONE, SECRET, SECRET], 2, 40)],
      ["CORE_INVALID_LENGTH", () => primitives.pbkdf2Sha256Batch([SECRET], [], 2, 40)],
      ["CORE_INVALID_PARAMETER", () => primitives.pbkdf2Sha256Batch([SECRET], [SECRET], 0, 40)],
      ["TypeError", () => primitives.pbkdf2Sha256Batch([SECRET], ["salt" as never], 2, 40)],
    ],
    pbkdf2Sha512Batch: [
      ["", () => primitives.pbkdf2Sha512Batch([SECRET, NONE, view(70, 3)], [NONE, SECRET, SECRET], 2, 40)],
      ["CORE_INVALID_LENGTH", () => primitives.pbkdf2Sha512Batch([], [SECRET], 2, 40)],
    ],
    kbkdfCounterHmacSha256: [
      ["", () => primitives.kbkdfCounterHmacSha256(SECRET, SECRET, 100)],
      ["", () => primitives.kbkdfCounterHmacSha256(SECRET, { label: SECRET, context: NONE }, 100)],
      ["CORE_INVALID_PARAMETER", () => primitives.kbkdfCounterHmacSha256(SECRET, SECRET, 0)],
      ["TypeError", () => primitives.kbkdfCounterHmacSha256(SECRET, "label" as never, 32)],
    ],
    chacha20Poly1305: aeadCalls(primitives.chacha20Poly1305, 12),
    xchacha20Poly1305: aeadCalls(primitives.xchacha20Poly1305, 24),
    aesGcmSiv: aeadCalls(primitives.aesGcmSiv, 12),
    ...keyWrapCalls(primitives),
    ...curveCalls(primitives),
  };
}

describe.each(["simd", "scalar"] as const)(
  "the host side leaves nothing in memory, %s build",
  async (kind) => {
    const { vault, primitives, memory, residue } = await rigOf(kind);
    const calls: [string, Call[]][] = [
      ...Object.entries(primitiveCalls(primitives)),
      ...Object.entries(vaultCalls(vault)),
    ];

    it("which a planted byte would show", () => {
      for (const address of [STATIC_END - 1, STATIC_END, SCRATCH_END - 1, STAGING, memory.length - 1]) {
        memory[address]! ^= 1;
        expect(residue()).toEqual([address & ~3]);
        memory[address]! ^= 1;
      }
      expect(residue()).toEqual([]);
    });

    it("and every method of the vault and of the primitives is tried", () => {
      const methods = [...Object.keys(primitives), ...Object.keys(vault)];
      expect(calls.map(([name]) => name).sort()).toEqual(methods.sort());
    });

    it.each(calls)("after %s, however it ends", (_, list) => {
      for (const [expected, call] of list) {
        if (expected === "") call();
        else expect(codeOf(call)).toBe(expected);
        expect(residue()).toEqual([]);
      }
    });
  },
);
