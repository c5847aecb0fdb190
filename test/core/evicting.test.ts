/** A vault without a free slot: every call that needs one asks for it, and is made again when there is one. */
import { describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle, Vault } from "../../bindings/vault.js";
import { evicting } from "../../sdk/crypto/slots.js";
import { ALL_CIPHER, ALL_WRAP, bytes, codeOf, template } from "./support.js";

const { vault } = await loadCoreWith();
const KEK_ID = bytes(16, 50);
const CIPHER = template(ALL_CIPHER);
const COSTS = { memoryKiB: 8, passes: 1, lanes: 1 };

const kek = vault.generate(template(ALL_WRAP, { id: KEK_ID }));
const key = vault.generate(template(ALL_CIPHER, { exportable: true }));
const deriver = vault.generate(template(USAGE.DERIVE | ALL_CIPHER, { algorithm: ALGORITHM.HKDF_SHA256 }));
const fileKey = vault.generate(template(0, { algorithm: ALGORITHM.AGE_FILE_KEY }));
const agreer = vault.generate(template(USAGE.AGREE | ALL_CIPHER, { algorithm: ALGORITHM.X25519 }));
const scryptKey = (): Handle =>
  vault.import(template(0, { algorithm: ALGORITHM.AGE_SCRYPT_KEY }), bytes(32, 1));
const publicKey = vault.publicKey(agreer);
const wrapped = vault.wrap(kek, key);
const attributes = encodeAttributes(template(ALL_CIPHER, { exportable: true }), KEK_ID, 1);
const stanza = vault.ageX25519Wrap(publicKey, fileKey);
const managed = vault.ageWrapFileKey(key, bytes(0), fileKey);
const scryptBody = vault.ageScryptWrap(scryptKey(), fileKey);
const opener = scryptKey();
const transferred = vault.sealTo(key, publicKey);

const calls: Partial<Record<keyof Vault, (vault: Vault) => Handle>> = {
  generate: (v) => v.generate(CIPHER),
  import: (v) => v.import(CIPHER, bytes(32)),
  deriveFromPassword: (v) => v.deriveFromPassword(CIPHER, bytes(8), bytes(16), 1),
  deriveFromPasswordArgon2id: (v) => v.deriveFromPasswordArgon2id(CIPHER, bytes(8), bytes(16), COSTS),
  deriveFromPasswordScrypt: (v) =>
    v.deriveFromPasswordScrypt(CIPHER, bytes(8), bytes(16), { N: 2, r: 1, p: 1 }),
  unwrap: (v) => v.unwrap(kek, attributes, wrapped),
  derive: (v) => v.derive(deriver, CIPHER, bytes(3)),
  agree: (v) => v.agree(agreer, publicKey, CIPHER, bytes(3)),
  openFrom: (v) => v.openFrom(agreer, transferred),
  ageUnwrapFileKey: (v) => v.ageUnwrapFileKey(key, bytes(0), managed),
  ageScryptUnwrap: (v) => v.ageScryptUnwrap(opener, scryptBody),
  ageX25519Unwrap: (v) => v.ageX25519Unwrap(agreer, stanza.share, stanza.body),
  agePayloadKey: (v) => v.agePayloadKey(fileKey, bytes(16)),
};

const spare: Handle[] = [];
while (vault.liveCount() < vault.capacity) spare.push(vault.generate(CIPHER));
let asked = 0;
const giving = evicting(vault, () => {
  asked++;
  vault.dispose(spare.pop()!);
  return true;
});
const keeping = evicting(vault, () => {
  asked++;
  return false;
});

describe("where no slot is free", () => {
  it.each(Object.entries(calls))(
    "%s is made again once a key has made room, and not otherwise",
    (_, call) => {
      asked = 0;
      expect(codeOf(() => call(vault))).toBe("CORE_SLOTS_EXHAUSTED");
      expect(codeOf(() => call(keeping))).toBe("CORE_SLOTS_EXHAUSTED");
      expect(asked).toBe(1);
      const handle = call(giving);
      expect(asked).toBe(2);
      expect(vault.liveCount()).toBe(vault.capacity);
      vault.dispose(handle);
      spare.push(call(giving));
      expect(asked).toBe(2);
    },
  );

  it("no key makes room for a call that fails for another reason", () => {
    asked = 0;
    expect(codeOf(() => giving.unwrap(77 as Handle, attributes, wrapped))).toBe("CORE_HANDLE_STALE");
    expect(codeOf(() => giving.derive(kek, CIPHER, bytes(3)))).toBe("CORE_HANDLE_MISUSE");
    expect(codeOf(() => giving.import({ ...CIPHER, id: bytes(15) }, bytes(32)))).toBe("CORE_INVALID_LENGTH");
    expect(asked).toBe(0);
  });
});
