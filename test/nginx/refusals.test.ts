/** What nginx makes of nodes that refuse new sessions: they are busy, not broken. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { nginxConfig } from "../../src/cli/nginx-config.js";
import { startNginx, type Nginx } from "../support/nginx.js";
import { rawRequest, type RawResponse } from "../support/raw-http.js";
import { FakeGateway } from "./fake-gateway.js";
import { DEFAULTS } from "./options.js";

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const COUNT = 40;

async function start(
  t: TestContext,
  change: (text: string) => string = (text) => text,
): Promise<{ nginx: Nginx; first: FakeGateway; second: FakeGateway }> {
  const [first, second] = [await FakeGateway.start(t), await FakeGateway.start(t)];
  const nodes = [first, second].map(({ address }, id) => ({ id, address }));
  const nginx = await startNginx(t, ({ port }) =>
    change(nginxConfig({ ...DEFAULTS, nodes, listen: `127.0.0.1:${port}` })),
  );
  return { nginx, first, second };
}

async function openMany(t: TestContext, nginx: Nginx): Promise<RawResponse[]> {
  const answers: RawResponse[] = [];
  for (let i = 0; i < COUNT; i++) answers.push(await rawRequest(t, nginx.port, { target: HANDSHAKE }));
  return answers;
}

const statuses = (answers: readonly RawResponse[]): number[] =>
  [...new Set(answers.map(({ status }) => status))].sort();

test("a session that one node refuses begins at another, and the one that refuses is asked again", async (t) => {
  const { nginx, first, second } = await start(t);
  first.behaviour = "refuse";
  assert.deepEqual(statuses(await openMany(t, nginx)), [200]);
  assert.equal(second.arrivals.length, COUNT);
  assert.ok(first.arrivals.length >= COUNT / 4, `${first.arrivals.length} of ${COUNT} asked the one that refuses`);
  first.behaviour = "answer";
  second.behaviour = "refuse";
  assert.deepEqual(statuses(await openMany(t, nginx)), [200], "and takes sessions as soon as it can");
});

test("where every node refuses, the client gets the gateway's own answer, and the next may come in", async (t) => {
  const { nginx, first, second } = await start(t);
  for (const gateway of [first, second]) gateway.behaviour = "refuse";
  const answers = await openMany(t, nginx);
  assert.deepEqual(statuses(answers), [503]);
  assert.deepEqual([...new Set(answers.map(({ headers }) => headers["retry-after"]))], ["2"]);
  assert.ok(first.arrivals.length + second.arrivals.length <= 4 * COUNT, "each is asked a few times at most");
  for (const gateway of [first, second]) gateway.behaviour = "answer";
  assert.deepEqual(statuses(await openMany(t, nginx)), [200]);
});

test("an nginx that takes a refusal for a failure answers 502 by itself, for seconds", async (t) => {
  const asUsual = (text: string): string =>
    text
      .replace("proxy_next_upstream error timeout;", "proxy_next_upstream error timeout http_503;")
      .replace("error_page 503 = @limpet_again;", "");
  const { nginx, first, second } = await start(t, asUsual);
  for (const gateway of [first, second]) gateway.behaviour = "refuse";
  assert.ok(statuses(await openMany(t, nginx)).includes(502));
  for (const gateway of [first, second]) gateway.behaviour = "answer";
  assert.ok(statuses(await openMany(t, nginx)).includes(502), "though both would take sessions now");
});

test("what is refused and belongs to a session, or is no GET, is not sent twice", async (t) => {
  const { nginx, first, second } = await start(t);
  for (const gateway of [first, second]) gateway.behaviour = "refuse";
  const requests = [
    { target: `${HANDSHAKE}&sid=AAAxxxxxxxxxxxxxxxxx` },
    { target: `${HANDSHAKE}&sid=unknown` },
    { target: `${HANDSHAKE}&sid=AAAxxxxxxxxxxxxxxxxx`, body: "40" },
    { target: HANDSHAKE, body: "40" },
  ];
  for (const request of requests) {
    const { status, headers } = await rawRequest(t, nginx.port, request);
    assert.deepEqual([status, headers["retry-after"]], [503, "2"]);
    const arrived = [...first.arrivals.splice(0), ...second.arrivals.splice(0)];
    assert.equal(arrived.length, 1, JSON.stringify(request));
  }
});
