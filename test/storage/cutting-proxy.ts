/** A TCP proxy that cuts connections where a test says so. */
import { connect, createServer, type Socket } from "node:net";

/** `before`: what the client sends never arrives. `after`: it arrives, and the answer doesn't. */
export type Cut = "before" | "after";

export interface CuttingProxy {
  readonly port: number;
  /** Connections that were cut. */
  cuts: number;
  close(): Promise<void>;
}

/** @param decide - called with what the client sends, a piece at a time, one character per byte. */
export async function cuttingProxy(
  target: number,
  decide: (sent: string) => Cut | null | undefined,
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    let muted = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    const cut = (): void => {
      proxy.cuts++;
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (chunk) => {
      const decision = muted ? null : decide(chunk.toString("latin1"));
      if (decision === "before") return cut();
      muted = decision === "after";
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (muted) cut();
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: CuttingProxy = {
    port: (server.address() as { port: number }).port,
    cuts: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
