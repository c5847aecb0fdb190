import { lmdb, manyRounds } from "./engines.js";

manyRounds("LMDB", lmdb);
