/**
 * Looks at an LMDB data file before the engine does. The engine maps the file: a foreign one or one cut
 * short would end the process by a signal, not by an error.
 *
 * Written after liblmdb's mdb.c, data version 2 on a little-endian machine: a page begins with number (8
 * bytes), transaction (8), padding (2), flags (2), and the two ends of its free space (2 + 2).
 */
import { KeyloomError } from "../foundation/errors.js";

type FileSystem = typeof import("node:fs");

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const HEADER = 24;
const NO_PAGE = 0xffffffffffffffffn;
const FLAGS = 18;
const LOWER = 20;
const IS_BRANCH = 1;
const IS_LEAF = 2;
const NODE_HAS_OVERFLOW = 1;
const NODE_IS_TREE = 2;
/** Offset of the root page number in a tree's record of 48 bytes. */
const TREE_ROOT = 40;

interface Meta {
  readonly pageSize: number;
  readonly pages: number;
  readonly transaction: bigint;
  readonly roots: readonly bigint[];
}

/**
 * Refuses a data file that the engine can't be trusted with.
 *
 * @returns false where there is no file yet.
 * @throws {KeyloomError} `STORE_UNREADABLE`: no LMDB file, or of another version; `STORE_DAMAGED`: cut short.
 */
export function inspectDataFile(fs: FileSystem, file: string): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  try {
    if (!fs.fstatSync(fd).isFile()) throw unreadable(file, "it is no regular file");
    // A walk is only as good as the state it began with: a writer may pass meanwhile, so look again.
    for (let round = 0; ; round++) {
      const meta = readMeta(fs, fd, file);
      if (isWhole(fs, fd, meta)) return true;
      if (readMeta(fs, fd, file).transaction === meta.transaction || round === 8) {
        const message = `the store's file ${file} is damaged: it is shorter than it says`;
        throw new KeyloomError("STORE_DAMAGED", { message, path: file });
      }
    }
  } finally {
    fs.closeSync(fd);
  }
}

function readMeta(fs: FileSystem, fd: number, file: string): Meta {
  const first = metaAt(fs, fd, 0, file);
  const second = metaAt(fs, fd, first.pageSize, file);
  if (second.pageSize !== first.pageSize) throw unreadable(file, "its two headers disagree");
  return second.transaction > first.transaction ? second : first;
}

function metaAt(fs: FileSystem, fd: number, offset: number, file: string): Meta {
  const bytes = new Uint8Array(HEADER + 136);
  const read = fs.readSync(fd, bytes, 0, bytes.length, offset);
  const view = new DataView(bytes.buffer);
  if (read < bytes.length || view.getUint32(HEADER, true) !== MAGIC)
    throw unreadable(file, "it is no LMDB file");
  if ((view.getUint32(HEADER + 4, true) & 0xffff) !== DATA_VERSION) {
    throw unreadable(file, "it is an LMDB file of another version");
  }
  const trees = HEADER + 24;
  const pageSize = view.getUint32(trees, true);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) {
    throw unreadable(file, "its page size is out of bounds");
  }
  return {
    pageSize,
    roots: [view.getBigUint64(trees + TREE_ROOT, true), view.getBigUint64(trees + 48 + TREE_ROOT, true)],
    pages: Number(view.getBigUint64(trees + 96, true)) + 1,
    transaction: view.getBigUint64(trees + 104, true),
  };
}

/**
 * Whether every page that can be reached lies inside the file. A sound file may be shorter than its page
 * count, where the last pages were taken and given back in one transaction; only then is it walked.
 */
function isWhole(fs: FileSystem, fd: number, meta: Meta): boolean {
  const { pageSize } = meta;
  const pages = Math.floor(fs.fstatSync(fd).size / pageSize);
  if (pages >= meta.pages) return true;
  const page = new Uint8Array(pageSize);
  const view = new DataView(page.buffer);
  const pending = meta.roots.filter((root) => root !== NO_PAGE).map(Number);
  for (let visited = 0; pending.length > 0; visited++) {
    const number = pending.pop() as number;
    if (number >= pages || visited > pages) return false;
    if (fs.readSync(fd, page, 0, pageSize, number * pageSize) < pageSize) return false;
    const flags = view.getUint16(FLAGS, true);
    if ((flags & (IS_BRANCH | IS_LEAF)) === 0) return false;
    const nodes = view.getUint16(LOWER, true) >> 1;
    if (HEADER + nodes * 2 > pageSize) return false;
    for (let i = 0; i < nodes; i++) {
      const node = HEADER + view.getUint16(HEADER + i * 2, true);
      if (node + 8 > pageSize) return false;
      const nodeFlags = view.getUint16(node + 4, true);
      if ((flags & IS_BRANCH) !== 0) {
        pending.push(view.getUint32(node, true) + nodeFlags * 2 ** 32);
        continue;
      }
      const data = node + 8 + view.getUint16(node + 6, true);
      if ((nodeFlags & NODE_IS_TREE) !== 0) {
        if (data + 48 > pageSize) return false;
        const root = view.getBigUint64(data + TREE_ROOT, true);
        if (root !== NO_PAGE) pending.push(Number(root));
      } else if ((nodeFlags & NODE_HAS_OVERFLOW) !== 0) {
        if (data + 24 > pageSize) return false;
        const end = view.getBigUint64(data, true) + view.getBigUint64(data + 16, true);
        if (end > BigInt(pages)) return false;
      }
    }
  }
  return true;
}

function unreadable(file: string, reason: string): KeyloomError {
  return new KeyloomError("STORE_UNREADABLE", {
    message: `cannot read the store's file ${file}: ${reason}`,
    path: file,
  });
}
