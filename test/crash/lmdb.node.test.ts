import { fewRounds, lmdb } from "./engines.js";

fewRounds("LMDB", lmdb);
