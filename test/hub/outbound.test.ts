/** The primary's inlet: read as it comes where that is little, from time to time where it is much, and to the end where a worker has ended. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gatherPace } from "../../src/bus/gathering.js";
import { FifoWriter, makeFifo } from "../../src/lib/fifo.js";
import type { Pace } from "../../src/lib/pace.js";
import { encodeEntryFrame } from "../../src/link/entry-frame.js";
import { Outlet } from "../../src/link/outlet.js";
import { Outbound } from "../../src/primary/outbound.js";
import { waitFor } from "../support/wait.js";

const now = (): number => performance.now();
/** As if there was so much traffic that it waits as long as it is told. */
const always = (waitMs: number): Pick<Pace, "note" | "waitMs"> => ({ note: () => undefined, waitMs });
const NEVER_MS = 3_600_000;

interface Stage {
  readonly outbound: Outbound;
  /** [wid, payload] of each that was taken. */
  readonly got: [number, string][];
  /** How often something was taken. */
  readonly looks: () => number;
  readonly outlet: (wid: number) => Outlet;
  readonly say: (wid: number, payload: string) => void;
}

function stage(t: TestContext, pace: Pick<Pace, "note" | "waitMs">): Stage {
  const folder = mkdtempSync(path.join(tmpdir(), "outbound-"));
  const pipe = path.join(folder, "fifo");
  makeFifo(pipe);
  const got: [number, string][] = [];
  let looks = 0;
  let isLooking = false;
  const outbound = new Outbound(pipe, pace, (wid, message, body) => {
    assert.equal(message.t, "entry");
    got.push([wid, body.toString()]);
    if (isLooking) return;
    isLooking = true;
    looks++;
    setImmediate(() => (isLooking = false));
  });
  const outlets = new Map<number, Outlet>();
  const outlet = (wid: number): Outlet => {
    const made = outlets.get(wid) ?? new Outlet(wid, new FifoWriter(pipe), 1 << 24);
    outlets.set(wid, made);
    return made;
  };
  t.after(() => {
    for (const one of outlets.values()) one.close();
    outbound.close();
    rmSync(folder, { recursive: true });
  });
  const say = (wid: number, payload: string): void => {
    outlet(wid).keep(encodeEntryFrame({ nsp: "/", type: 3, bin: false, header: "{}" }, payload));
    outlet(wid).flush();
  };
  return { outbound, got, looks: () => looks, outlet, say };
}

test("what comes now and then is taken as it comes", async (t) => {
  const { got, say } = stage(t, gatherPace(20, now));
  for (let n = 0; n < 3; n++) {
    say(n, `word ${n}`);
    await waitFor(() => got.length === n + 1, { intervalMs: 1 });
  }
  assert.deepEqual(got, [
    [0, "word 0"],
    [1, "word 1"],
    [2, "word 2"],
  ]);
});

test("much is taken a few times, all of it and in order, and then it is as before", async (t) => {
  const { got, looks, say } = stage(t, gatherPace(50, now));
  const count = 400;
  for (let n = 0; n < count; n++) {
    say(1 + (n % 2), `${n}`);
    await delay(1);
  }
  await waitFor(() => got.length === count);
  assert.deepEqual(
    got.map(([, payload]) => Number(payload)),
    Array.from({ length: count }, (_, n) => n),
  );
  t.diagnostic(`${count} in ${looks()} looks`);
  assert.ok(looks() < count / 3, `${looks()} looks`);
  const before = looks();
  // Its timer has run out, and nothing came.
  await delay(200);
  say(1, "later");
  await waitFor(() => got.length === count + 1);
  assert.equal(looks(), before + 1);
});

test("who looks takes what is there, and the next look is due as before", async (t) => {
  const { outbound, got, say } = stage(t, always(NEVER_MS));
  say(1, "first");
  await waitFor(() => got.length === 1);
  say(1, "second");
  await delay(20);
  assert.equal(got.length, 1);
  outbound.look();
  assert.equal(got.length, 2);
  outbound.look();
  assert.equal(got.length, 2);
});

test("where very much comes at once nobody waits: the pipe would be full", async (t) => {
  const { got, say } = stage(t, always(NEVER_MS));
  const large = "x".repeat(1 << 20);
  for (let n = 0; n < 3; n++) say(1, large);
  await waitFor(() => got.length === 3);
  assert.ok(got.every(([, payload]) => payload === large));
});

test("all that a worker has said is taken when it has ended, and a frame that it began is forgotten", async (t) => {
  const { outbound, got, outlet, say } = stage(t, always(NEVER_MS));
  say(1, "first");
  await waitFor(() => got.length === 1);
  say(1, "last words");
  const [frame] = encodeEntryFrame({ nsp: "/", type: 3, bin: false, header: "{}" }, "never ended");
  assert.ok(frame !== undefined);
  outlet(1).keep([frame.subarray(0, frame.length - 3)]);
  outlet(1).flush();
  outbound.end(1);
  assert.deepEqual(got.slice(1), [[1, "last words"]]);
  say(2, "another's");
  say(1, "of the same number");
  outbound.look();
  assert.deepEqual(got.slice(2), [
    [2, "another's"],
    [1, "of the same number"],
  ]);
});

test("what is left is taken when it is closed, and nothing after that", async (t) => {
  const { outbound, got, say } = stage(t, always(NEVER_MS));
  say(1, "first");
  await waitFor(() => got.length === 1);
  say(1, "last");
  outbound.close();
  assert.equal(got.length, 2);
  outbound.look();
  outbound.end(1);
  assert.equal(got.length, 2);
});
