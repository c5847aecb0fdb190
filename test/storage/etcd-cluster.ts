/** Three etcd members on loopback, each in a process of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface EtcdCluster {
  readonly hosts: string[];
  /** SIGKILL. */
  kill(member: number): Promise<void>;
  restart(member: number): void;
  stop(): Promise<void>;
}

/** @returns null where there is no `etcd` on this machine. */
export async function startEtcd(members = 3): Promise<EtcdCluster | null> {
  if (spawnSync("etcd", ["--version"]).status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), "keyloom-etcd-"));
  const ports = await Promise.all(Array.from({ length: members * 2 }, freePort));
  const client = (i: number): string => `127.0.0.1:${ports[i]}`;
  const peer = (i: number): string => `http://127.0.0.1:${ports[members + i]}`;
  const every = Array.from({ length: members }, (_, i) => `m${i}=${peer(i)}`).join(",");
  const processes: ChildProcess[] = [];
  const start = (i: number): void => {
    const [listen, advertise] = [`http://${client(i)}`, peer(i)];
    const flags = {
      name: `m${i}`,
      "data-dir": join(folder, `m${i}`),
      "listen-client-urls": listen,
      "advertise-client-urls": listen,
      "listen-peer-urls": advertise,
      "initial-advertise-peer-urls": advertise,
      "initial-cluster": every,
      "heartbeat-interval": "50",
      "election-timeout": "500",
      logger: "zap",
      "log-level": "error",
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    processes[i] = spawn("etcd", args, { stdio: "ignore" });
  };
  const kill = async (i: number): Promise<void> => {
    const member = processes[i] as ChildProcess;
    if (member.exitCode !== null || member.signalCode !== null) return;
    const ended = new Promise((resolve) => member.once("exit", resolve));
    member.kill("SIGKILL");
    await ended;
  };
  for (let i = 0; i < members; i++) start(i);
  return {
    hosts: Array.from({ length: members }, (_, i) => client(i)),
    kill,
    restart: start,
    async stop() {
      for (let i = 0; i < members; i++) await kill(i);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
