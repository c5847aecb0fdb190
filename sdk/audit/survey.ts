/** A walk over all chains that does not end at the first fault: it says what is wrong and goes on behind it. */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import { compareBytes, type Entry, type StorageReads } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges, sequenceOfIntake } from "../storage/keyspace.js";
import { decodeIntake, FIRST_LINK, leafInput } from "./event.js";
import { decodeHead, decodeWriters, type Head, type IntakeEntry, type Sha256 } from "./intake.js";

/** Where a chain is wrong. */
export interface ChainFault {
  /** `chain`: a link is missing, changed or in another place; `writers`: a chain as a whole is missing, or too much. */
  kind: "chain" | "writers";
  writer?: Id;
  sequence?: number;
  detail: string;
}

export type Surveyed = { fault: ChainFault } | { fault?: undefined; entry: IntakeEntry };

interface Chain {
  writer: Id;
  head: Head | null;
  sequence: number;
  /** `null`: the entry before can't be believed, so nothing can be said about what follows on it. */
  link: Uint8Array | null;
}

/** Every authentic entry, chain by chain, and every fault. */
export async function* surveyIntake(
  reads: StorageReads,
  records: Records,
  sha256: Sha256,
): AsyncGenerator<Surveyed, void> {
  const heads = reads.list(ranges.auditHeads())[Symbol.asyncIterator]();
  let nextHead = await heads.next();
  let count = 0;
  let chain: Chain | null = null;

  /** The heads up to a writer's; those before it have no entry at all. */
  async function* begin(writer: Id | null): AsyncGenerator<Surveyed, Chain | null> {
    while (nextHead.done !== true) {
      const own = idOfKey(nextHead.value.key);
      const order = writer === null ? -1 : compareBytes(own, writer);
      if (order > 0) break;
      const head = openHead(records, nextHead.value);
      count++;
      nextHead = await heads.next();
      if (order === 0) return { writer: own, head, sequence: 0, link: FIRST_LINK };
      yield* end({ writer: own, head, sequence: 0, link: FIRST_LINK });
    }
    if (writer === null) return null;
    count++;
    yield fault("writers", "a chain has no head", writer);
    return { writer, head: null, sequence: 0, link: FIRST_LINK };
  }

  for await (const entry of reads.list(ranges.auditIntake())) {
    const writer = idOfKey(entry.key);
    if (chain === null || !equalBytes(chain.writer, writer)) {
      if (chain !== null) yield* end(chain);
      chain = yield* begin(writer);
    }
    yield* follow(chain!, entry, records, sha256);
  }
  if (chain !== null) yield* end(chain);
  yield* begin(null);
  yield* checkWriters(reads, records, count);
}

function fault(kind: ChainFault["kind"], detail: string, writer?: Id, sequence?: number): Surveyed {
  return {
    fault: {
      kind,
      detail,
      ...(writer === undefined ? {} : { writer }),
      ...(sequence === undefined ? {} : { sequence }),
    },
  };
}

/** `null`: it can't be believed. That it is damaged is told where records are looked at one by one. */
function openHead(records: Records, entry: Entry): Head | null {
  try {
    return decodeHead(records.open([entry])[0]!.body);
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    return null;
  }
}

function* follow(chain: Chain, entry: Entry, records: Records, sha256: Sha256): Generator<Surveyed> {
  const { writer } = chain;
  const sequence = sequenceOfIntake(entry.key);
  const missing = chain.sequence + 1;
  if (sequence !== missing) {
    yield fault("chain", `entries ${missing} to ${sequence - 1} are missing`, writer, missing);
    chain.link = null;
  }
  chain.sequence = sequence;
  try {
    const bytes = records.open([entry])[0]!.body;
    const body = decodeIntake(bytes);
    if (chain.link !== null && !equalBytes(body.previous, chain.link)) {
      yield fault("chain", "an entry does not follow on the one before it", writer, sequence);
    }
    chain.link = sha256(leafInput(bytes));
    yield { entry: { writer, sequence, body } };
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    yield fault("chain", `an entry can't be believed: ${error.message}`, writer, sequence);
    chain.link = null;
  }
}

function* end({ writer, head, sequence, link }: Chain): Generator<Surveyed> {
  if (head === null) return;
  if (head.sequence > sequence) {
    yield fault(
      "chain",
      `the chain ends at ${sequence}, its head is at ${head.sequence}`,
      writer,
      sequence + 1,
    );
  } else if (head.sequence < sequence) {
    yield fault(
      "chain",
      `entries stand behind the chain's head at ${head.sequence}`,
      writer,
      head.sequence + 1,
    );
  } else if (link !== null && !equalBytes(link, head.link)) {
    yield fault("chain", "the head has another link than the last entry", writer, sequence);
  }
}

async function* checkWriters(
  reads: StorageReads,
  records: Records,
  found: number,
): AsyncGenerator<Surveyed, void> {
  const entry = await reads.get(keyspace.auditWriters());
  if (entry === null) return void (yield fault("writers", "the list of writers is missing"));
  try {
    const { count } = decodeWriters(records.open([entry])[0]!.body);
    if (count !== found) {
      yield fault("writers", `${count} writers are on record, the chains of ${found} are there`);
    }
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    yield fault("writers", "the list of writers can't be believed");
  }
}
