import { manyHistories } from "./many-histories.js";

manyHistories(0);
