/** One client that is sent 100 MB and does not read them, at a worker that others use as well. */
import { once } from "node:events";
import type { Socket as TcpSocket } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { io, type Socket } from "socket.io-client";
import { rssMiB } from "../front/kernel.js";
import { killGroup, startGroup } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import { root, startNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";

export const FLOOD_MESSAGES = 1_000;
const WARM_UP_MESSAGES = 200;
const NEIGHBOURS = 10;
const BASELINE_MS = 2_000;
/** How long the worker is watched from the beginning of the flood on. */
const WATCHED_MS = 6_000;
const PONG_MS = 300;
const APP = "test/bounds/flood-app.mjs";

export type Side = "limpet, one write a turn" | "limpet, Engine.IO's writes" | "recipe";

/** A client that is sent the flood, having asked for it. */
export interface Victim {
  readonly id: string;
}

export interface Outcome {
  readonly grownMiB: number;
  /** Why the client was closed, and when; undefined where it still was connected. */
  readonly closed: { readonly reason: string; readonly afterMs: number } | undefined;
  readonly baseline: Latency;
  readonly during: Latency;
  readonly lostNeighbours: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** @returns the port of a side with one worker */
async function start(t: TestContext, side: Side): Promise<number> {
  // Small young generations: what is measured is what is kept, not what waits to be collected.
  const env = { NODE_OPTIONS: "--max-semi-space-size=1" };
  if (side !== "recipe") {
    const writePath = side === "limpet, one write a turn" ? "turn" : "stock";
    return (await startNode({ app: APP, workers: 1, env: { ...env, LIMPET_ENGINE_WRITE_PATH: writePath } }, t)).port;
  }
  const recipe = path.join(root, "test/support/recipe.mjs");
  const child = startGroup(process.execPath, [recipe, path.join(root, APP), "1"], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => killGroup(child.pid));
  const [line] = (await within(once(createInterface(child.stdout as Readable), "line"), 30_000, "the recipe")) as [
    string,
  ];
  return Number(line);
}

/** Stands for a client: the bytes of its WebSocket are read when `reads` says so, and pongs are sent whatever it was sent. */
export async function openVictim(
  t: TestContext,
  port: number,
  kind: "does not read" | "reads slowly and pongs blindly" | "does not poll and pongs blindly",
): Promise<Victim> {
  const ask = `42["flood",${FLOOD_MESSAGES}]`;
  const pong = (send: () => unknown): void => {
    const timer = setInterval(send, PONG_MS);
    t.after(() => clearInterval(timer));
  };
  if (kind === "does not poll and pongs blindly") {
    // By fetch: the recipe closes the connection behind each answer.
    const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
    const textOf = async (target: string, body?: string): Promise<string> =>
      (await fetch(target, body === undefined ? {} : { method: "POST", body })).text();
    const { sid } = JSON.parse((await textOf(url)).slice(1)) as { sid: string };
    const target = `${url}&sid=${sid}`;
    await textOf(target, "40");
    const { sid: id } = JSON.parse((await textOf(target)).slice(2)) as { sid: string };
    await textOf(target, ask);
    pong(() => void textOf(target, "3").catch(() => undefined));
    return { id };
  }
  const session = await WebSocketSession.open(t, { port });
  const id = await session.joinMain();
  const { _socket: tcp } = session.socket as unknown as { _socket: TcpSocket };
  tcp.pause();
  if (kind === "reads slowly and pongs blindly") {
    tcp.on("data", () => tcp.pause());
    const reading = setInterval(() => tcp.resume(), 50);
    t.after(() => clearInterval(reading));
    pong(() => session.send("3"));
  }
  session.send(ask);
  return { id };
}

export async function flood(t: TestContext, side: Side, kind: Parameters<typeof openVictim>[2]): Promise<Outcome> {
  const port = await start(t, side);
  const neighbours = await Promise.all(Array.from({ length: NEIGHBOURS }, () => openNeighbour(t, port)));
  const [watcher] = neighbours;
  if (watcher === undefined) throw new Error("no neighbours");
  let lostNeighbours = 0;
  for (const neighbour of neighbours) neighbour.on("disconnect", () => lostNeighbours++);
  await watcher.timeout(10_000).emitWithAck("watch");
  const pid = (await watcher.timeout(10_000).emitWithAck("pid")) as number;

  // What the first messages cost once is not what grows.
  const flooded = new Promise((resolve) => watcher.once("flooded", resolve));
  const reader = await openNeighbour(t, port);
  reader.emit("flood", WARM_UP_MESSAGES);
  await within(flooded, 30_000, "the warm-up");
  reader.disconnect();
  const baseline = await measure(neighbours, BASELINE_MS);

  let victim = "";
  let closed: Outcome["closed"];
  const gone = new Map<string, { reason: string; atMs: number }>();
  watcher.on("gone", (id: string, reason: string) => gone.set(id, { reason, atMs: performance.now() }));
  const before = rssMiB(pid);
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, rssMiB(pid))), 5);
  t.after(() => clearInterval(sampling));
  const startMs = performance.now();
  const [during] = await Promise.all([
    measure(neighbours, WATCHED_MS),
    openVictim(t, port, kind).then(({ id }) => (victim = id)),
  ]);
  clearInterval(sampling);
  const end = gone.get(victim);
  if (end !== undefined) closed = { reason: end.reason, afterMs: end.atMs - startMs };
  return { grownMiB: most - before, closed, baseline, during, lostNeighbours };
}

async function openNeighbour(t: TestContext, port: number): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true, reconnection: false });
  t.after(() => void socket.disconnect());
  await waitFor(() => socket.connected, { timeoutMs: 30_000, message: "a neighbour to connect" });
  return socket;
}

/** Round trips of all of them, one after another at each. */
async function measure(neighbours: readonly Socket[], durationMs: number): Promise<Latency> {
  const tookMs: number[] = [];
  const endMs = performance.now() + durationMs;
  await Promise.all(
    neighbours.map(async (neighbour) => {
      while (performance.now() < endMs) {
        const startMs = performance.now();
        await neighbour.timeout(30_000).emitWithAck("echo");
        tookMs.push(performance.now() - startMs);
        await delay(20);
      }
    }),
  );
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor(share * (tookMs.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
