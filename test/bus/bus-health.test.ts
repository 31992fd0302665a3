import assert from "node:assert/strict";
import test from "node:test";
import pino from "pino";
import { BusHealth } from "../../src/bus/bus-health.js";

test("the lag grows while an entry is on its way, is what it took once it is back, and is forgotten where no other follows", () => {
  let nowMs = 0;
  const health = new BusHealth({ log: pino({ level: "silent" }), now: () => nowMs });
  const lag = (): number => health.state(0).lagSeconds;
  assert.equal(lag(), 0);
  health.appended(1);
  nowMs = 85_000;
  assert.equal(lag(), 85);
  health.echoed(1);
  nowMs += 5_000;
  assert.equal(lag(), 85, "a scrape sees it");
  nowMs += 10_000;
  assert.equal(lag(), 0, "an idle node is not late");
  health.appended(2);
  nowMs += 100;
  health.echoed(2);
  assert.equal(lag(), 0.1);
});
