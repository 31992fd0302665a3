/**
 * What workers say to each other past the primary: it goes on while the primary stands still, it comes in an order in which nobody hears an answer before what
 * it answers, and it outlives the workers that come and go. Each file here that does not say otherwise runs on this way; `primary-path/` has the other.
 */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import test, { before } from "node:test";
import { startRedis } from "../support/redis.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import {
  APP,
  arrivals,
  block,
  connectTo,
  fileScope,
  join,
  startFleet,
  type Fleet,
  type Inside,
  type Member,
} from "./fleet.js";

const ROUNDS = 500;
/** Long enough to have got there several times over, on a machine that is busy. */
const STANDSTILL_MS = 1_000;

const scope = fileScope();
let fleet: Fleet;
let a: Member, b: Member, c: Member;
before(async () => {
  fleet = await startFleet(scope, { env: { LIMPET_CLIENT_MAX_ROOMS: "100000" } });
  [a, b, c] = fleet.members as [Member, Member, Member];
});

/** How long it takes to B from an event that A is told to emit while the primary stands still; undefined: it came only after it went on. */
async function latencyWithoutPrimary(one: Fleet, room: string): Promise<number | undefined> {
  const [from, to] = one.members as [Member, Member];
  await join(room, to);
  await arrivals(from, [to]);
  const got = new Promise<number>((resolve) => to.client.once("while it stands", () => resolve(performance.now())));
  one.node.signal("SIGSTOP");
  const stopped = performance.now();
  try {
    await from.run(({ io }, name) => void io.to(name).emit("while it stands"), room);
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, STANDSTILL_MS));
    const at = await Promise.race([got, late]);
    return at === undefined ? undefined : at - stopped;
  } finally {
    one.node.signal("SIGCONT");
    await got;
  }
}

test("a primary that stands still holds up no message", async (t) => {
  const latencyMs = await latencyWithoutPrimary(fleet, "past it");
  t.diagnostic(`there after ${latencyMs?.toFixed(1)} ms`);
  assert.ok(latencyMs !== undefined);
});

test("by way of the primary it does", async (t) => {
  const other = await startFleet(t, { workers: 2, env: { LIMPET_HUB_PATH: "primary" } });
  assert.equal(await latencyWithoutPrimary(other, "by way of it"), undefined);
});

test("whoever hears of a join can speak to the room at once, though no client has been told of it", async (t) => {
  const got = new Set<string>();
  const listener = (room: string): void => void got.add(room);
  a.client.on("answered", listener);
  t.after(() => void a.client.off("answered", listener));
  await b.run(({ io }) => {
    io.on("joined", (room: string) => void io.to(room).emit("answered", room));
  });
  await a.run(async ({ io, socket }, rounds) => {
    for (let n = 0; n < rounds; n++) {
      const room = `heard of ${n}`;
      void socket.join(room);
      io.serverSideEmit("joined", room);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }, ROUNDS);
  await waitFor(() => got.size === ROUNDS, { message: () => `${ROUNDS - got.size} of ${ROUNDS} answers are lost` });
});

test("an answer comes behind what its worker had said before it", async () => {
  await join("answers", a);
  await b.run(({ io }) => {
    io.on("say and answer", (n: number, answer: (n: number) => void) => {
      io.to("answers").emit("said", n);
      answer(n);
    });
  });
  await c.run(({ io }) => {
    io.on("say and answer", (_n: number, answer: (n: number) => void) => answer(-1));
  });
  await a.run(async ({ io, socket }, rounds) => {
    for (let n = 0; n < rounds; n++) {
      await io.serverSideEmitWithAck("say and answer", n);
      socket.emit("done", n);
    }
  }, ROUNDS);
  await waitFor(() => a.received.filter(([event]) => event === "done").length === ROUNDS);
  const heard = a.received.splice(0).filter(([event]) => event === "said" || event === "done");
  const expected = Array.from({ length: ROUNDS }, (_, n) => [
    ["said", n],
    ["done", n],
  ]).flat();
  assert.deepEqual(heard, expected);
});

test("a worker that was busy reads what others said in the order in which they said it", async () => {
  await join("busy", b);
  for (let round = 0; round < 20; round++) {
    await block(fleet.node, b, 50);
    for (let n = 0; n < 10; n++)
      await (n % 2 === 0 ? a : c).run(({ io }, value) => void io.to("busy").emit("turn", value), n);
    const turns = (await arrivals(a, [b]))[0]?.filter(([event]) => event === "turn");
    assert.deepEqual(
      turns,
      Array.from({ length: 10 }, (_, n) => ["turn", n]),
    );
  }
});

test("what is larger than the pipe arrives whole, between what is small, from two workers at once", async () => {
  await join("large", b);
  const send = ({ io }: Inside, from: string, sizes: number[]): void => {
    for (const size of sizes) {
      io.to("large").emit("text", from, "x".repeat(size));
      io.to("large").emit("bytes", from, Buffer.alloc(size, size));
    }
    io.to("large").emit("end", from);
  };
  const sizes = [500_000, 10, 5_000, 0, 300_000, 4_000, 1];
  await Promise.all([a.run(send, "a", sizes), c.run(send, "c", sizes)]);
  const all = (): [string, ...unknown[]][] => b.received.filter(([event]) => ["text", "bytes", "end"].includes(event));
  await waitFor(() => all().filter(([event]) => event === "end").length === 2);
  for (const from of ["a", "c"]) {
    const parts = all().filter(([, sender]) => sender === from);
    const expected = sizes.flatMap((size) => [
      ["text", from, "x".repeat(size)],
      ["bytes", from, Buffer.alloc(size, size)],
    ]);
    assert.deepEqual(parts, [...expected, ["end", from]]);
  }
  b.received.splice(0);
});

test("workers that are killed and replaced leave nothing behind, and are reached", async (t) => {
  const own = await startFleet(t, { workers: 2 });
  const [first, second] = own.members as [Member, Member];
  const pidOf = async (slot: number): Promise<number> =>
    Number((await own.node.workers()).find((worker) => worker.slot === slot)?.pid);
  const survivor = await pidOf(first.worker);
  const files = (): number => readdirSync(`/proc/${survivor}/fd`).length;
  let before = 0;
  for (let round = 0; round < 4; round++) {
    const pid = await pidOf(second.worker);
    process.kill(pid, "SIGKILL");
    await waitFor(async () => {
      const now = await pidOf(second.worker);
      return now > 0 && now !== pid;
    });
    const replaced = await connectTo(t, own.node.url, second.worker);
    await join(`round ${round}`, replaced);
    await first.run(({ io }, room) => void io.to(room).emit("welcome"), `round ${round}`);
    await waitFor(() => replaced.received.some(([event]) => event === "welcome"));
    replaced.client.disconnect();
    if (round === 0) before = files();
  }
  await waitFor(() => files() <= before, { message: () => `${files()} files are open, ${before} were` });
  const inlet = readdirSync(`/proc/${survivor}/fd`)
    .map((fd) => linkOf(`/proc/${survivor}/fd/${fd}`))
    .find((file) => file.endsWith(".fifo"));
  assert.ok(inlet !== undefined);
  await waitFor(() => readdirSync(path.dirname(inlet)).filter((name) => name.endsWith(".fifo")).length === 2);
});

test("where no named pipe can be made it goes by way of the primary, and the log says so", async (t) => {
  const other = await startFleet(t, { workers: 2, env: { PATH: "/nowhere" } });
  const line = await other.node.waitForLog(({ msg }) => msg.startsWith("no named pipes"));
  assert.equal(line.level, "warn");
  const [from, to] = other.members as [Member, Member];
  await join("room", to);
  await from.run(({ io }) => void io.to("room").emit("hello"));
  assert.deepEqual(await arrivals(from, [to]), [[["hello"]]]);
});

test("a node says which way it takes: recovery needs every message in the primary", async (t) => {
  const redis = await startRedis(t);
  const wayOf = async (...args: string[]): Promise<unknown> => {
    const node = await startNode({ app: APP, workers: 1, args }, t);
    return node.logs().find(({ msg }) => msg === "ready")?.["hub"];
  };
  assert.equal(await wayOf(), "direct");
  assert.equal(await wayOf("--recovery"), "primary");
  assert.equal(await wayOf("--redis", redis.url), "direct");
  assert.equal(await wayOf("--redis", redis.url, "--recovery"), "primary");
});

/** Where a link leads; one that has just gone leads nowhere. */
function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return "";
  }
}
