import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { io } from "socket.io-client";
import { startNode, type TestNode } from "../support/node.js";
import { rawRequest } from "../support/raw-http.js";
import { APP, compare, handshake, seen, startWith, upgradeRequest, type Site } from "./sites.js";

const PATH = "/live/chat";

/** What is Socket.IO's and what is the app's. */
async function visit(t: TestContext, site: Site) {
  const targets = [
    `${PATH}?EIO=4&transport=polling`,
    `${PATH}s/?EIO=4&transport=polling`,
    `${PATH}/?EIO=4&transport=polling&sid=x`,
    `${PATH}/more?EIO=4&transport=polling&sid=x`,
    `${PATH.toUpperCase()}/?EIO=4&transport=polling`,
    `${PATH}/socket.io.js.mapp`,
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/socket.io.js",
    "/",
  ];
  const answers = [];
  for (const target of targets) answers.push([target, seen(await rawRequest(t, site.port, { target }))] as const);
  const { response, sid, target } = await handshake(site, { path: `${PATH}/` });
  const connection = await site.connect(sid);
  return {
    answers: Object.fromEntries(answers),
    handshake: seen(response, sid),
    post: seen(await connection.request({ target, body: "40" })),
    app: seen(await connection.request({ target: `/?sid=${sid}` }), sid),
    poll: (await connection.request({ target })).text.slice(0, 3),
    upgrade: seen(await (await site.connect(sid)).request(upgradeRequest(target))),
  };
}

for (const path of [PATH, `${PATH}/`]) {
  test(`at the path ${path} the same requests are Socket.IO's and the same the app's as on a stock server`, async (t) => {
    const { answers, post, poll, app, upgrade } = await compare(t, { path }, (site) => visit(t, site));
    const toApp = Object.entries(answers).filter(([, { text }]) => text.startsWith("the app has"));
    assert.equal(toApp.length, 6);
    assert.deepEqual([post.status, poll, app.text, upgrade.status], [200, "40{", "the app has /?sid=SID", 101]);
  });
}

/** Clients by each transport, several, so that there is one on each worker. */
async function connectAll(t: TestContext, node: TestNode, path: string): Promise<void> {
  const workers = new Set<number>();
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    for (let i = 0; i < 4; i++) {
      const client = io(node.url, { path, transports, forceNew: true, reconnection: false });
      t.after(() => void client.disconnect());
      workers.add((await client.timeout(10_000).emitWithAck("who")) as number);
    }
  }
  assert.deepEqual([...workers].sort(), [0, 1]);
}

test("stock clients connect at the path of the file, written with a slash at its end or without", async (t) => {
  const node = await startWith(t, { path: `${PATH}/` });
  await connectAll(t, node, PATH);
  await connectAll(t, node, `${PATH}/`);
});

for (const path of [PATH, `${PATH}/`]) {
  test(`stock clients connect at the path of the variable, ${path}`, async (t) => {
    const node = await startNode({ app: APP, env: { LIMPET_SOCKETIO_PATH: path } }, t);
    await connectAll(t, node, PATH);
    const { status, text } = await rawRequest(t, node.port, { target: "/socket.io/?EIO=4&transport=polling" });
    assert.deepEqual([status, text], [200, "the app has /socket.io/?EIO=4&transport=polling"]);
  });
}
