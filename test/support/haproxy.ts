/** A real haproxy for the tests: a balancer of TCP connections, which looks at nothing in them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { exitOf, killGroup, startGroup, type Scope } from "./children.js";
import { freePort } from "./free-port.js";
import { waitFor } from "./wait.js";

const MISSING = "haproxy is missing: on Debian, apt-get install --no-install-recommends haproxy";

export interface Haproxy {
  readonly port: number;
  readonly url: string;
  /** What it has written: warnings, and errors of its start. */
  output(): string;
  readonly stop: () => Promise<void>;
}

/** Starts haproxy in mode tcp, one connection after another to each of these ports in turn, and waits until it listens. */
export async function startHaproxy(scope: Scope, ports: readonly number[]): Promise<Haproxy> {
  const attempts = 3;
  for (let attempt = 1; ; attempt++) {
    const haproxy = await launch(scope, ports);
    scope.after(haproxy.stop);
    try {
      await waitFor(async () => haproxy.ended() || (await takes(haproxy.port)), {
        message: () => `haproxy:\n${haproxy.output()}`,
      });
      if (!haproxy.ended()) return haproxy;
      throw new Error(`haproxy did not start:\n${haproxy.output()}`);
    } catch (error) {
      // Somebody else took the port in the meantime.
      if (attempt === attempts || !haproxy.output().includes("cannot bind")) throw error;
    }
  }
}

async function launch(scope: Scope, ports: readonly number[]): Promise<Haproxy & { ended(): boolean }> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-haproxy-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = path.join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    [
      "global",
      "  nbthread 1",
      "  maxconn 2000",
      "defaults",
      "  mode tcp",
      "  timeout connect 5s",
      "  timeout client 120s",
      "  timeout server 120s",
      "frontend clients",
      `  bind 127.0.0.1:${port}`,
      "  default_backend nodes",
      "backend nodes",
      "  balance roundrobin",
      ...ports.map((node, i) => `  server node${i} 127.0.0.1:${node}`),
      "",
    ].join("\n"),
  );
  let child;
  try {
    child = startGroup("haproxy", ["-db", "-f", file], { stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(MISSING, { cause: error });
  }
  const { pid } = child;
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    output: () => output,
    stop: async () => {
      killGroup(pid);
      await exitOf(child, 10_000, "haproxy");
    },
  };
}

/** A connection that is taken and closed at once; it does not count as a client's for a node. */
function takes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
