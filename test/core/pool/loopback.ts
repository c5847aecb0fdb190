/** Workers without threads: the worker's own program behind ports that a test can watch, hold up and cut. */
import type { FromWorker, PoolWorker, Spawn, ToWorker } from "../../../bindings/pool/protocol.js";
import { serve } from "../../../bindings/pool/serve.js";

export class Loopback {
  /** Everything that was posted to workers. */
  readonly posted: ToWorker[] = [];
  /** Everything that they answered. */
  readonly answered: FromWorker[] = [];
  /** How many workers were started. */
  started = 0;
  /** Called before a piece reaches its worker; `true`: the worker dies instead. */
  dies: (message: Extract<ToWorker, { kind: "piece" }>, worker: number) => boolean = () => false;
  /** Workers die when they are asked for a derivation. */
  losesDerivations = false;
  /** Derivations wait for it. */
  derivationGate: Promise<void> = Promise.resolve();
  /** Workers that are neither dead nor terminated, and the most there ever were. */
  alive = 0;
  mostAlive = 0;
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  /** No further worker comes up. */
  exhausted = false;
  /** Pieces that workers hold and have not answered, and the most there ever were. */
  held = 0;
  mostHeld = 0;

  readonly spawn: Spawn = async () => {
    if (this.exhausted) throw new Error("no worker to be had");
    const number = this.started++;
    let toWorker: (message: ToWorker) => void = () => undefined;
    let fromWorker: (message: FromWorker) => void = () => undefined;
    let fail: (cause: unknown) => void = () => undefined;
    let alive = true;
    this.mostAlive = Math.max(this.mostAlive, ++this.alive);
    const end = (): void => {
      if (alive) this.alive--;
      alive = false;
    };
    const die = (): void => {
      end();
      queueMicrotask(() => fail(new Error("killed")));
    };
    serve({
      post: (message, transfer) => {
        const copy = structuredClone(message, { transfer });
        void this.gate.then(() => {
          if (!alive) return;
          if (copy.kind === "done") this.held--;
          this.answered.push(copy);
          fromWorker(copy);
        });
      },
      onMessage: (listener) => (toWorker = listener),
    });
    const worker: PoolWorker = {
      post: (message, transfer) => {
        if (!alive) return;
        const copy = structuredClone(message, { transfer });
        this.posted.push(copy);
        if (copy.kind === "piece") {
          this.mostHeld = Math.max(this.mostHeld, ++this.held);
          if (this.dies(copy, number)) {
            this.held = 0;
            return die();
          }
        }
        if (copy.kind === "derive" && this.losesDerivations) return die();
        const ready = copy.kind === "derive" ? this.derivationGate : Promise.resolve();
        void ready.then(() => toWorker(copy));
      },
      onMessage: (listener) => (fromWorker = listener),
      onFailure: (listener) => (fail = listener),
      hold: () => undefined,
      terminate: end,
    };
    return worker;
  };
}
