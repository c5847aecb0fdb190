/**
 * The memory store's one index: sorted arrays of at most 512 items. Neighbours are found without a search,
 * which makes it faster than a hash map for keys in rising order (ids rise with time, scans rise by
 * nature) and about as fast for scattered ones; and no commit ever stands still for a rehash.
 */

/** What the items of one commit share. */
export interface Origin {
  /** Number of the commit. */
  readonly sequence: number;
  readonly version: string;
  /** All bytes that the commit put: a buffer per value would cost more than everything else. */
  readonly slab: Uint8Array;
}

/** One version of one key. In a store without open snapshots a newer put reuses the item. */
export interface Item {
  origin: Origin;
  /** Of the key in the origin's slab; the value follows it. */
  offset: number;
  readonly keyLength: number;
  valueLength: number;
  /** Number of the commit that replaced or deleted it; 0 while it lives. */
  died: number;
}

/** Names are keys as strings of one character per byte: their order is bytewise. */
export interface NameRange {
  readonly start: string;
  readonly end: string | null;
  readonly reverse: boolean;
}

/** Items by name, then by birth: of several with one name only the last may be alive. */
interface Chunk {
  readonly names: string[];
  readonly items: Item[];
  dead: number;
}

const CHUNK = 512;

/** Where the last visits for each first byte of a name ended. Each kind of visitor keeps its own. */
export class Fingers {
  /** @internal */
  readonly chunk = new Int32Array(256);
  /** @internal */
  readonly position = new Int32Array(256);
}

export class OrderedItems {
  #chunks: Chunk[] = [];
  /** The first name of each chunk, for the search among chunks. */
  #firsts: string[] = [];
  // What #seek found: the last item whose name stands at or before the one sought; -1 in the first chunk: none.
  #at = 0;
  #position = -1;

  /** The living item of this name. */
  find(name: string, fingers: Fingers): Item | undefined {
    if (!this.#seek(name, fingers)) return undefined;
    const item = (this.#chunks[this.#at] as Chunk).items[this.#position] as Item;
    return item.died === 0 ? item : undefined;
  }

  /** The item of this name that was alive at `sequence`. */
  findAt(name: string, sequence: number): Item | undefined {
    const range = { start: name, end: `${name}\0`, reverse: false };
    return this.collect(range, 1, sequence).items[0];
  }

  /** Puts an item after all others of its name. `find` must have looked for that name just before. */
  insert(name: string, item: Item, fingers: Fingers): void {
    if (this.#chunks.length === 0) {
      this.#add(0, { names: [name], items: [item], dead: 0 });
      return;
    }
    let at = this.#at;
    let position = this.#position + 1;
    let chunk = this.#chunks[at] as Chunk;
    if (chunk.names.length === CHUNK) {
      if (position === CHUNK) {
        // Rising names leave full chunks behind.
        chunk = { names: [], items: [], dead: 0 };
        this.#add(++at, chunk, name);
        position = 0;
      } else {
        const items = chunk.items.splice(CHUNK >> 1);
        const half = { names: chunk.names.splice(CHUNK >> 1), items, dead: countDead(items) };
        chunk.dead -= half.dead;
        this.#add(at + 1, half);
        if (position > CHUNK >> 1) {
          chunk = half;
          position -= CHUNK >> 1;
          at++;
        }
      }
    }
    if (position === chunk.names.length) {
      chunk.names.push(name);
      chunk.items.push(item);
    } else {
      chunk.names.splice(position, 0, name);
      chunk.items.splice(position, 0, item);
    }
    if (position === 0) this.#firsts[at] = name;
    const finger = name.charCodeAt(0);
    fingers.chunk[finger] = at;
    fingers.position[finger] = position;
  }

  /**
   * Notes the death of the item that `find` has just found. It keeps its place until half of its chunk is
   * dead: deleting moves nothing, and deleting a range drops whole chunks.
   *
   * @param kept - a snapshot may want the dead.
   */
  bury(item: Item, sequence: number, kept: boolean): void {
    const chunk = this.#chunks[this.#at] as Chunk;
    item.died = sequence;
    chunk.dead++;
    if (!kept && chunk.dead * 2 >= chunk.items.length) this.#compact(this.#at);
  }

  /** Drops all the dead: for when the last snapshot was closed. */
  sweep(): void {
    for (let at = this.#chunks.length - 1; at >= 0; at--) {
      if ((this.#chunks[at] as Chunk).dead > 0) this.#compact(at);
    }
  }

  /**
   * At most `count` items from `start` on and before `end` that were alive at `sequence`.
   *
   */
  collect(range: NameRange, count: number, sequence: number): { items: Item[]; last: string } {
    const found: Item[] = [];
    let last = "";
    const { start, end, reverse } = range;
    const step = reverse ? -1 : 1;
    let at = this.#chunks.length - 1;
    if (!reverse) at = Math.max(0, below(this.#firsts, start));
    else if (end !== null) at = below(this.#firsts, end);
    while (at >= 0 && at < this.#chunks.length) {
      const { names, items } = this.#chunks[at] as Chunk;
      const from = below(names, start) + 1;
      const to = end === null ? names.length : below(names, end) + 1;
      for (let i = reverse ? to - 1 : from; i >= from && i < to && found.length < count; i += step) {
        const item = items[i] as Item;
        if (!aliveAt(item, sequence)) continue;
        found.push(item);
        last = names[i] as string;
      }
      if (found.length >= count || (reverse ? from > 0 : to < names.length)) break;
      at += step;
    }
    return { items: found, last };
  }

  /** How many items of a range were alive at `sequence`; `null` counts the living. */
  count({ start, end }: NameRange, sequence: number | null): number {
    let count = 0;
    for (let at = Math.max(0, below(this.#firsts, start)); at < this.#chunks.length; at++) {
      const { names, items, dead } = this.#chunks[at] as Chunk;
      const from = below(names, start) + 1;
      const to = end === null ? names.length : below(names, end) + 1;
      if (sequence === null && dead === 0) count += Math.max(0, to - from);
      else for (let i = from; i < to; i++) if (aliveAt(items[i] as Item, sequence ?? Infinity)) count++;
      if (to < names.length) break;
    }
    return count;
  }

  /** Finds the place of a name, from the fingers' last place if that is near; true: an item has the name. */
  #seek(name: string, fingers: Fingers): boolean {
    const chunks = this.#chunks;
    if (chunks.length === 0) return false;
    const finger = name.charCodeAt(0);
    let at = fingers.chunk[finger] as number;
    let position = fingers.position[finger] as number;
    const names = chunks[at]?.names;
    if (names !== undefined && position < names.length && (names[position] as string) <= name) {
      // Most often it is here, or the next one.
      for (let steps = 0; steps < 3; steps++) {
        const next = this.#after(at, position);
        if (next === undefined || next > name) return this.#found(at, position, name, fingers);
        if (++position === (chunks[at] as Chunk).names.length) {
          at++;
          position = 0;
        }
      }
    }
    if (!this.#covers(at, name)) at = Math.max(0, upTo(this.#firsts, name));
    return this.#found(at, upTo((chunks[at] as Chunk).names, name), name, fingers);
  }

  #found(at: number, position: number, name: string, fingers: Fingers): boolean {
    const finger = name.charCodeAt(0);
    this.#at = fingers.chunk[finger] = at;
    this.#position = position;
    fingers.position[finger] = Math.max(0, position);
    return (this.#chunks[at] as Chunk).names[position] === name;
  }

  #after(at: number, position: number): string | undefined {
    const { names } = this.#chunks[at] as Chunk;
    return position + 1 < names.length ? names[position + 1] : this.#firsts[at + 1];
  }

  /** Whether a name belongs into the chunk. */
  #covers(at: number, name: string): boolean {
    const first = this.#firsts[at];
    if (first === undefined || first > name) return false;
    const next = this.#firsts[at + 1];
    return next === undefined || next > name;
  }

  #add(at: number, chunk: Chunk, first = chunk.names[0] as string): void {
    this.#chunks.splice(at, 0, chunk);
    this.#firsts.splice(at, 0, first);
  }

  /** Drops a chunk's dead, and the chunk if nothing is left. */
  #compact(at: number): void {
    const chunk = this.#chunks[at] as Chunk;
    const { names, items } = chunk;
    let kept = 0;
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as Item;
      if (item.died !== 0) continue;
      names[kept] = names[i] as string;
      items[kept++] = item;
    }
    names.length = kept;
    items.length = kept;
    chunk.dead = 0;
    if (kept > 0) {
      this.#firsts[at] = names[0] as string;
    } else {
      this.#chunks.splice(at, 1);
      this.#firsts.splice(at, 1);
    }
  }
}

function countDead(items: readonly Item[]): number {
  let dead = 0;
  for (const { died } of items) if (died !== 0) dead++;
  return dead;
}

/** Whether a view of this sequence shows the item. */
export function aliveAt(item: Item, sequence: number): boolean {
  return item.origin.sequence <= sequence && (item.died === 0 || item.died > sequence);
}

/** Index of the last name before `name`; -1: none. */
function below(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Index of the last name before or at `name`; -1: none. */
function upTo(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) <= name) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
