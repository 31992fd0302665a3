/** The servers that are measured beside each other: limpet, Socket.IO's documented recipe, one stock server, and bare ws. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { exitOf, killGroup, startGroup } from "../../test/support/children.js";
import { root, startNode } from "../../test/support/node.js";
import { slotPortCount } from "../../src/routing/slot-ports.js";
import { freePorts } from "../../test/support/free-port.js";
import type { TestRedis } from "../../test/support/redis.js";
import { within } from "../../test/support/wait.js";

export interface Server {
  readonly port: number;
  /** Where its workers accept by themselves; the port else. */
  readonly sessionPorts: readonly number[];
  /** Of the process from which all others of the server come. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Of a side that has workers. */
  readonly workers: number;
  /** Of a side that can use it. */
  readonly redis?: TestRedis;
}

export interface Side {
  readonly name: string;
  start(options: ServerOptions): Promise<Server>;
  /** Of an nginx on that port of loopback in front of the server, without what stands around its `http` block. */
  nginxConfig(listen: number, server: Server, workers: number): string;
}

const CLI = path.join(root, "dist/cli/main.js");
const APP = path.join(import.meta.dirname, "app.mjs");
const RECIPE = path.join(root, "test/support/recipe.mjs");
/** Everybody at once: what a session costs is measured, not when it is let in. */
const LET_IN = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "100000", LIMPET_ACCESS_MAX_LAG_MS: "600000" };
const START_MS = 60_000;
const STOP_MS = 10_000;

export const limpet: Side = limpetWith("limpet");

/** With recovery, and all of a worker's clients closed at once where it goes. */
export const limpetThatDrains: Side = limpetAs(
  "limpet",
  {
    LIMPET_DRAIN_PER_SECOND: "1000000",
    LIMPET_DRAIN_DEADLINE_MS: "120000",
    LIMPET_SUPERVISOR_STOP_TIMEOUT_MS: "130000",
  },
  "--recovery",
);

/** @param args more flags of `limpet start` */
export function limpetWith(name: string, ...args: readonly string[]): Side {
  return limpetAs(name, {}, ...args);
}

function limpetAs(name: string, env: Readonly<Record<string, string>>, ...args: readonly string[]): Side {
  return {
    name,
    start: async ({ workers, redis }) => {
      const flags = [...args, ...(redis === undefined ? [] : ["--redis", redis.url])];
      const node = await startNode({
        app: APP,
        workers,
        args: flags,
        env: { ...LET_IN, ...env },
        readyTimeoutMs: START_MS,
      });
      // Ended, not drained: its clients are not part of it any more.
      return { port: node.port, sessionPorts: [node.port], pid: node.pid, stop: () => node.kill() };
    },
    nginxConfig: limpetNginx,
  };
}

/** What `limpet nginx` prints. */
function limpetNginx(listen: number, { port }: Server, workers: number, more: readonly string[] = []): string {
  const flags = ["--node", `0=127.0.0.1:${port}`, "--workers", String(workers), "--listen", `127.0.0.1:${listen}`];
  return execFileSync(process.execPath, [CLI, "nginx", ...flags, ...more], { encoding: "utf8" });
}

/** Each worker with a port of its own. nginx is told of them, and clients that are counted one by one take turns on them. */
export function limpetWithPorts(name: string): Side {
  return {
    name,
    start: async (options) => {
      const first = await freePorts(slotPortCount(options.workers));
      const server = await limpetWith(name, "--slot-ports", String(first)).start(options);
      return { ...server, sessionPorts: Array.from({ length: options.workers }, (_, slot) => first + slot) };
    },
    nginxConfig: (listen, server, workers) => {
      const flags = ["--slot-ports", String(server.sessionPorts[0])];
      return limpetNginx(listen, server, workers, flags);
    },
  };
}

/** Its hand-over race repaired: with it clients hang, and nothing can be measured. */
export const recipe: Side = {
  name: "recipe",
  start: ({ workers, redis }) =>
    startProgram(RECIPE, APP, String(workers), ...(redis === undefined ? [] : [String(redis.port)])),
  nginxConfig: keepAliveConfig,
};

export const single: Side = {
  name: "one stock server",
  start: () => startProgram(path.join(import.meta.dirname, "single.mjs"), APP),
  nginxConfig: keepAliveConfig,
};

export const bareWs: Side = {
  name: "bare ws",
  start: () => startProgram(path.join(import.meta.dirname, "bare-ws.mjs")),
  nginxConfig: keepAliveConfig,
};

/** As nginx's own documentation has it for WebSocket and for connections that are kept. */
function keepAliveConfig(listen: number, { port }: Server): string {
  return `
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream servers { server 127.0.0.1:${port}; keepalive 128; }
  server {
    listen 127.0.0.1:${listen};
    location / {
      proxy_pass http://servers;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
    }
  }`;
}

/** Its first line is the port it listens on. */
async function startProgram(program: string, ...args: readonly string[]): Promise<Server> {
  const child = startGroup(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"], cwd: root });
  const stop = async (): Promise<void> => {
    killGroup(child.pid);
    await exitOf(child, STOP_MS, program);
  };
  if (child.stdout === null) throw new Error(`${program} has no output`);
  const lines = createInterface({ input: child.stdout });
  try {
    const [line] = (await within(once(lines, "line"), START_MS, `the port of ${program}`)) as [string];
    return { port: Number(line), sessionPorts: [Number(line)], pid: child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
