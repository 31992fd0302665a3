/** What a publish to a small room costs with many workers, beside the documented recipe: a hub that knows who is where pays for them only. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { startGroup, killGroup } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import { root, startNode } from "../support/node.js";
import { treeCpuMs } from "../support/process-cpu.js";
import { waitFor, within } from "../support/wait.js";

const APP = "test/hub/rooms-app.mjs";
const WORKERS = 8;
const ROOMS = 100;
const MEMBERS = 2;
const PUBLISHES = 4_000;
/** Published at once; then a pause. */
const BURST = 20;
const PAUSE_MS = 10;
const ROUNDS = 5;
/** 40 to 66 % were seen, on idle machines and crowded ones. */
const MOST = 0.8;
/** Until both sides' code is compiled: eight workers share the messages here, so each meets its code an eighth as often as the recipe's. */
const WARM_UP_ROUNDS = 4;

interface Server {
  readonly name: string;
  readonly pid: number;
  readonly rooms: readonly (readonly WebSocketSession[])[];
  received: number;
}

test("100 rooms of 2 members with 8 workers cost less CPU for each publish than the recipe; how much is printed", async (t) => {
  const node = await startNode({ app: APP, workers: WORKERS }, t);
  const recipe = await startRecipe(t);
  const ours = await fill(t, { name: "limpet", ...node });
  const theirs = await fill(t, { name: "the recipe", ...recipe });
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    await publish(ours);
    await publish(theirs);
  }
  const costs = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    costs.ours.push(await publish(ours));
    costs.theirs.push(await publish(theirs));
  }
  const [mine, its] = [median(costs.ours), median(costs.theirs)];
  t.diagnostic(`server CPU per publish: limpet ${list(costs.ours)} µs, the recipe ${list(costs.theirs)} µs`);
  t.diagnostic(`medians ${mine.toFixed(0)} and ${its.toFixed(0)} µs: ${((100 * mine) / its).toFixed(0)} %`);
  assert.ok(mine < its * MOST, `limpet costs ${mine.toFixed(0)} µs a publish, the recipe ${its.toFixed(0)} µs`);
});

async function startRecipe(t: TestContext): Promise<{ pid: number; port: number }> {
  const program = path.join(root, "test/support/recipe.mjs");
  const child = startGroup(process.execPath, [program, path.join(root, APP), String(WORKERS)], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
  });
  t.after(() => killGroup(child.pid));
  assert.ok(child.stdout !== null);
  const [line] = (await within(once(createInterface({ input: child.stdout }), "line"), 60_000, "the recipe")) as [
    string,
  ];
  return { pid: child.pid, port: Number(line) };
}

/** Members of one room come one after another, so they are on different workers. */
async function fill(t: TestContext, { name, pid, port }: { name: string; pid: number; port: number }): Promise<Server> {
  const rooms: WebSocketSession[][] = [];
  const server: Server = { name, pid, rooms, received: 0 };
  for (let room = 0; room < ROOMS; room++) {
    const members: WebSocketSession[] = [];
    for (let member = 0; member < MEMBERS; member++) {
      const session = await WebSocketSession.open(t, { port, timeoutMs: 20_000 });
      await session.joinMain();
      session.send(`420["join","room ${room}"]`);
      assert.equal(await session.next(), "430[]");
      session.socket.removeAllListeners("message");
      session.socket.on("message", (data: Buffer) => {
        if (data.toString() === "2") session.send("3");
        else server.received++;
      });
      members.push(session);
    }
    rooms.push(members);
  }
  return server;
}

/** @returns the servers' CPU time for each publish, in µs */
async function publish(server: Server): Promise<number> {
  server.received = 0;
  const before = treeCpuMs(server.pid);
  for (let n = 0; n < PUBLISHES; n++) {
    const room = n % ROOMS;
    server.rooms[room]?.[0]?.send(
      `42["publish","room ${room}",{"n":${n},"text":"0123456789012345678901234567890123456789"}]`,
    );
    if (n % BURST === BURST - 1) await delay(PAUSE_MS);
  }
  const wanted = PUBLISHES * MEMBERS;
  await waitFor(() => server.received >= wanted, {
    timeoutMs: 20_000,
    message: () => `${wanted} deliveries by ${server.name}; there were ${server.received}`,
  });
  return (1_000 * (treeCpuMs(server.pid) - before)) / PUBLISHES;
}

const median = (values: readonly number[]): number => [...values].sort((x, y) => x - y)[values.length >> 1] ?? NaN;
const list = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(", ");
