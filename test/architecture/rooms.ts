/**
 * The rooms of the source tree and the one direction of imports between them, as a table and a checker.
 *
 * The checker is a function of a tree given as paths and texts, so that the tests can hand it a tree with
 * a planted violation as well as the real one.
 */
import { posix } from "node:path";

import ts from "typescript";

/** Path from the repository's root, with forward slashes → text. */
export type SourceTree = ReadonlyMap<string, string>;

/**
 * From the bottom up. A room may import the rooms of every layer below its own, never a room of its own
 * layer or of one above. A room is a folder, or a single file of `sdk/`.
 */
export const LAYERS = [
  ["sdk/foundation"],
  ["bindings"],
  ["sdk/crypto", "sdk/storage", "sdk/lifecycle", "sdk/policy"],
  ["sdk/keys", "sdk/entities", "sdk/audit", "sdk/governance"],
  ["sdk/commands"],
  [
    "sdk/unlock",
    "sdk/messages",
    "sdk/rotation",
    "sdk/recovery",
    "sdk/authentication",
    "sdk/certificates",
    "sdk/distribution",
    "sdk/notarization",
    "sdk/maintenance",
  ],
  ["sdk/key-manager.ts"],
  ["sdk/index.ts", "sdk/entries"],
  ["sdk/cli", "sdk/testing"],
] as const;

/** What the layers alone don't say: `from` may not import `to`, except the files in `but`. */
export const NARROWER: readonly { from: RegExp; to: RegExp; but: RegExp; why: string }[] = [
  {
    from: /^bindings\//,
    to: /^sdk\//,
    but: /^sdk\/foundation\/(errors|turn)\.ts$/,
    why: "bindings take errors and turns of the event loop from foundation, and nothing else",
  },
  {
    from: /^sdk\/(?!crypto\/|cli\/wrap-comparison)/,
    to: /^bindings\//,
    but: /^$/,
    why: "only sdk/crypto imports bindings; the main job's comparison uses keyloom/core",
  },
  {
    from: /^sdk\/cli\//,
    to: /^sdk\//,
    but: /^sdk\/(cli\/|index\.ts$|entries\/|foundation\/|storage\/)/,
    why: "the command line is a layer over the public API",
  },
  {
    from: /^sdk\/testing\/model/,
    to: /^sdk\/lifecycle\//,
    but: /^$/,
    why: "a model that reads the table it checks is circular",
  },
];

/** Who may import what is not a file of this tree. Nothing else may be imported at all. */
export const PACKAGES: readonly { name: RegExp; by: RegExp }[] = [
  {
    name: /^node:/,
    by: /^(sdk\/cli\/|sdk\/storage\/(lmdb|sqlite|postgres|node)[-\w]*\.ts$|bindings\/wasm-source(\.node)?\.ts$|bindings\/pool\/(host[-.]|worker-)node\.ts$)/,
  },
  {
    name: /^(virtual:keyloom-wasm|\.\/keyloom-(simd|scalar)\.wasm)$/,
    by: /^bindings\/wasm-source\.\w+\.ts$/,
  },
  { name: /^(@assemblyscript\/loader|wasm-feature-detect)$/, by: /^bindings\// },
  { name: /^(cborg|uuidv7)(\/|$)/, by: /^sdk\/foundation\// },
  { name: /^idb$/, by: /^sdk\/storage\/indexeddb[-\w]*\.ts$/ },
  { name: /^lmdb$/, by: /^sdk\/storage\/lmdb[-\w]*\.ts$/ },
  { name: /^tweetnacl$/, by: /^sdk\/messages\/nacl\.ts$/ },
  { name: /^@sqlite\.org\/sqlite-wasm$/, by: /^sdk\/storage\/opfs-sqlite[-\w]*\.ts$/ },
  { name: /^better-sqlite3$/, by: /^sdk\/storage\/sqlite[-\w]*\.ts$/ },
  { name: /^etcd3$/, by: /^sdk\/storage\/etcd[-\w]*\.ts$/ },
  { name: /^pg$/, by: /^sdk\/storage\/postgres[-\w]*\.ts$/ },
  { name: /^cli-progress$/, by: /^sdk\/cli\// },
  { name: /^libsodium-wrappers$/, by: /^sdk\/cli\/wrap-comparison/ },
  { name: /^fast-check$/, by: /^sdk\/testing\// },
];

/** The rooms that may touch an adapter's `commit`: the one that commits, and the adapters' own. */
const COMMITTERS = /^sdk\/(commands|storage)\//;

/** Files behind an entry point of their own, which the entry `.` must not reach. */
const ADAPTERS =
  /^sdk\/(storage\/(memory|(lmdb|sqlite|opfs-sqlite|postgres|etcd|indexeddb)[-\w]*)|messages\/nacl|maintenance\/.*|recovery\/.*)\.ts$/;

/** @returns one sentence per violation, none for a tree in order. */
export function violations(tree: SourceTree): string[] {
  const found = new Set<string>();
  for (const [path, text] of tree) {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    for (const specifier of imports(source)) {
      for (const violation of checkImport(tree, path, specifier)) found.add(violation);
    }
    if (/^(sdk|bindings)\//.test(path) && !COMMITTERS.test(path) && mentionsCommit(source)) {
      found.add(`${path} uses .commit: only sdk/commands commits`);
    }
  }
  for (const path of reachable(tree, "sdk/index.ts")) {
    if (ADAPTERS.test(path)) found.add(`the entry . reaches ${path}, which has an entry point of its own`);
  }
  return [...found];
}

function checkImport(tree: SourceTree, path: string, specifier: string): string[] {
  const to = resolve(tree, path, specifier);
  if (path.startsWith("assembly/")) {
    return to?.startsWith("assembly/") ? [] : [`${path} imports ${specifier}: assembly imports only itself`];
  }
  if (to === null) {
    const known = PACKAGES.some(({ name, by }) => name.test(specifier) && by.test(path));
    if (known) return [];
    const why = specifier.startsWith(".") ? "there is no such file" : "PACKAGES doesn't allow it there";
    return [`${path} imports ${specifier}: ${why}`];
  }
  const from = layerOf(path);
  const target = layerOf(to);
  if (from === null) return [`${path} lies in no room`];
  if (target === null) return [`${path} imports ${to}, which lies in no room`];
  const found: string[] = [];
  if (from.room !== target.room && target.layer >= from.layer) {
    found.push(`${path} imports ${to}: against the direction`);
  }
  for (const rule of NARROWER) {
    if (rule.from.test(path) && rule.to.test(to) && !rule.but.test(to)) {
      found.push(`${path} imports ${to}: ${rule.why}`);
    }
  }
  return found;
}

function layerOf(path: string): { layer: number; room: string } | null {
  for (const [layer, rooms] of LAYERS.entries()) {
    const room = rooms.find((name) => path === name || path.startsWith(`${name}/`));
    if (room !== undefined) return { layer, room };
  }
  return null;
}

/** @returns the file that a relative specifier names, or null for anything else. */
function resolve(tree: SourceTree, path: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const to = posix.join(posix.dirname(path), specifier);
  const candidates = [to, `${to}.ts`, to.replace(/\.js$/, ".ts"), to.replace(/\.js$/, ".d.ts")];
  return candidates.find((candidate) => tree.has(candidate)) ?? null;
}

/** Every file that the entry needs, through static, dynamic and type imports. */
function reachable(tree: SourceTree, entry: string): Set<string> {
  const seen = new Set<string>();
  const queue = tree.has(entry) ? [entry] : [];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const source = ts.createSourceFile(path, tree.get(path) ?? "", ts.ScriptTarget.ES2022, true);
    for (const specifier of imports(source)) {
      const to = resolve(tree, path, specifier);
      if (to !== null) queue.push(to);
    }
  }
  return seen;
}

/** Specifiers of `import … from`, `export … from`, `import(…)` and `typeof import(…)`. */
function imports(source: ts.SourceFile): string[] {
  const found: string[] = [];
  visit(source, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined) found.push(literal(node.moduleSpecifier));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      found.push(literal(node.arguments[0]));
    } else if (ts.isImportTypeNode(node)) {
      found.push(literal(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined));
    }
  });
  return found;
}

/** A specifier that is computed can't be checked: it is reported as what it is, which no table allows. */
function literal(node: ts.Node | undefined): string {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : `(computed: ${node?.getText()})`;
}

function mentionsCommit(source: ts.SourceFile): boolean {
  let found = false;
  visit(source, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === "commit") found = true;
    if (ts.isElementAccessExpression(node) && literal(node.argumentExpression) === "commit") found = true;
    // const { commit } = storage
    if (ts.isBindingElement(node) && (node.propertyName ?? node.name).getText() === "commit") found = true;
  });
  return found;
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}
