/** The private parts of Node that limpet leans on. A test names the part; when a new version changes it, the message says which file must be looked at. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import test from "node:test";
import { readDirectly } from "../../src/lib/read-directly.js";

test("node: a connection takes onread's buffer and callback after it was made", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => client.destroy());
  const [accepted] = (await once(server, "connection")) as [Socket];
  t.after(() => accepted.destroy());
  assert.ok(
    readDirectly(accepted, () => undefined),
    "src/lib/read-directly.ts sets kBuffer and kBufferCb, and calls the handle's useUserBuffer; without them each message costs more",
  );
});
