import assert from "node:assert/strict";
import test, { after } from "node:test";
import { createSid, sidPrefix } from "../../src/routing/address.js";
import { EngineRefusal, PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { rawRequest } from "../support/raw-http.js";
import { sessionOnEach, slotOf } from "./sessions.js";

const WORKERS = 3;
const node = await startNode({ app: "test/front/app.ts", workers: WORKERS }, { after });
const { port } = node;
const rescues = (): Promise<number> => node.metric("limpet_rescues_total");

const disguises = (sid: string): Record<string, { query?: string; headers?: Record<string, string> }> => ({
  "a parameter whose name ends with sid": { query: `appsid=${sid}&xsid=${sid}` },
  "a parameter SID": { query: `SID=${sid}&Sid=${sid}` },
  "a parameter whose value holds sid=": { query: `next=sid=${sid}&then=%26sid%3D${sid}` },
  cookies: { headers: { Cookie: `sid=${sid}; io=${sid}; SID=${sid}; a=?sid=${sid}` } },
  "the referrer": { headers: { Referer: `http://limpet.test/socket.io/?EIO=4&transport=polling&sid=${sid}` } },
  "a header": { headers: { Sid: sid, "X-Original-Url": `/socket.io/?sid=${sid}` } },
});

for (const what of Object.keys(disguises(""))) {
  test(`a session id in ${what} changes no route: new sessions spread, and each works`, async (t) => {
    const before = await rescues();
    for (const { sid: other } of await sessionOnEach(t, { port }, WORKERS)) {
      const options = { port, ...disguises(other)[what] };
      const slots = new Set<number>();
      for (let i = 0; i < 12; i++) {
        const session = await PollingSession.open(t, options);
        slots.add(slotOf(session));
        await session.joinMain();
        await session.post('421["echo","x"]');
        assert.deepEqual(await session.poll(), ['431["x"]']);
        const { session: upgraded } = await session.upgrade();
        upgraded.send('422["echo","y"]');
        assert.equal(await upgraded.next(), '432["y"]');
        await upgraded.close();
        const direct = await WebSocketSession.open(t, options);
        slots.add(slotOf(direct));
        await direct.close();
      }
      assert.equal(slots.size, WORKERS, `they went to ${[...slots].join(", ")} only`);
    }
    // The polls and POSTs of one session share no connection with another's: every one went straight to its worker.
    assert.equal((await rescues()) - before, 0);
  });
}

const strangers = {
  "of a slot that has no worker": createSid(sidPrefix({ node: 0, slot: 40 })),
  "of a worker of this node that never gave it out": createSid(sidPrefix({ node: 0, slot: 1 })),
  "of another node": createSid(sidPrefix({ node: 7, slot: 0 })),
  "that is too short": "AAA",
  "that is too long": `${createSid(sidPrefix({ node: 0, slot: 1 }))}x`,
  "of characters that none has": "AAB%00%0d%0a$!~~~~~~~~~~~~",
  "named like a property of every object": "__proto__",
  "named like a function of every object": "hasOwnProperty",
};

for (const [what, sid] of Object.entries(strangers)) {
  test(`a session id ${what} is answered 400 with code 1, so that the client starts anew`, async (t) => {
    for (const method of ["GET", "POST"]) {
      const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      for (let i = 0; i < WORKERS; i++) {
        const { status, text } = await rawRequest(t, port, {
          method,
          target,
          ...(method === "POST" && { body: "40" }),
        });
        assert.deepEqual([status, JSON.parse(text)], [400, { code: 1, message: "Session ID unknown" }], method);
      }
    }
    const query = `sid=${sid}`;
    await assert.rejects(
      () => WebSocketSession.open(t, { port, query }),
      (error) => error instanceof EngineRefusal && error.status === 400 && error.message.includes("Session ID unknown"),
    );
  });
}

test("a slot whose worker has just ended answers 400 with code 1 before and after it is replaced", async (t) => {
  const sessions = await sessionOnEach(t, { port }, WORKERS);
  const victim = sessions[2];
  const worker = (await node.workers()).find(({ slot }) => slot === 2);
  assert.ok(victim !== undefined && worker !== undefined);
  process.kill(worker.pid, "SIGKILL");
  await node.waitForLog(({ msg, pid }) => msg === "worker ended unexpectedly" && pid === worker.pid);
  const { target } = victim;
  const ask = async (): Promise<number> => (await rawRequest(t, port, { target })).status;
  assert.equal(await ask(), 400, "while nobody is there");
  await node.waitForLog(({ msg, slot, pid }) => msg === "worker ready" && slot === 2 && pid !== worker.pid);
  assert.equal(await ask(), 400, "from its replacement");
  await sessions[0]?.joinMain();
  await sessions[1]?.joinMain();
});
