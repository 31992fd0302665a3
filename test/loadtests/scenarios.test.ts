import assert from "node:assert/strict";
import test, { before, after } from "node:test";
import { type K6Run, runLoad } from "../support/k6.js";
import { startNode, type TestNode } from "../support/node.js";

/** Small and short; the machine of a test run is busy with other tests, so its speed is not the subject. */
const PATIENT = ["--connect-p95", "20s"];
const PATIENT_ROOM = [...PATIENT, "--delivery-p99", "20s"];

let node: TestNode;

before(async () => {
  node = await startNode({ app: "loadtests/app.mjs" });
});

after(async () => {
  await node.stop();
});

/** The value of a counter in k6's summary. */
function total({ output }: K6Run, metric: string): number {
  const line = new RegExp(`^ *${metric}\\.*: +(\\d+)`, "m").exec(output);
  assert.ok(line, `no ${metric} in:\n${output}`);
  return Number(line[1]);
}

test("npm run load starts a node of its own, runs smoke over all transports, and ends with 0", async () => {
  const run = await runLoad(["smoke", "--clients", "6", "--duration", "3s", ...PATIENT_ROOM]);
  assert.equal(run.code, 0, run.output);
  assert.equal(total(run, "load_finished"), 2);
  assert.equal(total(run, "socketio_sessions_opened"), 6);
  assert.equal(total(run, "socketio_sessions_closed"), 6);
  assert.ok(total(run, "load_deliveries_expected") >= 18);
  assert.equal(total(run, "socketio_messages_received"), total(run, "load_deliveries_expected"));
});

test("connect makes handshakes at its rate", async () => {
  const run = await runLoad(["connect", "--url", node.url, "--rate", "20", "--duration", "3s", ...PATIENT]);
  assert.equal(run.code, 0, run.output);
  assert.ok(total(run, "socketio_sessions_opened") >= 58, run.output);
});

test("fanout reaches every member of a room, on both workers", async () => {
  const before = await node.metric("limpet_hub_messages_total", { outcome: "forwarded" });
  const run = await runLoad([
    ...["fanout", "--url", node.url, "--clients", "40", "--room-size", "20", "--duration", "3s"],
    ...PATIENT_ROOM,
  ]);
  assert.equal(run.code, 0, run.output);
  assert.ok(total(run, "load_deliveries_expected") >= 200, run.output);
  const forwarded = await node.metric("limpet_hub_messages_total", { outcome: "forwarded" });
  assert.ok(forwarded > before, "no message passed between the workers");
});

test("polling loads by long-polling alone", async () => {
  const run = await runLoad([
    ...["polling", "--url", node.url, "--clients", "10", "--room-size", "5", "--duration", "3s"],
    ...PATIENT_ROOM,
  ]);
  assert.equal(run.code, 0, run.output);
  assert.ok(total(run, "load_deliveries_expected") >= 30, run.output);
  assert.doesNotMatch(run.output, /ws_sessions/);
});

test("soak replaces members while the others talk", async () => {
  const run = await runLoad([
    ...["soak", "--url", node.url, "--clients", "9", "--room-size", "3", "--duration", "5s"],
    ...["--churn", "500ms", "--interval", "200ms", ...PATIENT_ROOM],
  ]);
  assert.equal(run.code, 0, run.output);
  assert.ok(total(run, "load_members_replaced") >= 6, run.output);
  assert.equal(total(run, "socketio_sessions_opened"), 9 + total(run, "load_members_replaced"));
  assert.equal(total(run, "socketio_sessions_closed"), total(run, "socketio_sessions_opened"));
});

test("lost, doubled and overtaken messages fail a run", async (t) => {
  const wrong = await startNode({ app: "test/loadtests/wrong-app.mjs" }, t);
  const run = await runLoad([
    ...["fanout", "--url", wrong.url, "--clients", "3", "--room-size", "3", "--duration", "4s", "--interval", "50ms"],
    ...PATIENT_ROOM,
  ]);
  assert.equal(run.code, 99, run.output);
  for (const metric of ["missing", "duplicate", "misordered"]) {
    assert.match(run.output, new RegExp(`load_deliveries_${metric}\n.*✗ 'count==0' count=[1-9]`), metric);
  }
});

test("a crossed limit of time fails a run", async () => {
  const run = await runLoad([
    ...["smoke", "--url", node.url, "--clients", "3", "--duration", "2s"],
    ...["--connect-p95", "1ms", "--delivery-p99", "20s"],
  ]);
  assert.equal(run.code, 99, run.output);
  assert.match(run.output, /socketio_connect_time\n.*✗ 'p\(95\)<1'/);
});

test("a server that is not there fails a run, and so does one elsewhere, before a byte is sent", async () => {
  const absent = await runLoad(["smoke", "--url", "http://127.0.0.1:9", "--clients", "3", "--duration", "1s"]);
  assert.equal(absent.code, 99, absent.output);
  const foreign = await runLoad(["smoke", "--url", "http://192.0.2.1:3000"]);
  assert.equal(foreign.code, 1);
  assert.match(foreign.output, /192\.0\.2\.1 is not this machine.*--i-own-this-server/);
});

test("--help lists the scenarios, and a scenario's its settings with their defaults", async () => {
  const all = await runLoad(["--help"]);
  assert.equal(all.code, 0);
  for (const name of ["smoke", "connect", "fanout", "polling", "soak"])
    assert.match(all.output, new RegExp(`^ +${name} `, "m"));
  const soak = await runLoad(["soak", "--help"]);
  assert.match(soak.output, /--churn <time>[^-]*default:\s+"2s"/);
  assert.doesNotMatch(soak.output, /--rate/);
});
