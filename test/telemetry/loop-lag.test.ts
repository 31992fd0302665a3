import assert from "node:assert/strict";
import { EventEmitter, on } from "node:events";
import test, { type TestContext } from "node:test";
import { LoopLag } from "../../src/telemetry/loop-lag.js";

/** A LoopLag whose timer is turned by hand: `turn(ms)` lets time pass and then runs it. Busy, until `load.utilization` says otherwise. */
function byHand(t: TestContext) {
  let nowMs = 1_000;
  const samples: number[] = [];
  const load = { utilization: 1 };
  const lag = new LoopLag({
    busyIntervalMs: 50,
    quietIntervalMs: 200,
    takeUtilization: () => load.utilization,
    now: () => nowMs,
    onSample: (lagMs) => samples.push(lagMs),
  });
  // Its real timer, too, would take samples: of a clock that stands still.
  lag.stop();
  t.after(() => lag.stop());
  const pass = (ms: number): void => void (nowMs += ms);
  return {
    lag,
    samples,
    load,
    pass,
    turn: (ms: number) => {
      pass(ms);
      lag.tick();
    },
  };
}

test("a timer that runs when it is due has no lag, nor one that runs early", (t) => {
  const { samples, turn } = byHand(t);
  turn(50);
  turn(49);
  assert.deepEqual(samples, [0, 0]);
});

test("a blocked loop shows as one large sample", (t) => {
  const { lag, samples, turn } = byHand(t);
  turn(50);
  turn(5_050);
  turn(50);
  assert.deepEqual(samples, [0, 5_000, 0]);
  assert.equal(lag.lagMs, 0);
  assert.equal(lag.recentMaxMs(1_000), 5_000);
});

test("the largest lag of a window is forgotten when the window has passed it", (t) => {
  const { lag, turn } = byHand(t);
  turn(350);
  for (let i = 0; i < 10; i++) turn(60);
  assert.equal(lag.recentMaxMs(10_000), 300);
  assert.equal(lag.recentMaxMs(500), 10);
  assert.equal(lag.recentMaxMs(600), 300);
});

test("a stall counts before the timer has run again", (t) => {
  const { lag, pass } = byHand(t);
  pass(2_050);
  assert.equal(lag.recentMaxMs(100), 2_000);
});

test("what was longer ago than two minutes is given up, so memory is bounded", (t) => {
  const { lag, turn } = byHand(t);
  turn(1_050);
  for (let i = 0; i < 2_500; i++) turn(51);
  assert.equal(lag.recentMaxMs(1_000_000), 1);
});

test("a real loop that is blocked is measured by the real timer", async (t) => {
  const blockMs = 200;
  const sample = await new Promise<number>((resolve) => {
    const lag = new LoopLag({
      busyIntervalMs: 10,
      quietIntervalMs: 10,
      onSample: (lagMs) => lagMs > blockMs / 2 && resolve(lagMs),
    });
    t.after(() => lag.stop());
    // The timer itself does not keep the process alive.
    const alive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(alive));
    const until = performance.now() + blockMs;
    while (performance.now() < until);
  });
  assert.ok(sample >= blockMs - 15, `${sample} ms`);
});

test("a quiet loop is looked at less often, and more often again once it is busy", (t) => {
  const { samples, load, turn } = byHand(t);
  load.utilization = 0.1;
  turn(50);
  turn(200);
  turn(230);
  load.utilization = 0.9;
  turn(200);
  turn(60);
  assert.deepEqual(samples, [0, 0, 30, 0, 10]);
});

test("a loop that was late stays under watch until the last samples are quiet", (t) => {
  const { lag, samples, load, turn } = byHand(t);
  turn(50);
  for (let n = 0; n < 5; n++) turn(150);
  assert.equal(lag.standingMs, 100);
  load.utilization = 0;
  for (let n = 0; n < 3; n++) turn(50);
  assert.equal(lag.standingMs, 0);
  turn(200);
  assert.deepEqual(samples.slice(-4), [0, 0, 0, 0]);
});

test("a real loop that has nothing to do is looked at less often, and more often once it has", async (t) => {
  let lastMs = performance.now();
  const gaps = new EventEmitter();
  const lag = new LoopLag({
    busyIntervalMs: 10,
    quietIntervalMs: 200,
    onSample: () => {
      const nowMs = performance.now();
      gaps.emit("gap", nowMs - lastMs);
      lastMs = nowMs;
    },
  });
  t.after(() => lag.stop());
  const gapThat = async (isMeant: (ms: number) => boolean): Promise<void> => {
    for await (const [ms] of on(gaps, "gap")) if (isMeant(ms as number)) return;
  };
  // The timer itself does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  await gapThat((ms) => ms >= 200);
  const work = setInterval(() => {
    const until = performance.now() + 5;
    while (performance.now() < until);
  }, 1);
  t.after(() => clearInterval(work));
  await gapThat((ms) => ms < 150);
});

test("work at intervals is done with the sample that is due, however far apart they are, until there is none", (t) => {
  const { lag, load, turn } = byHand(t);
  let done = 0;
  turn(50);
  lag.every(200, () => done++);
  for (let n = 0; n < 3; n++) turn(50);
  assert.equal(done, 0, "the first comes after a whole interval");
  for (let n = 0; n < 6; n++) turn(50);
  assert.equal(done, 2);
  load.utilization = 0;
  turn(50);
  for (let n = 0; n < 3; n++) turn(200);
  assert.equal(done, 5);
  lag.every(200, undefined);
  for (let n = 0; n < 9; n++) turn(200);
  assert.equal(done, 5);
});
