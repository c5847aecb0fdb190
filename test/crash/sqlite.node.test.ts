import { isBuiltin } from "node:module";
import { inNewerNode } from "../newer-node.js";
import { fewRounds, sqlite } from "./engines.js";

if (isBuiltin("node:sqlite")) fewRounds("SQLite", sqlite);
else await inNewerNode(import.meta.url);
