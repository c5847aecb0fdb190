/** The commands of key pairs: signing, verifying, public keys, and private keys in the files of others. */
import { ageRecipient, type EvidenceKind } from "../index.js";
import {
  fromPem,
  privateKeyFromJwk,
  privateKeyFromPkcs8,
  publicKeyToJwk,
  publicKeyToSpki,
  toPem,
} from "../foundation/key-formats.js";
import { conversion, using, type Command, type CommandInput, type Output } from "./command.js";
import { readWhole } from "./files.js";
import { usage } from "./io.js";
import { count, date, needs, OUTPUT_OPTIONS, text, VERSION_OPTION } from "./options.js";

/** What `sign` takes at most. */
const MAX_SIGNED = 1024 * 1024;
const MAX_SIGNATURE = 64;
/** A raw key of any algorithm, and a file with one in another format. */
const MAX_RAW = 64;
const MAX_KEY_FILE = 8192;

const SIGNATURE_SUFFIX = ".sig";

function signatureName(path: string): string {
  return path === "-" ? "-" : `${path}${SIGNATURE_SUFFIX}`;
}

function requireKey({ values }: CommandInput, command: string): string {
  const key = text(values, "key");
  if (key === undefined) throw usage(`${command} needs --key`);
  return key;
}

async function sign(input: CommandInput): Promise<Output> {
  const key = requireKey(input, "sign");
  const write = await conversion(input, signatureName);
  return using(input, async (keys) => {
    const message = await readWhole(input.io, input.args[0]!, MAX_SIGNED, "a message to sign");
    const { signature, ...by } = await keys.sign(key, message);
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(signature);
        controller.close();
      },
    });
    const { result, text: written } = await write(() => stream);
    if (result === undefined) return { result, text: written };
    return { result: { ...(result as object), ...by }, text: `${written}, by version ${by.version}` };
  });
}

async function verify(input: CommandInput): Promise<Output> {
  const { io, values, args } = input;
  const key = requireKey(input, "verify");
  needs(values, "evidence", "signed");
  needs(values, "signed", "evidence");
  const time = date(values, "signed");
  const [path] = args as [string];
  const signaturePath = text(values, "signature") ?? signatureName(path);
  if (signaturePath === "-") throw usage("name the signature's file with --signature");
  const options = {
    version: count(values, "key-version"),
    evidence: time === undefined ? undefined : { kind: text(values, "evidence") as EvidenceKind, time },
    acceptSuspended: values["accept-suspended"] === true,
  };
  const message = await readWhole(io, path, MAX_SIGNED, "a message to sign");
  const signature = await readWhole(io, signaturePath, MAX_SIGNATURE, "a signature");
  return using(input, async (keys) => {
    const result = await keys.verify(key, message, signature, options);
    const { version, state, mark, evidence } = result;
    const accepted = mark === undefined ? "" : `, accepted by the evidence "${evidence}"`;
    return { result, text: `valid: signed by version ${version}, which is ${state} now${accepted}` };
  });
}

async function publicKey(input: CommandInput): Promise<Output> {
  const { values, args } = input;
  const format = text(values, "format") ?? "pem";
  if (!["pem", "jwk", "age"].includes(format)) throw usage("--format is pem, jwk or age");
  const version = count(values, "key-version");
  return using(input, async (keys) => {
    const found = await keys.publicKey(args[0]!, { version });
    const jwk = publicKeyToJwk(found);
    const pem = toPem("PUBLIC KEY", publicKeyToSpki(found));
    const { key, algorithm } = found;
    const result = { key, version: found.version, algorithm, jwk, pem };
    if (format === "age") return { result, text: await ageRecipient(found) };
    return { result, text: format === "pem" ? pem.trimEnd() : JSON.stringify(jwk) };
  });
}

const FORMATS = ["raw", "pem", "der", "jwk"] as const;

/** Where the private key of a file lies in memory: everything is to be wiped. */
export interface ReadKey {
  material: Uint8Array;
  /** What the file says of it; nothing where it is raw. */
  algorithm?: string;
  publicKey?: Uint8Array;
}

/** Runs `use` with the private key in a file, which is wiped from memory afterwards, but for the text of PEM and JWK. */
export async function withKeyFile<T>(
  { io, values }: CommandInput,
  path: string,
  use: (key: ReadKey) => Promise<T>,
): Promise<T> {
  const format = text(values, "format") ?? "raw";
  if (!(FORMATS as readonly string[]).includes(format))
    throw usage(`--format is one of ${FORMATS.join(", ")}`);
  const content = await readWhole(io, path, format === "raw" ? MAX_RAW : MAX_KEY_FILE, "the longest key");
  let key: ReadKey | undefined;
  try {
    key = format === "raw" ? { material: content } : parse(format, content);
    return await use(key);
  } finally {
    content.fill(0);
    key?.material.fill(0);
  }
}

function parse(format: string, content: Uint8Array): ReadKey {
  if (format === "jwk") return readKey(privateKeyFromJwk(json(content)));
  if (format === "der") return readKey(privateKeyFromPkcs8(content));
  const der = fromPem("PRIVATE KEY", content);
  try {
    return readKey(privateKeyFromPkcs8(der));
  } finally {
    der.fill(0);
  }
}

function readKey({ raw, ...rest }: ReturnType<typeof privateKeyFromPkcs8>): ReadKey {
  return { material: raw, ...rest };
}

function json(content: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(content));
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // The error would quote the key.
  }
  throw usage("the file is no JWK");
}

/** The import's own option. */
export const KEY_FILE_OPTION = {
  format: {
    type: "string",
    about: `${FORMATS.join(", ")}: raw bytes (default), or PKCS#8 or JWK of an Ed25519 or X25519 key`,
  },
} as const;

const KEY_OPTION = { key: { type: "string", about: "the key, an Ed25519 pair" } } as const;

export const PAIR_COMMANDS = {
  sign: {
    args: ["FILE"],
    about: "sign a file of at most 1 MiB (- is stdin) to FILE.sig",
    options: { ...KEY_OPTION, ...OUTPUT_OPTIONS },
    run: sign,
  },

  verify: {
    args: ["FILE"],
    about: "verify the signature of a file, FILE.sig",
    options: {
      ...KEY_OPTION,
      signature: { type: "string", about: "the file with the signature, 64 bytes" },
      "key-version": { type: "string", about: "the version that is to have signed; default: any" },
      evidence: {
        type: "string",
        about: "how you know when it was signed: assertion, time-stamp or inclusion",
      },
      signed: { type: "string", about: "that time: it was signed then or before" },
      "accept-suspended": { type: "boolean", about: "accept a suspended version on the evidence" },
    },
    run: verify,
  },

  "public-key": {
    args: ["KEY"],
    about: "print the public half of a pair's version",
    options: {
      ...VERSION_OPTION,
      format: { type: "string", about: "pem (SubjectPublicKeyInfo, the default), jwk, or age: a recipient" },
    },
    run: publicKey,
  },
} as const satisfies Readonly<Record<string, Command>>;
