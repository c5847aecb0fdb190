/** A walk over the log and all chains that does not end at the first fault: it says what is wrong and goes on behind it. */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import { compareBytes, type Entry, type StorageReads } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges, sequenceOfIntake } from "../storage/keyspace.js";
import { FIRST_LINK } from "./event.js";
import { believed, fault, followLink, unbelievable, type Chain, type Surveyed } from "./faults.js";
import { decodeHead, decodeWriters, type Head } from "./intake.js";
import { surveyLog } from "./survey-log.js";
import type { TreeHashes } from "./tree.js";

type Headed = Chain & { head: Head | null };

/** Every authentic entry, those of the log first and then chain by chain, and every fault. */
export async function* surveyAudit(
  reads: StorageReads,
  records: Records,
  tree: TreeHashes,
): AsyncGenerator<Surveyed, void> {
  const logged = new Map<string, Chain>();
  yield* surveyLog({ reads, records, tree, chains: logged });
  const beginning = (writer: Id): Chain =>
    logged.get(String(writer)) ?? { writer, sequence: 0, link: FIRST_LINK };
  const heads = reads.list(ranges.auditHeads())[Symbol.asyncIterator]();
  let nextHead = await heads.next();
  let count = 0;
  let chain: Headed | null = null;

  /** The heads up to a writer's; those before it have no entry at all. */
  async function* begin(writer: Id | null): AsyncGenerator<Surveyed, Headed | null> {
    while (nextHead.done !== true) {
      const own = idOfKey(nextHead.value.key);
      const order = writer === null ? -1 : compareBytes(own, writer);
      if (order > 0) break;
      const head = believed(records, nextHead.value, decodeHead);
      count++;
      nextHead = await heads.next();
      if (order === 0) return { ...beginning(own), head };
      yield* end({ ...beginning(own), head });
    }
    if (writer === null) return null;
    count++;
    yield fault("writers", "a chain has no head", writer);
    return { ...beginning(writer), head: null };
  }

  for await (const entry of reads.list(ranges.auditIntake())) {
    const writer = idOfKey(entry.key);
    if (chain === null || !equalBytes(chain.writer, writer)) {
      if (chain !== null) yield* end(chain);
      chain = yield* begin(writer);
    }
    yield* follow(chain!, entry, records, tree);
  }
  if (chain !== null) yield* end(chain);
  yield* begin(null);
  yield* checkWriters(reads, records, count);
}

function* follow(chain: Chain, entry: Entry, records: Records, tree: TreeHashes): Generator<Surveyed> {
  const { writer } = chain;
  const sequence = sequenceOfIntake(entry.key);
  const missing = chain.sequence + 1;
  if (sequence !== missing) {
    yield fault("chain", `entries ${missing} to ${sequence - 1} are missing`, writer, missing);
    chain.link = null;
  }
  chain.sequence = sequence;
  let bytes: Uint8Array;
  try {
    bytes = records.open([entry])[0]!.body;
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    yield unbelievable(error, writer, sequence);
    chain.link = null;
    return;
  }
  const decoded = yield* followLink(chain, sequence, bytes, tree.merkleLeafHash(bytes));
  if (!decoded) chain.link = null;
}

function* end({ writer, head, sequence, link }: Headed): Generator<Surveyed> {
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
