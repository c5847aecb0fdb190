/**
 * `keyloom/key-formats`: Ed25519 and X25519 keys as others write them. SubjectPublicKeyInfo and PKCS#8 in DER (RFC 8410,
 * RFC 5958), JWK (RFC 8037), PEM around both (RFC 7468). Pure encodings: nothing here looks at a store.
 */
import { concat, equalBytes, fromUtf8, requireBytes } from "./bytes.js";
import { KeyloomError } from "./errors.js";

/** Algorithms with the last byte of their object identifier, 1.3.101.x. */
const CURVES = { X25519: 110, Ed25519: 112 } as const;
export type Curve = keyof typeof CURVES;

export interface RawPublicKey {
  algorithm: Curve;
  /** 32 bytes: RFC 8032 or RFC 7748. */
  raw: Uint8Array;
}

/** A private key outside the core: yours to wipe. */
export interface RawPrivateKey {
  algorithm: Curve;
  /** 32 bytes: the seed of RFC 8032, or the scalar of RFC 7748. */
  raw: Uint8Array;
  /** What it came with, to be checked: `import` takes it. */
  publicKey?: Uint8Array;
}

/** An octet key pair of RFC 8037, as far as it is read here. */
export interface OkpJwk {
  kty: "OKP";
  crv: Curve;
  /** The public key, base64url. */
  x: string;
}

const KEY_LENGTH = 32;
const SPKI_LENGTH = 44;
/** SEQUENCE { SEQUENCE { OID 1.3.101.x }, BIT STRING } of 32 bytes, before and behind x. */
const SPKI_HEAD = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65);
const SPKI_NECK = Uint8Array.of(0x03, 0x21, 0x00);
/** SEQUENCE { INTEGER 0, SEQUENCE { OID }, OCTET STRING { OCTET STRING } }, likewise. */
const PKCS8_HEAD = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65);
const PKCS8_NECK = Uint8Array.of(0x04, 0x22, 0x04, 0x20);
/** No PKCS#8 file of these keys is longer, with attributes. */
const MAX_DER = 4096;
const MAX_PEM = 8192;
const PEM_LABELS = { "PUBLIC KEY": 0, "PRIVATE KEY": 0 } as const;
export type PemLabel = keyof typeof PEM_LABELS;

function malformed(what: string): KeyloomError {
  return new KeyloomError("KEY_MALFORMED", { message: `not ${what} of an Ed25519 or X25519 key` });
}

function curve(algorithm: string): number {
  if (Object.hasOwn(CURVES, algorithm)) return CURVES[algorithm as Curve];
  throw new KeyloomError("KEY_ALGORITHM_NOT_SUPPORTED", {
    message: `only ${Object.keys(CURVES).join(" and ")} keys have these formats`,
    supported: Object.keys(CURVES),
  });
}

function curveOf(oid: number | undefined): Curve | undefined {
  return (Object.keys(CURVES) as Curve[]).find((name) => CURVES[name] === oid);
}

function requireKey(raw: Uint8Array): void {
  requireBytes(raw, "a key");
  if (raw.length !== KEY_LENGTH) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: `a key has ${KEY_LENGTH} bytes` });
  }
}

/** SubjectPublicKeyInfo: 44 bytes of DER. Takes what `publicKey` of a manager gives. */
export function publicKeyToSpki({ algorithm, raw }: { algorithm: string; raw: Uint8Array }): Uint8Array {
  requireKey(raw);
  return concat(SPKI_HEAD, Uint8Array.of(curve(algorithm)), SPKI_NECK, raw);
}

/** @throws {KeyloomError} `KEY_MALFORMED` for everything else, other algorithms and encodings too */
export function publicKeyFromSpki(der: Uint8Array): RawPublicKey {
  requireBytes(der, "der");
  const algorithm = curveOf(der[SPKI_HEAD.length]);
  const raw = der.slice(SPKI_LENGTH - KEY_LENGTH);
  const valid = algorithm !== undefined && raw.length === KEY_LENGTH;
  if (valid && equalBytes(publicKeyToSpki({ algorithm, raw }), der)) return { algorithm, raw };
  throw malformed("the SubjectPublicKeyInfo");
}

export function publicKeyToJwk({ algorithm, raw }: { algorithm: string; raw: Uint8Array }): OkpJwk {
  requireKey(raw);
  curve(algorithm);
  return {
    kty: "OKP",
    crv: algorithm as Curve,
    x: base64(raw).replace(/\+/g, "-").replace(/\//g, "_").slice(0, 43),
  };
}

/** @throws {KeyloomError} `KEY_MALFORMED` */
export function publicKeyFromJwk(jwk: object): RawPublicKey {
  const { algorithm, publicKey } = okp(jwk);
  if (publicKey === undefined) throw malformed("the JWK");
  return { algorithm, raw: publicKey };
}

/**
 * The private half of a JWK. Its text is a string, which can't be wiped: prefer PKCS#8.
 *
 * @throws {KeyloomError} `KEY_MALFORMED`
 */
export function privateKeyFromJwk(jwk: object): RawPrivateKey {
  const { algorithm, publicKey } = okp(jwk);
  const raw = octets((jwk as { d?: unknown }).d);
  if (raw === null) throw malformed("the private JWK");
  return { algorithm, raw, ...(publicKey === undefined ? {} : { publicKey }) };
}

function okp(jwk: object): { algorithm: Curve; publicKey?: Uint8Array } {
  if (typeof jwk !== "object" || jwk === null) throw new TypeError("a JWK is an object");
  const { kty, crv, x } = jwk as { kty?: unknown; crv?: unknown; x?: unknown };
  const publicKey = octets(x);
  // RFC 8037 §2: x must be there, in private keys too.
  if (kty !== "OKP" || typeof crv !== "string" || !Object.hasOwn(CURVES, crv) || publicKey === null) {
    throw malformed("the JWK");
  }
  return { algorithm: crv as Curve, publicKey };
}

/** 32 bytes in base64url: 43 characters, the last of which has two bits that must be zero. `null`: it is nothing such. */
function octets(text: unknown): Uint8Array | null {
  if (typeof text !== "string" || !/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(text)) return null;
  return bytesOf(text.replace(/-/g, "+").replace(/_/g, "/"));
}

/**
 * PrivateKeyInfo: 48 bytes of DER, without the public key.
 *
 * @param raw - what `exportInsecureCleartext` of a manager gives. Not modified.
 * @returns yours to wipe
 */
export function privateKeyToPkcs8({ algorithm, raw }: { algorithm: string; raw: Uint8Array }): Uint8Array {
  requireKey(raw);
  return concat(PKCS8_HEAD, Uint8Array.of(curve(algorithm)), PKCS8_NECK, raw);
}

/**
 * Reads PrivateKeyInfo, and OneAsymmetricKey (RFC 5958) with attributes, which are skipped, and a public key, which is given
 * back to be checked.
 *
 * @param der - not modified, yours to wipe
 * @throws {KeyloomError} `KEY_MALFORMED`
 */
export function privateKeyFromPkcs8(der: Uint8Array): RawPrivateKey {
  requireBytes(der, "der");
  const whole = der.length > MAX_DER ? null : element(der, 0, 0x30);
  if (whole === null || whole.end !== der.length) throw malformed("PKCS#8");
  const { from } = whole;
  const algorithm = curveOf(der[from + PKCS8_HEAD.length - 2]);
  if (algorithm === undefined) throw malformed("PKCS#8");
  const head = concat(PKCS8_HEAD.subarray(2), Uint8Array.of(CURVES[algorithm]), PKCS8_NECK);
  const keyAt = from + head.length;
  let at = keyAt + KEY_LENGTH;
  const attributes = element(der, at, 0xa0);
  if (attributes !== null) at = attributes.end;
  const bits = element(der, at, 0x81);
  let publicKey: Uint8Array | undefined;
  if (bits !== null) {
    // A BIT STRING of whole bytes, which makes it version 1 (RFC 5958 §2).
    if (bits.end - bits.from !== KEY_LENGTH + 1 || der[bits.from] !== 0) throw malformed("PKCS#8");
    head[2] = 1;
    publicKey = der.slice(bits.from + 1, bits.end);
    at = bits.end;
  }
  if (at !== der.length || !equalBytes(der.subarray(from, keyAt), head)) throw malformed("PKCS#8");
  return {
    algorithm,
    raw: der.slice(keyAt, keyAt + KEY_LENGTH),
    ...(publicKey === undefined ? {} : { publicKey }),
  };
}

/** A DER element of a tag at `at`: where its contents are. `null`: there is none, or its length is not DER's. */
function element(der: Uint8Array, at: number, tag: number): { from: number; end: number } | null {
  if (der[at] !== tag) return null;
  let length = der[at + 1] ?? 0;
  let from = at + 2;
  if (length >= 0x80) {
    const digits = length - 0x80;
    if (digits < 1 || digits > 2) return null;
    length = digits === 1 ? der[from]! : der[from]! * 256 + der[from + 1]!;
    from += digits;
    if (!(length >= (digits === 1 ? 0x80 : 0x100))) return null;
  }
  const end = from + length;
  return end <= der.length ? { from, end } : null;
}

/** PEM (RFC 7468): lines of 64 characters. A private key's text is a string, which can't be wiped. */
export function toPem(label: PemLabel, der: Uint8Array): string {
  requireBytes(der, "der");
  const lines = base64(der).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * The one PEM block of a text, with white space around it.
 *
 * @param text - a string, or its ASCII bytes
 * @throws {KeyloomError} `KEY_MALFORMED` for none, for several, and for another label
 */
export function fromPem(label: PemLabel, text: string | Uint8Array): Uint8Array {
  const block = (typeof text === "string" ? text : ascii(text)).trim();
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  if (block.length <= MAX_PEM && block.startsWith(begin) && block.endsWith(end)) {
    const body = block.slice(begin.length, -end.length).replace(/\s/g, "");
    // One encoding for each DER: no stray characters, and no bits that decoding would drop.
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(body) && body.length % 4 === 0) {
      const der = bytesOf(body);
      if (base64(der) === body) return der;
    }
  }
  throw malformed(`a PEM block "${label}"`);
}

function ascii(text: Uint8Array): string {
  requireBytes(text, "text");
  try {
    return fromUtf8(text);
  } catch {
    throw malformed("a PEM block");
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
