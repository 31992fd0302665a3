/** The private parts of Node that limpet leans on. A test names the part; when a new version changes it, the message says which file must be looked at. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import test from "node:test";
import { DirectWriter } from "../../src/lib/direct-writer.js";
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

test("node: a connection's handle takes a buffer with a request, which has an id while it is in use", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => client.destroy());
  await once(client, "connect");
  const writer = new DirectWriter(client);
  // The stream's own, of which the writer learns the class of Node's requests.
  await new Promise<void>((resolve) => {
    if (writer.write(Buffer.from("first"), () => resolve())) resolve();
  });
  assert.ok(
    writer.write(Buffer.from("second"), () => undefined),
    "src/lib/direct-writer.ts calls the handle's writeBuffer and its request's getAsyncId; without them each write costs more",
  );
});
