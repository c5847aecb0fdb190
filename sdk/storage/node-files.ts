/** What adapters over files have in common. */
import type { ErrorCode } from "../foundation/errors.js";

export type FileSystem = typeof import("node:fs");

/** What an error of node:fs means here, by its name. */
export const FILE_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["STORAGE_FULL", "no space is left on the device"],
  EFBIG: ["STORAGE_FULL", "the store's file may not grow further"],
  EDQUOT: ["STORAGE_FULL", "the disk quota is used up"],
  EACCES: ["STORAGE_READ_ONLY", "no permission to read and write the store"],
  EPERM: ["STORAGE_READ_ONLY", "no permission to write the store"],
  EROFS: ["STORAGE_READ_ONLY", "the file system is read-only"],
  EBUSY: ["STORAGE_LOCKED", "the store's files are locked"],
  EAGAIN: ["STORAGE_LOCKED", "the store's files are locked"],
  ENOTDIR: ["STORE_UNREADABLE", "the store's path is no folder"],
  EISDIR: ["STORE_UNREADABLE", "a folder stands where the store's file belongs"],
};

/** A new file is only as durable as the folder entry that names it. */
export function syncFolder(fs: FileSystem, folder: string): void {
  try {
    const fd = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // Windows knows no such thing, and keeps its folders in a journal.
  }
}
