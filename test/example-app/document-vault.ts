/**
 * A made-up application: a vault for the documents of tenants. Each tenant has a key of its own, with a quota of documents
 * per version; keys are renewed, held while something is looked into, and given up when the tenant leaves.
 *
 * It is written as an outside project would write it, and can be told to make mistakes that such projects make.
 */
import { isKeyloomError, type KeyManager } from "keyloom";

export const MISTAKES = {
  "keeps-opened": "serves what it has opened once from a cache, also after the tenant has left",
  "forgets-evidence": "does not say when a held document was stored",
  "opens-archived": "takes 'archived' for a hiccup, recovers the key and tries again",
  "joins-twice": "after a lost answer makes another key instead of looking for the first",
  "renews-at-quota": "renews the key when the quota is used up, which begins a new one",
} as const;

export type Mistake = keyof typeof MISTAKES;

/** What the servers of the vault share: a database of sealed documents. */
export type Documents = Map<string, { sealed: Uint8Array; storedAt: number }>;

/** The vault says no, for a reason that the tenant may know. */
export class Refused extends Error {}

export class DocumentVault {
  readonly #keys: KeyManager;
  readonly #documents: Documents;
  readonly #now: () => number;
  readonly #mistake: Mistake | null;
  readonly #opened = new Map<string, string>();

  constructor(keys: KeyManager, documents: Documents, now: () => number, mistake: Mistake | null = null) {
    this.#keys = keys;
    this.#documents = documents;
    this.#now = now;
    this.#mistake = mistake;
  }

  /** @param quota - how many documents each version of the tenant's key protects */
  async join(tenant: string, quota: number): Promise<void> {
    if ((await this.#keys.get(tenant)) !== null) throw new Refused("there is such a tenant");
    for (let attempt = 1; ; attempt++) {
      const name = attempt > 1 && this.#mistake === "joins-twice" ? `${tenant}-${attempt}` : tenant;
      try {
        await this.#keys.create({
          name,
          tags: [tenant],
          algorithm: "XChaCha20-Poly1305",
          limits: { operations: quota },
        });
        return;
      } catch (error) {
        // It was ours: the attempt before has arrived, only its answer was lost.
        if (attempt > 1 && isKeyloomError(error, "KEY_NAME_TAKEN")) return;
        if (!isKeyloomError(error, "STORAGE_OUTCOME_UNKNOWN") || attempt === 3) throw error;
      }
    }
  }

  async put(tenant: string, title: string, text: string): Promise<void> {
    const seal = (): Promise<Uint8Array> =>
      this.#keys.encrypt(tenant, new TextEncoder().encode(text), { aad: aadOf(tenant, title) });
    const sealed = await refusing(async () => {
      try {
        return await seal();
      } catch (error) {
        const quota = isKeyloomError(error, "KEY_NOT_USABLE") && error.details["reason"] === "usage-limit";
        if (!quota || this.#mistake !== "renews-at-quota") throw error;
        await this.#keys.rotate(tenant);
        return seal();
      }
    });
    this.#opened.delete(pathOf(tenant, title));
    this.#documents.set(pathOf(tenant, title), { sealed, storedAt: this.#now() });
  }

  async get(tenant: string, title: string): Promise<string> {
    const path = pathOf(tenant, title);
    const known = this.#mistake === "keeps-opened" ? this.#opened.get(path) : undefined;
    if (known !== undefined) return known;
    const { sealed } = this.#find(path);
    const open = (): Promise<Uint8Array> => this.#keys.decrypt(sealed, { aad: aadOf(tenant, title) });
    const bytes = await refusing(async () => {
      try {
        return await open();
      } catch (error) {
        const archived = isKeyloomError(error, "KEY_NOT_USABLE") && error.details["reason"] === "archived";
        if (!archived || this.#mistake !== "opens-archived") throw error;
        await this.#keys.recover(tenant);
        const opened = await open();
        await this.#keys.archive(tenant);
        return opened;
      }
    });
    const text = new TextDecoder().decode(bytes);
    this.#opened.set(path, text);
    return text;
  }

  async renew(tenant: string): Promise<void> {
    await refusing(() => this.#keys.rotate(tenant));
  }

  /** Nothing is stored or read until `release`; what was stored before can be inspected. */
  async hold(tenant: string): Promise<void> {
    await refusing(() => this.#keys.suspend(tenant));
  }

  async release(tenant: string): Promise<void> {
    await refusing(() => this.#keys.resume(tenant));
  }

  async inspect(tenant: string, title: string): Promise<string> {
    const { sealed, storedAt } = this.#find(pathOf(tenant, title));
    const evidence = { kind: "assertion", time: new Date(storedAt) } as const;
    const { plaintext } = await refusing(() =>
      this.#keys.recoverMessage(sealed, {
        aad: aadOf(tenant, title),
        ...(this.#mistake === "forgets-evidence" ? {} : { evidence }),
      }),
    );
    return new TextDecoder().decode(plaintext);
  }

  /** The tenant's documents are closed, but not gone: whoever has to may recover the key. */
  async leave(tenant: string): Promise<void> {
    await refusing(async () => {
      await this.#keys.archive(tenant);
      await this.#keys.revoke(tenant, { versions: "all", reason: "affiliation-changed" });
    });
  }

  #find(path: string): { sealed: Uint8Array; storedAt: number } {
    const document = this.#documents.get(path);
    if (document === undefined) throw new Refused("there is no such document");
    return document;
  }
}

const REFUSALS = ["KEY_NOT_FOUND", "KEY_NOT_USABLE", "KEY_DESTROYED", "KEY_TRANSITION_NOT_ALLOWED"];

/** What Keyloom denies, the vault refuses; everything else is a fault. */
async function refusing<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (isKeyloomError(cause) && REFUSALS.includes(cause.code)) throw new Refused(cause.message, { cause });
    throw cause;
  }
}

function pathOf(tenant: string, title: string): string {
  return `${tenant}/${title}`;
}

function aadOf(tenant: string, title: string): Uint8Array {
  return new TextEncoder().encode(pathOf(tenant, title));
}
