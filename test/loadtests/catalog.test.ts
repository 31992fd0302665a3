import assert from "node:assert/strict";
import test from "node:test";
import { refuseForeign } from "../../loadtests/lib/target.ts";
import {
  readSettings,
  type ScenarioName,
  SCENARIOS,
  settingsOf,
  variableOf,
} from "../../loadtests/scenarios/catalog.ts";

const NAMES = Object.keys(SCENARIOS) as ScenarioName[];

test("the defaults of every scenario are allowed values, and end by themselves", () => {
  for (const name of NAMES) {
    const settings = readSettings(name, {});
    assert.ok(settings.clients <= 200 && settings.durationMs <= 300_000, name);
  }
  assert.deepEqual(NAMES, ["smoke", "connect", "fanout", "polling", "soak"]);
});

test("what is given wins over the default, in the units a user writes", () => {
  const given = { LOAD_CLIENTS: "7", LOAD_DURATION: "1.5m", LOAD_CHURN: "750ms", LOAD_TRANSPORT: "polling" };
  const { clients, durationMs, churnMs, transport, roomSize } = readSettings("soak", given);
  assert.deepEqual([clients, durationMs, churnMs, transport, roomSize], [7, 90_000, 750, "polling", 6]);
});

test("a scenario ignores what it does not have", () => {
  assert.ok(!settingsOf("smoke").includes("churnMs"));
  assert.equal(readSettings("smoke", { LOAD_CHURN: "nonsense" }).churnMs, Infinity);
});

test("a bad value is refused with its name, itself and what is allowed", () => {
  const refused: [keyof ReturnType<typeof readSettings>, string, RegExp][] = [
    ["clients", "0", /clients is "0": a whole number from 1 to 20000/],
    ["clients", "1e3", /clients is "1e3"/],
    ["clients", "", /clients is ""/],
    ["durationMs", "30", /duration is "30": a time such as 500ms, 30s or 10m/],
    ["durationMs", "25h", /duration is "25h"/],
    ["durationMs", "-1s", /duration is "-1s"/],
    ["transport", "carrier-pigeon", /transport is "carrier-pigeon": one of polling, upgrade, websocket, mixed/],
    ["roomSize", "1", /room-size is "1": a whole number from 2/],
  ];
  for (const [key, text, message] of refused) {
    assert.throws(() => readSettings("soak", { [variableOf(key)]: text }), message);
  }
});

test("only this machine may be loaded unless one says that the server is one's own", () => {
  for (const url of ["http://127.0.0.1:3000", "https://localhost", "http://[::1]:80/", "http://127.8.9.1"]) {
    refuseForeign(url);
  }
  for (const url of [
    "http://example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://10.0.0.1:3000",
    "http://[::2]",
    "http://0.0.0.0:1",
  ]) {
    assert.throws(() => {
      refuseForeign(url);
    }, /is not this machine/);
  }
  for (const url of ["127.0.0.1:3000", "ws://127.0.0.1", "http://localhost@example.com", "http://127.0.0.1/path", ""]) {
    assert.throws(() => {
      refuseForeign(url);
    }, /is no origin/);
  }
});
