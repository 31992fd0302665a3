/** The way past the primary, with the primary's part played by the test: what waits for the hub, and what is told to it. */
import assert from "node:assert/strict";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { FifoReader, FifoWriter, makeFifo } from "../../src/lib/fifo.js";
import { MaskReader } from "../../src/lib/mask-reader.js";
import { MaskTable } from "../../src/lib/mask-table.js";
import { Board, BoardReader, occupiedKey, prefixKey, roomKey } from "../../src/link/board.js";
import { Inlet } from "../../src/link/inlet.js";
import { OUTSIDE_WID, type Deliver, type UpMessage } from "../../src/link/messages.js";
import { encodePayload } from "../../src/link/payload.js";
import { createSid, sidPrefix } from "../../src/routing/address.js";
import { HubTally } from "../../src/telemetry/hub-tally.js";
import { DirectRoute } from "../../src/worker/direct-route.js";
import { waitFor } from "../support/wait.js";

const OWN = 1;
const PREFIX = sidPrefix({ node: 0, slot: 0 });
const MAX_QUEUE_BYTES = 100_000;

interface Stage {
  readonly route: DirectRoute;
  readonly board: Board;
  readonly told: UpMessage[];
  /** Batches for which all clients were held. */
  readonly held: number[];
  readonly expected: [req: string, wids: readonly number[]][];
  /** [wid, body] of all that was read, in the order in which it was. */
  readonly bodies: [number, string][];
  /** What that worker has read so far. */
  readonly read: (wid: number) => readonly Deliver[];
  readonly counted: () => Readonly<Record<string, number>>;
  unknownJoins: number;
}

/** Workers 2 and 3 read, worker 4 has an inlet and does not. */
function stage(t: TestContext, { hasOutside = false } = {}): Stage {
  const folder = mkdtempSync(path.join(tmpdir(), "direct-route-"));
  const boardPath = path.join(folder, "board");
  const table = new MaskTable(boardPath, [1, 2]);
  const board = new Board(table);
  const inletOf = (wid: number): string => path.join(folder, String(wid));
  const reads = new Map<number, Deliver[]>();
  const bodies: [number, string][] = [];
  const undo: (() => void)[] = [];
  for (const wid of [OUTSIDE_WID, OWN, 2, 3, 4]) {
    if (wid !== OUTSIDE_WID) board.add(wid);
    makeFifo(inletOf(wid));
    const frames: Deliver[] = [];
    reads.set(wid, frames);
    const inlet = new Inlet((header, body) => {
      frames.push(header as Deliver);
      bodies.push([wid, body.toString()]);
    });
    if (wid === 4) continue;
    const pipe = new FifoReader(inletOf(wid), (bytes) => inlet.push(bytes));
    undo.push(() => pipe.close());
  }
  const idle = openSync(inletOf(4), constants.O_RDWR | constants.O_NONBLOCK);
  const tally = new HubTally();
  const route = new DirectRoute({
    wid: OWN,
    prefix: PREFIX,
    board: new BoardReader(new MaskReader(boardPath, [1, 2])),
    open: (wid) => new FifoWriter(inletOf(wid)),
    maxQueueBytes: MAX_QUEUE_BYTES,
    tally,
    siblingCount: () => 3,
    hasOutside,
    tellPrimary: (message) => void made.told.push(message),
    schedule: () => setImmediate(() => route.flush()),
  });
  const counts: Record<string, number> = {};
  const made: Stage = {
    ...{ route, board, bodies, told: [], held: [], expected: [], unknownJoins: 0 },
    read: (wid) => reads.get(wid) ?? [],
    counted: () => {
      const inc = ({ outcome }: { outcome: string }, by = 1): void =>
        void (counts[outcome] = (counts[outcome] ?? 0) + by);
      tally.addTo({ hubMessages: { inc } });
      return counts;
    },
  };
  route.attach({
    get unknownJoins() {
      return made.unknownJoins;
    },
    nextBatch: 7,
    holdEveryone: (batch) => void made.held.push(batch),
    expect: (req, wids) => void made.expected.push([req, wids]),
  });
  t.after(() => {
    route.close();
    closeSync(idle);
    for (const step of undo) step();
    board.close();
    rmSync(folder, { recursive: true });
  });
  return made;
}

const post = (board: Board, key: string, ...wids: number[]): void =>
  board.post(
    key,
    wids.map((wid) => ({ wid })),
  );
const event = (route: DirectRoute, room: string, ...args: unknown[]): void =>
  route.publishEvent("/", JSON.stringify(args), { rooms: [room], except: [], flags: {} });

test("an event goes to the workers with members in the room, not to this one, and is counted", async (t) => {
  const { route, board, read, counted } = stage(t);
  post(board, roomKey("/", "room"), OWN, 2);
  event(route, "room", "hello");
  await waitFor(() => read(2).length === 1);
  event(route, "nobody's", "hello");
  const { received, forwarded, skipped } = counted();
  assert.deepEqual({ received, forwarded, skipped }, { received: 2, forwarded: 1, skipped: 5 });
  assert.deepEqual([read(OWN).length, read(3).length], [0, 0]);
});

test("a socket's id leads to the worker that gave it, and its own to nobody", async (t) => {
  const { route, board, read } = stage(t);
  const prefix = sidPrefix({ node: 0, slot: 3 });
  post(board, prefixKey(prefix), 3);
  post(board, prefixKey(PREFIX), OWN);
  event(route, createSid(prefix), "for one");
  event(route, createSid(PREFIX), "for oneself");
  await waitFor(() => read(3).length === 1);
  assert.equal(read(OWN).length, 0);
});

test("what is said behind a join of one's own waits until the hub knows of the join, and so do all clients", async (t) => {
  const made = stage(t);
  const { route, board, read, held } = made;
  post(board, roomKey("/", "room"), 2);
  made.unknownJoins = 5;
  event(route, "room", "first");
  made.unknownJoins = 0;
  event(route, "room", "second");
  assert.deepEqual(held, [5, 5]);
  route.flush();
  route.onKnown(4);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(read(2).length, 0);
  route.onKnown(5);
  await waitFor(() => read(2).length === 2);
  event(route, "room", "third");
  assert.equal(held.length, 2);
  await waitFor(() => read(2).length === 3);
});

test("sockets that others are to join are counted from then on, here until the hub has posted it", async (t) => {
  const { route, board, read, told } = stage(t);
  post(board, roomKey("/", "from"), 2);
  route.publish(
    { nsp: "/", type: 4, rooms: ["from"], to: "members", joins: ["into"] },
    encodePayload({ opts: {}, rooms: ["into"] }),
  );
  event(route, "into", "hello");
  await waitFor(() => read(2).length === 2);
  assert.deepEqual(
    told.map((message) => message.t === "joining" && [message.rooms, message.wids]),
    [[["into"], [2]]],
  );
  assert.equal(read(2)[0]?.settle, told[0]?.t === "joining" ? told[0].n : undefined);
  route.onKnown(7);
  event(route, "into", "only if it was posted");
  post(board, roomKey("/", "into"), 2);
  event(route, "into", "posted");
  await waitFor(() => read(2).length === 3);
});

test("who does not get the message that joins its sockets is not told of as one that will", (t) => {
  const { route, board, told, counted } = stage(t);
  post(board, roomKey("/", "from"), 2, 4);
  post(board, roomKey("/", "full"), 4);
  for (let n = 0; counted()["dropped"] === undefined; n++) {
    assert.ok(n < 100, "the bound is never reached");
    event(route, "full", "x".repeat(10_000));
    route.flush();
  }
  route.publish(
    { nsp: "/", type: 4, rooms: ["from"], to: "members", joins: ["into"] },
    encodePayload({ opts: {}, rooms: ["into"] }),
  );
  assert.deepEqual(
    told.map((message) => message.t === "joining" && message.wids),
    [[2]],
  );
  assert.deepEqual(
    route.waiting.map(([wid]) => wid).filter((wid) => wid === 4),
    [4],
  );
});

test("a request is expected to be answered by those it went to before they can, and its caller never hears at once that there are none", async (t) => {
  const { route, board, expected } = stage(t);
  post(board, occupiedKey("/"), 2, 3, OWN);
  route.publish({ nsp: "/", type: 6, rooms: [], to: "members", req: "r" }, encodePayload({ requestId: "r" }));
  route.publish({ nsp: "/none", type: 6, rooms: [], to: "members", req: "s" }, encodePayload({ requestId: "s" }));
  assert.deepEqual(expected, [["r", [2, 3]]]);
  await waitFor(() => expected.length === 2);
  assert.deepEqual(expected, [
    ["r", [2, 3]],
    ["s", []],
  ]);
});

test("a worker that has the bit of one that is gone gets what is for it", async (t) => {
  const { route, board, read } = stage(t);
  post(board, roomKey("/", "room"), 2);
  event(route, "room", "first");
  await waitFor(() => read(2).length === 1);
  route.onGone(2);
  board.remove(2);
  post(board, roomKey("/", "room"), 3);
  event(route, "room", "second");
  await waitFor(() => read(3).length === 1);
  assert.equal(read(2).length, 1);
});

test("servers outside are told everything, as entries and requests, and are expected to answer those", async (t) => {
  const { route, board, told, expected, read, bodies, counted } = stage(t, { hasOutside: true });
  post(board, roomKey("/", "room"), 2);
  event(route, "room", "hello");
  event(route, "nobody's here", "hello");
  route.publish({ nsp: "/", type: 9, rooms: [], to: "open" }, encodePayload({ packet: ["word"] }));
  assert.deepEqual(told, []);
  route.publish({ nsp: "/", type: 6, rooms: ["room"], to: "members", req: "r" }, encodePayload({ requestId: "r" }));
  await waitFor(() => read(OUTSIDE_WID).length === 4);
  assert.deepEqual(expected, [["r", [2, OUTSIDE_WID]]]);
  assert.deepEqual(told, [{ t: "look" }]);
  const said: unknown[] = read(OUTSIDE_WID).map(({ t: kind, type }) => [kind, type]);
  assert.deepEqual(said, [
    ["entry", 3],
    ["entry", 3],
    ["entry", 9],
    ["publish", 6],
  ]);
  const [first] = bodies.filter(([wid]) => wid === OUTSIDE_WID);
  const packet = { type: 2, data: ["hello"], nsp: "/" };
  assert.deepEqual(JSON.parse(first?.[1] ?? ""), { packet, opts: { rooms: ["room"] } });
  const { received, forwarded } = counted();
  assert.deepEqual({ received, forwarded }, { received: 4, forwarded: 2 });
});

test("an answer for outside goes by the primary's link, where requests from outside are kept account of", (t) => {
  const { route, told, read } = stage(t, { hasOutside: true });
  route.reply({ to: OUTSIDE_WID, nsp: "/", type: 8 }, encodePayload({ requestId: "r" }));
  assert.deepEqual(told, [{ t: "reply", to: OUTSIDE_WID, nsp: "/", type: 8, bin: false }]);
  assert.equal(read(OUTSIDE_WID).length, 0);
});

test("what is said behind a join of one's own waits with what is for outside too, and a request is looked at then", async (t) => {
  const made = stage(t, { hasOutside: true });
  const { route, told, read } = made;
  made.unknownJoins = 5;
  event(route, "room", "behind a join");
  route.publish({ nsp: "/", type: 6, rooms: [], to: "members", req: "r" }, encodePayload({ requestId: "r" }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(read(OUTSIDE_WID).length, 0);
  assert.deepEqual(told, []);
  made.unknownJoins = 0;
  route.onKnown(5);
  await waitFor(() => read(OUTSIDE_WID).length === 2);
  assert.deepEqual(told, [{ t: "look" }]);
});
