/** POSTs of one byte for a session that is gone: a goodbye is answered as Engine.IO answers one, all else as it answers strangers, and nothing is left unanswered. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { startGatedServer } from "./gated-server.js";

const GONE = "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";

for (const [what, body, reads, status] of [
  ["a goodbye", "1", false, 200],
  ["a pong", "3", false, 400],
  ["a goodbye that was on its way to an owner that ended", "1", true, 400],
  ["a pong that was on its way to an owner that ended", "3", true, 400],
] as const) {
  test(`${what} is answered ${status}`, async (t) => {
    const { engine } = await startGatedServer(t);
    const server = createServer((request, response) => {
      if (!reads) {
        engine.handleRequest(request, response);
        return;
      }
      // As forwarding leaves it where the owner could not be reached.
      request.resume().once("end", () => engine.handleRequest(request, response));
    });
    t.after(() => server.close().closeAllConnections());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const signal = AbortSignal.timeout(5_000);
    const answer = await fetch(`http://127.0.0.1:${port}${GONE}`, { method: "POST", body, signal });
    const text = await answer.text();
    assert.equal(answer.status, status, text);
    if (status === 200) assert.equal(text, "ok");
    else assert.deepEqual(JSON.parse(text), { code: 1, message: "Session ID unknown" });
  });
}
