import { isBuiltin } from "node:module";
import { inNewerNode } from "../newer-node.js";
import { manyRounds, sqlite } from "./engines.js";

if (isBuiltin("node:sqlite")) manyRounds("SQLite", sqlite);
else await inNewerNode(import.meta.url);
