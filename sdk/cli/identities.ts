/** Files with identities of age: one a line; empty lines and those that begin with # are comments. */
import { usage } from "./io.js";
import { readSecret } from "./secret.js";

const LINE_FEED = 0x0a;
const HASH = 0x23;
const SPACE = 0x20;

/** @param use - gets the lines' bytes, which are wiped when it has ended */
export async function withIdentities<T>(
  paths: readonly string[],
  use: (identities: readonly Uint8Array[]) => Promise<T>,
): Promise<T> {
  const contents: Uint8Array[] = [];
  try {
    const identities: Uint8Array[] = [];
    for (const path of paths) {
      const content = await readSecret(path);
      contents.push(content);
      const found = linesOf(content);
      if (found.length === 0) throw usage(`there is no identity in ${path}`);
      identities.push(...found);
    }
    return await use(identities);
  } finally {
    for (const content of contents) content.fill(0);
  }
}

/** Views of the lines, without white space around them. */
function linesOf(content: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < content.length;) {
    const found = content.indexOf(LINE_FEED, at);
    let end = found < 0 ? content.length : found;
    const next = end + 1;
    while (at < end && content[at]! <= SPACE) at++;
    while (at < end && content[end - 1]! <= SPACE) end--;
    if (at < end && content[at] !== HASH) lines.push(content.subarray(at, end));
    at = next;
  }
  return lines;
}
