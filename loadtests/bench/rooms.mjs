// What a publish costs the servers in CPU: ROOMS rooms of MEMBERS clients each, WORKERS workers; limpet on both write paths, and Socket.IO's
// documented recipe. All sides are up at once and publish in turns, at 500/s from the start ("fresh") and then 20 at once ("burst").
// Prints a line a side; run after `npm run build`: node loadtests/bench/rooms.mjs [ROOMS] [MEMBERS] [WORKERS] [TURNS]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";

const [ROOMS, MEMBERS, WORKERS, TURNS] = [100, 2, 8, 12].map((fallback, n) => Number(process.argv[2 + n] ?? fallback));
const PUBLISHES = 250;
const GRACE_MS = 20_000;
const root = path.resolve(import.meta.dirname, "../..");
const app = path.join(root, "test/hub/rooms-app.mjs");

const limpet = (writePath) => ({
  name: `limpet, ${writePath}`,
  args: ["dist/cli/main.js", "start", "--app", app, "--workers", String(WORKERS), "--port", "0", "--ops-port", "0"],
  env: { LIMPET_ENGINE_WRITE_PATH: writePath, LIMPET_HOST: "127.0.0.1" },
  portIn: (line) => (line.includes('"msg":"ready"') ? JSON.parse(line).port : undefined),
});
const recipe = {
  name: "the recipe",
  args: ["test/support/recipe.mjs", app, String(WORKERS)],
  env: {},
  portIn: (line) => Number(line) || undefined,
};

function processTree(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
  return [pid, ...children.flatMap(processTree)];
}

/** CPU time in µs of the whole tree, as the scheduler counts it. */
function cpuMicros(pid) {
  const threads = processTree(pid).flatMap((id) => readdirSync(`/proc/${id}/task`).map((task) => `${id}/task/${task}`));
  return threads.reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${thread}/schedstat`, "utf8").split(" ")[0]) / 1_000;
    } catch {
      // The thread has just ended.
      return sum;
    }
  }, 0);
}

async function start({ name, args, env, portIn }) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let port;
  for await (const line of createInterface({ input: child.stdout })) if ((port = portIn(line)) !== undefined) break;
  if (port === undefined) throw new Error(`${name} did not start`);
  child.stdout.resume();
  const side = { name, child, received: 0, publishers: [], costs: { fresh: [], burst: [] } };
  for (let room = 0; room < ROOMS; room++) {
    const members = [];
    for (let member = 0; member < MEMBERS; member++) members.push(await join(side, port, `room ${room}`));
    side.publishers.push(members[0]);
  }
  return side;
}

async function join(side, port, room) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  let onAck;
  const joined = new Promise((resolve) => (onAck = resolve));
  socket.on("message", (data) => {
    const text = data.toString("latin1", 0, 3);
    if (text.startsWith("42")) side.received++;
    else if (text.startsWith("0")) socket.send("40");
    else if (text.startsWith("40")) socket.send(`420["join",${JSON.stringify(room)}]`);
    else if (text.startsWith("43")) onAck();
    else if (text === "2") socket.send("3");
  });
  await Promise.race([
    joined,
    once(socket, "close").then(() => Promise.reject(new Error(`${side.name} closed a connection`))),
  ]);
  return socket;
}

/** @param together how many are published at once, then a pause of `pauseMs` */
async function publish(side, kind, together, pauseMs) {
  side.received = 0;
  const before = cpuMicros(side.child.pid);
  for (let n = 0; n < PUBLISHES; n++) {
    const room = n % ROOMS;
    side.publishers[room].send(
      `42["publish","room ${room}",{"n":${n},"text":"0123456789012345678901234567890123456789"}]`,
    );
    if (n % together === together - 1) await delay(pauseMs);
  }
  const deadline = performance.now() + GRACE_MS;
  while (side.received < PUBLISHES * MEMBERS) {
    if (performance.now() > deadline)
      throw new Error(`${side.name} delivered ${side.received} of ${PUBLISHES * MEMBERS}`);
    await delay(2);
  }
  side.costs[kind].push((cpuMicros(side.child.pid) - before) / PUBLISHES);
}

const median = (values) => [...values].sort((one, other) => one - other)[values.length >> 1];

const sides = [];
try {
  for (const server of [limpet("turn"), limpet("stock"), recipe]) sides.push(await start(server));
  for (const [kind, together, pauseMs] of [
    ["fresh", 1, 2],
    ["burst", 20, 10],
  ])
    for (let turn = 0; turn < TURNS; turn++)
      for (let n = 0; n < sides.length; n++) await publish(sides[(n + turn) % sides.length], kind, together, pauseMs);
  const base = sides.at(-1).costs;
  for (const { name, costs } of sides) {
    const cells = ["fresh", "burst"].map((kind) => {
      const cost = median(costs[kind]);
      return `${kind} ${cost.toFixed(0)} µs (${((100 * cost) / median(base[kind])).toFixed(0)} %)`;
    });
    console.log(`${name.padEnd(14)} ${cells.join(", ")}`);
  }
} finally {
  for (const { child } of sides) child.kill("SIGTERM");
}
process.exit();
