import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { prompt } from "../../sdk/cli/prompt.js";

/** A terminal that notes in one list what happens to it, in order. */
function terminal(): {
  log: string[];
  stdin: PassThrough & { isTTY: boolean; setRawMode: (on: boolean) => void };
  interrupt: AbortController;
  ask(): Promise<Uint8Array>;
} {
  const log: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => void log.push(on ? "echo off" : "echo on"),
  });
  const stderr = new PassThrough();
  stderr.on("data", (chunk: Buffer) => log.push(chunk.toString()));
  const interrupt = new AbortController();
  const io = { stdin, stdout: new PassThrough(), stderr, env: {}, signal: interrupt.signal };
  return { log, stdin, interrupt, ask: () => prompt(io, "Passphrase: ") };
}

const typed = async (...chunks: (string | Uint8Array)[]): Promise<string> => {
  const { stdin, ask } = terminal();
  const answer = ask();
  for (const chunk of chunks) stdin.write(chunk);
  return Buffer.from(await answer).toString("utf8");
};

describe("a prompt on a terminal", () => {
  it("asks once the echo is off, and leaves the terminal as it was", async () => {
    const { log, stdin, ask } = terminal();
    const answer = ask();
    stdin.write("secret\r");
    await answer;
    expect(log).toEqual(["echo off", "Passphrase: ", "echo on", "\n"]);
    expect(stdin.listenerCount("data")).toBe(0);
    expect(stdin.isPaused()).toBe(true);
  });

  it.each([
    ["ends at a carriage return or a line feed", ["sec", "ret\n"], "secret"],
    ["takes characters that come in pieces", [Uint8Array.of(0xc3), Uint8Array.of(0xa9, 0x0d)], "é"],
    ["takes back one character at a time, whatever it is made of", ["aé€😀\u007f\u007f\u0008b\r"], "ab"],
    ["takes back no more than there is", ["\u007f\u007fa\r"], "a"],
    ["begins anew after Ctrl-U", ["wrong\u0015right\r"], "right"],
  ])("%s", async (_, chunks, expected) => {
    expect(await typed(...chunks)).toBe(expected);
  });

  it("keeps what was typed ahead for the next question", async () => {
    const { stdin, ask } = terminal();
    const first = ask();
    stdin.write("one\rtwo\rthree");
    expect(Buffer.from(await first).toString()).toBe("one");
    expect(Buffer.from(await ask()).toString()).toBe("two");
    const third = ask();
    stdin.write("\r");
    expect(Buffer.from(await third).toString()).toBe("three");
  });

  it("wipes the pieces that it was handed", async () => {
    const { stdin, ask } = terminal();
    const answer = ask();
    const piece = Buffer.from("secret\r");
    stdin.write(piece);
    expect(Buffer.from(await answer).toString()).toBe("secret");
    await new Promise((resolve) => setImmediate(resolve));
    expect(piece.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ["Ctrl-C", (stdin: PassThrough) => stdin.write("sec\u0003ret\r")],
    ["Ctrl-D", (stdin: PassThrough) => stdin.write("sec\u0004ret\r")],
    ["the end of the terminal", (stdin: PassThrough) => stdin.end("sec")],
    ["a signal", (_: PassThrough, interrupt: AbortController) => interrupt.abort("asked to end")],
  ])("gives up at %s, and no passphrase comes of it", async (_, happen) => {
    const { log, stdin, interrupt, ask } = terminal();
    const answer = ask();
    happen(stdin, interrupt);
    await expect(answer).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(log.slice(-2)).toEqual(["echo on", "\n"]);
  });

  it("doesn't ask at all after a signal", async () => {
    const { log, interrupt, ask } = terminal();
    interrupt.abort();
    await expect(ask()).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(log).not.toContain("Passphrase: ");
  });

  it("refuses a passphrase that is too long, instead of cutting it off", async () => {
    expect(await typed(`${"x".repeat(4096)}\r`)).toHaveLength(4096);
    await expect(typed(`${"x".repeat(4097)}\r`)).rejects.toMatchObject({ code: "CLI_USAGE" });
  });
});
