/** Connections to Redis are read and written past Node's stream, again after each reconnection, and commands and replies are whole. */
import assert from "node:assert/strict";
import test from "node:test";
import { passStream } from "../../src/lib/redis-client.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

test("replies of every size come past the stream, also on a connection that is made anew", async (t) => {
  const redis = await startRedis(t);
  const client = passStream(redis.client({ lazyConnect: true }));
  let streamed = 0;
  let written = 0;
  client.on("connect", () => {
    const { stream } = client;
    const push = stream.push.bind(stream);
    stream.push = (...args) => {
      if (args[0] !== null) streamed++;
      return push(...args);
    };
    const write = stream._write.bind(stream);
    stream._write = (...args) => (written++, write(...args));
  });
  await client.connect();
  const large = "é".repeat(1_500_000);
  for (const connection of ["the first", "the second"]) {
    await client.set("large", large);
    assert.equal(await client.get("large"), large, connection);
    const many = await Promise.all(Array.from({ length: 500 }, (_, n) => client.echo(String(n))));
    assert.deepEqual(
      many,
      Array.from({ length: 500 }, (_, n) => String(n)),
    );
    assert.equal(streamed, 0, `${connection} was read through its stream`);
    // By the stream go the very first of the process, and what the kernel does not take at once.
    assert.ok(written < 100, `${connection} was written to through its stream: ${written} times`);
    written = 0;
    client.disconnect(true);
    await waitFor(() => client.status === "ready", { message: "it to be connected again" });
  }
});
