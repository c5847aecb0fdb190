import { afterAll, describe, expect, it } from "vitest";

import { opfsSqliteStorage } from "../../sdk/storage/opfs-sqlite.js";

/** A worker that runs `opfs-worker.ts`, asked like a function. */
class Owner {
  readonly #worker = new Worker(new URL("./opfs-worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, (answer: unknown[]) => void>();
  #calls = 0;

  static start(): Promise<Owner> {
    const owner = new Owner();
    owners.push(owner);
    return new Promise((resolve, reject) => {
      owner.#worker.addEventListener("error", (event) => reject(new Error(event.message)));
      owner.#worker.addEventListener("message", ({ data }) => {
        if (data === "ready") resolve(owner);
        else owner.#waiting.get((data as [number])[0])!(data as unknown[]);
      });
    });
  }

  /** @throws {Error} the worker's, with its code before its message */
  async ask(command: string, ...parameters: unknown[]): Promise<unknown> {
    const id = ++this.#calls;
    const [, result, code, message] = await new Promise<unknown[]>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#worker.postMessage([id, command, ...parameters], []);
    });
    if (code !== undefined) throw new Error(`${String(code)}: ${String(message)}`);
    return result;
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

const owners: Owner[] = [];
afterAll(() => owners.forEach((owner) => owner.terminate()));

const first = await Owner.start();
for (const name of (await first.ask("names")) as string[]) it(name, () => first.ask("run", name));

describe("an OPFS store", () => {
  const freshName = (): string => `test-${crypto.randomUUID()}`;

  it("keeps what was committed, for the next worker too", async () => {
    const name = freshName();
    await first.ask("open", name, true);
    await first.ask("put", name, "a", "1");
    await first.ask("close", name);
    const second = await Owner.start();
    await second.ask("open", name, false);
    expect(await second.ask("get", name, "a")).toBe("1");
    await second.ask("close", name);
    await second.ask("remove", name);
  });

  it("has one owner at a time: another gets STORAGE_LOCKED, until the first closes it", async () => {
    const name = freshName();
    const second = await Owner.start();
    for (const [owner, other] of [
      [first, second],
      [second, first],
    ] as const) {
      await owner.ask("open", name, true);
      await owner.ask("put", name, "a", "1");
      await other.ask("open", name, true);
      await expect(other.ask("get", name, "a")).rejects.toThrow(/^STORAGE_LOCKED: /);
      await owner.ask("close", name);
      expect(await other.ask("get", name, "a")).toBe("1");
      await other.ask("close", name);
    }
    await first.ask("remove", name);
  });

  it("outlives its owner: what was acknowledged is there after a worker was ended in mid-work", async () => {
    const name = freshName();
    const second = await Owner.start();
    await second.ask("open", name, true);
    for (let i = 0; i < 20; i++) await second.ask("put", name, `k${i}`, String(i));
    void second.ask("put", name, "late", "x");
    second.terminate();
    await first.ask("open", name, false);
    const taken = async (): Promise<unknown> => {
      for (;;) {
        try {
          return await first.ask("get", name, "k19");
        } catch (error) {
          // The browser lets go of an ended worker's lock and files in its own time.
          if (!String(error).includes("STORAGE_LOCKED")) throw error;
        }
      }
    };
    expect(await taken()).toBe("19");
    for (let i = 0; i < 20; i++) expect(await first.ask("get", name, `k${i}`)).toBe(String(i));
    await first.ask("close", name);
    await first.ask("remove", name);
  });

  it("is not made where create is false and there is none", async () => {
    const name = freshName();
    await first.ask("open", name, false);
    await expect(first.ask("get", name, "a")).rejects.toThrow(/^STORE_NOT_FOUND: /);
    await expect(first.ask("remove", name)).rejects.toThrow(/could not be found/);
  });

  it("works in a dedicated worker only, and says so", async () => {
    await expect(opfsSqliteStorage().get(Uint8Array.of(1))).rejects.toMatchObject({
      code: "STORAGE_UNSUPPORTED",
    });
    expect(() => opfsSqliteStorage({ name: "" })).toThrow(TypeError);
  });

  it("carries a manager: keys made and re-wrapped in bulk", async () => {
    const name = freshName();
    expect(await first.ask("manage", name, 3000)).toEqual({ created: 3000, rewrapped: 3000 });
    await first.ask("remove", name);
  });
});
