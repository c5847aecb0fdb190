/** Ed25519 and X25519 keys in the formats of others. */
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { fromHex } from "../../sdk/foundation/bytes.js";
import {
  fromPem,
  privateKeyFromJwk,
  privateKeyFromPkcs8,
  privateKeyToPkcs8,
  publicKeyFromJwk,
  publicKeyFromSpki,
  publicKeyToJwk,
  publicKeyToSpki,
  toPem,
} from "../../sdk/foundation/key-formats.js";
import { codeOf } from "../flows/support.js";

const bytes = (seed: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (i * 11 + seed) & 255);

// RFC 8410 §10.1 and §10.3, RFC 8037 appendix A.1 and A.2.
const RFC_PUBLIC = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;
const RFC_PRIVATE = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`;
const RFC_PRIVATE_WITH_ALL = `-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
`;
const RFC_SEED = fromHex("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842");
const RFC_JWK = {
  kty: "OKP",
  crv: "Ed25519",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};

describe("the examples of the standards", () => {
  it("of RFC 8410 are read, with attributes and public key or without", () => {
    const { publicKey } = nacl.sign.keyPair.fromSeed(RFC_SEED);
    const short = privateKeyFromPkcs8(fromPem("PRIVATE KEY", RFC_PRIVATE));
    expect(short).toEqual({ algorithm: "Ed25519", raw: RFC_SEED });
    const long = privateKeyFromPkcs8(fromPem("PRIVATE KEY", RFC_PRIVATE_WITH_ALL));
    expect(long).toEqual({ algorithm: "Ed25519", raw: RFC_SEED, publicKey });
    const read = publicKeyFromSpki(fromPem("PUBLIC KEY", new TextEncoder().encode(RFC_PUBLIC)));
    expect(read).toEqual({ algorithm: "Ed25519", raw: publicKey });
    expect(toPem("PUBLIC KEY", publicKeyToSpki(read))).toBe(RFC_PUBLIC);
    expect(toPem("PRIVATE KEY", privateKeyToPkcs8(short))).toBe(RFC_PRIVATE);
  });

  it("of RFC 8037 are read and written", () => {
    const { algorithm, raw, publicKey } = privateKeyFromJwk(RFC_JWK);
    expect(algorithm).toBe("Ed25519");
    expect(nacl.sign.keyPair.fromSeed(raw).publicKey).toEqual(publicKey);
    const { d: _, ...ofPublic } = RFC_JWK;
    expect(publicKeyToJwk({ algorithm, raw: publicKey! })).toEqual(ofPublic);
    expect(publicKeyFromJwk({ ...ofPublic, kid: "1", use: "sig" })).toEqual({ algorithm, raw: publicKey });
  });
});

describe("what is written", () => {
  it.each(["Ed25519", "X25519"] as const)("of %s is read again, of every key", (algorithm) => {
    for (let seed = 0; seed < 64; seed++) {
      const key = { algorithm, raw: bytes(seed * 37) };
      expect(publicKeyFromSpki(publicKeyToSpki(key))).toEqual(key);
      expect(publicKeyFromJwk(publicKeyToJwk(key))).toEqual(key);
      const der = privateKeyToPkcs8(key);
      expect(privateKeyFromPkcs8(der)).toEqual(key);
      expect(fromPem("PRIVATE KEY", toPem("PRIVATE KEY", der))).toEqual(der);
    }
  });

  it("is of these two algorithms and this length only", async () => {
    for (const write of [publicKeyToSpki, publicKeyToJwk, privateKeyToPkcs8]) {
      const code = (algorithm: string, raw: unknown): Promise<string> =>
        codeOf(() => write({ algorithm, raw: raw as Uint8Array }));
      expect(await code("P-256", bytes(1))).toBe("KEY_ALGORITHM_NOT_SUPPORTED");
      expect(await code("toString", bytes(1))).toBe("KEY_ALGORITHM_NOT_SUPPORTED");
      expect(await code("Ed25519", bytes(1).subarray(1))).toBe("KEY_INVALID_OPTION");
      expect(await code("Ed25519", "x")).toMatch(/^TypeError/);
    }
  });
});

describe("what is no key", () => {
  const WHOLE = fromPem("PRIVATE KEY", RFC_PRIVATE_WITH_ALL);
  const SPKI = fromPem("PUBLIC KEY", RFC_PUBLIC);

  it("is refused: DER cut short, made longer, or with one byte of its frame changed", async () => {
    const ders = [
      {
        read: privateKeyFromPkcs8,
        der: WHOLE,
        keys: [
          [16, 48],
          [50, 81],
          [84, 116],
        ],
      },
      {
        read: privateKeyFromPkcs8,
        der: privateKeyToPkcs8({ algorithm: "X25519", raw: bytes(1) }),
        keys: [[16, 48]],
      },
      { read: publicKeyFromSpki, der: SPKI, keys: [[12, 44]] },
    ];
    for (const { read, der, keys } of ders) {
      const code = (input: Uint8Array): Promise<string> => codeOf(() => read(input));
      expect(await code(der)).toBe("no error");
      for (let length = 0; length < der.length; length++)
        expect(await code(der.subarray(0, length)), `${length}`).toBe("KEY_MALFORMED");
      expect(await code(new Uint8Array([...der, 0]))).toBe("KEY_MALFORMED");
      for (let at = 0; at < der.length; at++) {
        if (keys.some(([from, to]) => at >= from! && at < to!)) continue;
        for (const bit of [1, 2, 4, 16, 128]) {
          const changed = der.with(at, der[at]! ^ bit);
          // The other of the two algorithms is one bit away.
          const other = await code(changed);
          if (other === "no error") expect(read(changed).algorithm).not.toBe(read(der).algorithm);
          else expect(other, `${at}`).toBe("KEY_MALFORMED");
        }
      }
    }
    expect(await codeOf(() => privateKeyFromPkcs8(new Uint8Array(5000).fill(0x30)))).toBe("KEY_MALFORMED");
    expect(await codeOf(() => privateKeyFromPkcs8("x" as never))).toMatch(/^TypeError/);
  });

  it("is refused: JWKs of other types, curves, lengths and encodings", async () => {
    const changes = [
      { kty: "EC" },
      { crv: "P-256" },
      { crv: "toString" },
      { crv: undefined },
      { d: undefined },
      { d: RFC_JWK.d.slice(1) },
      { d: `${RFC_JWK.d}A` },
      { d: `${RFC_JWK.d.slice(0, 42)}B` },
      { d: `${RFC_JWK.d}=` },
      { d: RFC_JWK.d.replace("_", "/") },
      { x: 7 },
      { x: undefined },
    ];
    expect(await codeOf(() => privateKeyFromJwk(RFC_JWK))).toBe("no error");
    for (const change of changes) {
      const jwk = { ...RFC_JWK, ...change };
      expect(await codeOf(() => privateKeyFromJwk(jwk)), JSON.stringify(change)).toBe("KEY_MALFORMED");
    }
    expect(await codeOf(() => publicKeyFromJwk("x" as never))).toMatch(/^TypeError/);
  });

  it("is refused: PEM with another label, a second block, stray characters or bits", async () => {
    const texts = [
      "",
      RFC_PUBLIC,
      RFC_PRIVATE + RFC_PRIVATE,
      RFC_PRIVATE.replace("END PRIVATE", "END PUBLIC"),
      RFC_PRIVATE.replace("MC4C", "MC4!"),
      RFC_PRIVATE.replace("MC4C", "=C4C"),
      RFC_PRIVATE.replace("MC4C", "MC4"),
      RFC_PUBLIC.replace("ZuE=", "ZuF=").replaceAll("PUBLIC", "PRIVATE"),
      `${RFC_PRIVATE}x`,
      RFC_PRIVATE.replace("MC4C", " ".repeat(9000)),
    ];
    expect(await codeOf(() => fromPem("PRIVATE KEY", `\n ${RFC_PRIVATE.replaceAll("\n", "\r\n")}`))).toBe(
      "no error",
    );
    for (const text of texts) {
      expect(await codeOf(() => fromPem("PRIVATE KEY", text)), text.slice(0, 60)).toBe("KEY_MALFORMED");
    }
    expect(await codeOf(() => fromPem("PRIVATE KEY", Uint8Array.of(0xff)))).toBe("KEY_MALFORMED");
  });
});
