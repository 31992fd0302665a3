/** What is written after a join is held until the hub knows of it; a close right behind it must wait as well. */
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { io } from "socket.io-client";
import { startNode } from "../support/node.js";
import { within } from "../support/wait.js";

const CLIENTS = 100;

for (const transport of ["websocket", "polling"]) {
  test(`a word said after a join and before the end of the connection arrives, over ${transport}`, async (t) => {
    const node = await startNode({ app: path.join(import.meta.dirname, "last-words.app.mjs"), workers: 2 }, t);
    let heard = 0;
    const lastWords = Array.from({ length: CLIENTS }, async (_, i) => {
      const client = io(node.url, { transports: [transport], reconnection: false, forceNew: true });
      client.on("last word", (room) => {
        assert.equal(room, `room ${i}`);
        heard++;
      });
      const ended = new Promise<void>((resolve) => client.on("disconnect", () => resolve()));
      client.on("connect", () => client.emit("end", `room ${i}`));
      await within(ended, 10_000, `the end of client ${i}`);
    });
    await Promise.all(lastWords);
    assert.equal(heard, CLIENTS);
  });
}
