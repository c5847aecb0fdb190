// The program of a worker thread when the library runs from its sources: tsx first, then the program itself.
import { register } from "tsx/esm/api";

register();
await import("./worker-node.ts");
