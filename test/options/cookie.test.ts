import assert from "node:assert/strict";
import test from "node:test";
import { createSid, sidPrefix } from "../../src/routing/address.js";
import { slotOf } from "../front/sessions.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { compare, forwarded, handshake, seen, startWith, upgradeRequest, type Options, type Site } from "./sites.js";

async function visit(site: Site) {
  const { response, sid, target } = await handshake(site);
  const connection = await site.connect(sid);
  const upgrading = await site.connect(sid);
  return {
    handshake: seen(response, sid),
    post: seen(await connection.request({ target, body: "40" }), sid),
    poll: seen(await connection.request({ target }), sid).headers["set-cookie"],
    upgrade: seen(await upgrading.request(upgradeRequest(target)), sid),
    webSocket: seen(await (await site.connect()).request(upgradeRequest("/socket.io/?EIO=4&transport=polling"))),
  };
}

const CASES: readonly { options: Options["cookie"]; cookie: string | undefined }[] = [
  { options: true, cookie: "io=SID; Path=/; HttpOnly; SameSite=Lax" },
  {
    options: { name: "route", path: "/chat", httpOnly: false, sameSite: "none", secure: true, maxAge: 60 },
    cookie: "route=SID; Max-Age=60; Path=/chat; Secure; SameSite=None",
  },
  { options: false, cookie: undefined },
];

for (const { options, cookie } of CASES) {
  test(`with cookie ${JSON.stringify(options)} a polling handshake sets ${cookie ?? "none"}, and nothing else does`, async (t) => {
    const { handshake, post, poll, upgrade, webSocket } = await compare(t, { cookie: options ?? false }, visit);
    assert.equal(handshake.headers["set-cookie"], cookie);
    assert.equal(poll, undefined);
    for (const { headers } of [post, upgrade, webSocket]) assert.equal(headers["set-cookie"], undefined);
    assert.deepEqual([handshake.status, post.status, upgrade.status, webSocket.status], [200, 200, 101, 101]);
  });
}

test("a cookie with a session id never chooses the worker", async (t) => {
  const node = await startWith(t, { cookie: true });
  const headers = { Cookie: `io=${createSid(sidPrefix({ node: 0, slot: 0 }))}` };
  const slots = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const polling = await PollingSession.open(t, { port: node.port, headers });
    // The cookie names worker 0, the request line the session's own.
    await polling.joinMain();
    const webSocket = await WebSocketSession.open(t, { port: node.port, headers });
    await webSocket.joinMain();
    for (const session of [polling, webSocket]) slots.add(slotOf(session));
  }
  assert.deepEqual([...slots].sort(), [0, 1], "new sessions go to both workers");
  assert.equal(await forwarded(node), 0, "the front sent each request to the session's owner");
});
