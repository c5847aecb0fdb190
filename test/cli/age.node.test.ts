/** `encrypt` and `decrypt` for recipients of age and under passphrases; and with the `age` command where there is one. */
import { execFile, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { beforeEach, describe, expect, it } from "vitest";
import { generateAgeIdentity } from "../../sdk/index.js";
import { bench, type Bench, type Ran } from "./support.js";

const PLAIN = Buffer.from("two of a kind\n".repeat(9000));

let at: Bench;
let recipient: string;
beforeEach(async () => {
  at = await bench();
  const made = await generateAgeIdentity();
  recipient = made.recipient;
  await writeFile(at.path("identity"), `# a comment\n\n  ${made.identity}\r\n# public key: ${recipient}\n`);
  await writeFile(at.path("clean"), `${made.identity}\n`);
  await writeFile(at.path("other"), (await generateAgeIdentity()).identity);
  await writeFile(at.path("words"), "correct horse\n");
  await writeFile(at.path("a"), PLAIN);
});

async function done(ran: Promise<Ran>): Promise<string> {
  const { code, stdout, stderr } = await ran;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

function expectRefusal(ran: Ran, code: string): void {
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain(`(${code})`);
}

describe("files for recipients of age", () => {
  it("need no store, and are read with a file of identities", async () => {
    await done(at.bare(["encrypt", at.path("a"), "-r", recipient]));
    await done(at.bare(["decrypt", at.path("a.age"), "-i", at.path("identity"), "-o", at.path("b")]));
    expect(await readFile(at.path("b"))).toEqual(PLAIN);
    const both = ["-i", at.path("other"), "-i", at.path("identity")];
    await done(at.bare(["decrypt", at.path("a.age"), ...both, "-o", at.path("c")]));
    expect(await readFile(at.path("c"))).toEqual(PLAIN);
  });

  it("are text with --armor", async () => {
    const text = await done(at.bare(["encrypt", "-", "-r", recipient, "--armor"], { stdin: PLAIN }));
    expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n[\s\S]*\n-----END AGE ENCRYPTED FILE-----\n$/);
    const opened = await done(
      at.bare(["decrypt", "-", "-i", at.path("identity")], { stdin: Buffer.from(text) }),
    );
    expect(opened).toBe(PLAIN.toString());
  });

  it("may have recipients beside a key of the store", async () => {
    await at.run("init");
    await at.run("create", "files");
    await done(at.run("encrypt", at.path("a"), "--key", "files", "-r", recipient, "-a"));
    await done(at.run("decrypt", at.path("a.age"), "-o", at.path("b")));
    await done(at.bare(["decrypt", at.path("a.age"), "-i", at.path("identity"), "-o", at.path("c")]));
    expect(await readFile(at.path("b"))).toEqual(PLAIN);
    expect(await readFile(at.path("c"))).toEqual(PLAIN);
  });

  it("are refused to others, and where options make no sense", async () => {
    await done(at.bare(["encrypt", at.path("a"), "-r", recipient]));
    const decrypt = (...more: string[]) =>
      at.bare(["decrypt", at.path("a.age"), "-o", at.path("b"), ...more]);
    expectRefusal(await decrypt("-i", at.path("other")), "MESSAGE_NO_MATCH");
    expectRefusal(await decrypt("-i", at.path("none")), "CLI_FILE_NOT_FOUND");
    expectRefusal(await decrypt("-i", at.path("words")), "MESSAGE_INVALID_IDENTITY");
    await writeFile(at.path("empty"), "# nothing\n");
    expectRefusal(await decrypt("-i", at.path("empty")), "CLI_USAGE");
    expectRefusal(await decrypt("-i", at.path("identity"), "-p"), "CLI_USAGE");
    const encrypt = (...more: string[]) => at.bare(["encrypt", at.path("a"), "-o", at.path("c"), ...more]);
    expectRefusal(await encrypt(), "CLI_USAGE");
    expectRefusal(await encrypt("-r", "age1"), "MESSAGE_INVALID_RECIPIENT");
    expectRefusal(await encrypt("-r", recipient, "-p"), "CLI_USAGE");
    expectRefusal(await encrypt("--key", "files", "-p"), "CLI_USAGE");
    for (const name of ["b", "c"]) await expect(readFile(at.path(name))).rejects.toThrow("ENOENT");
  });
});

describe("files under a passphrase of their own", () => {
  it("take it from a file or the environment", async () => {
    const words = ["--passphrase-file", at.path("words")];
    await done(at.bare(["encrypt", at.path("a"), "--passphrase", ...words]));
    const env = { KEYLOOM_PASSPHRASE: "correct horse" };
    await done(at.bare(["decrypt", at.path("a.age"), "-p", "-o", at.path("b")], { env }));
    expect(await readFile(at.path("b"))).toEqual(PLAIN);
    const wrong = at.bare(["decrypt", at.path("a.age"), "-p", "-o", at.path("c")], {
      env: { KEYLOOM_PASSPHRASE: "wrong" },
    });
    expectRefusal(await wrong, "MESSAGE_NO_MATCH");
    expectRefusal(await at.bare(["encrypt", at.path("a"), "-p", "-o", at.path("c")]), "CLI_USAGE");
  });
});

const version = spawnSync("age", ["--version"], { encoding: "utf8" });
const missing = version.status !== 0;
if (missing) console.warn("SKIPPED: files to and from the age command: there is none on the PATH");

describe.skipIf(missing)("the age command", () => {
  const age = (...argv: string[]) => promisify(execFile)("age", argv);

  it.each([[[]], [["-a"]]])("reads what keyloom encrypts, and the other way round (%j)", async (armor) => {
    await done(at.bare(["encrypt", at.path("a"), "-r", recipient, ...armor]));
    await age("-d", "-i", at.path("clean"), "-o", at.path("b"), at.path("a.age"));
    expect(await readFile(at.path("b"))).toEqual(PLAIN);

    await age("-r", recipient, ...armor, "-o", at.path("theirs.age"), at.path("a"));
    await done(at.bare(["decrypt", at.path("theirs.age"), "-i", at.path("identity")]));
    expect(await readFile(at.path("theirs"))).toEqual(PLAIN);
  });

  it("reads a store's file by the recipient beside its key", async () => {
    await at.run("init");
    await at.run("create", "files");
    await done(at.run("encrypt", at.path("a"), "--key", "files", "-r", recipient));
    await age("-d", "-i", at.path("clean"), "-o", at.path("b"), at.path("a.age"));
    expect(await readFile(at.path("b"))).toEqual(PLAIN);
  });
});
