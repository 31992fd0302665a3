/** The examples, each as a real node of two workers. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import type { Socket } from "socket.io-client";
import { startNode } from "../support/node.js";
import { ask, connect, connectToTwoWorkers, next } from "./clients.js";

test("examples/chat: two people on two workers join, write, send an image and type", async (t) => {
  const node = await startNode({ app: "examples/chat/app.js" }, t);
  const page = await fetch(node.url);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(await page.text(), /<title>Chat<\/title>/);
  assert.equal((await fetch(`${node.url}/nothing`)).status, 404);

  let seen = 0;
  const join = async (client: Socket): Promise<number> =>
    Number((await ask(client, "join", { room: "harbour", name: `guest ${++seen}` }))["worker"]);
  const [ada, bo] = await connectToTwoWorkers(t, node.url, join);
  const { members } = await ask(ada, "join", { room: "harbour", name: "Ada" });
  assert.ok((members as string[]).includes("Ada") && (members as string[]).includes(`guest ${seen}`));

  const text = next(bo, "text");
  assert.deepEqual(await ask(ada, "text", "ahoy"), { ok: true });
  assert.deepEqual(await text, { from: "Ada", text: "ahoy" });

  const bytes = randomBytes(50_000);
  const image = next<{ from: string; image: Buffer }>(bo, "image");
  assert.deepEqual(await ask(ada, "image", bytes), { ok: true });
  assert.ok(bytes.equals(Buffer.from((await image).image)));

  const typing = next(bo, "typing");
  ada.emit("typing");
  assert.deepEqual(await typing, { from: "Ada" });

  const left = next(bo, "left");
  ada.disconnect();
  assert.deepEqual(await left, { name: "Ada" });
});

test("examples/chat: what is wrong is refused by an acknowledgement", async (t) => {
  const node = await startNode({ app: "examples/chat/app.js" }, t);
  const client = await connect(t, node.url);
  const refusals: [string, unknown[]][] = [
    ["join", [null]],
    ["join", [{ room: 1, name: "Ada" }]],
    ["text", ["too early"]],
    ["image", [Buffer.from("too early")]],
  ];
  for (const [event, payload] of refusals) assert.equal((await ask(client, event, ...payload)).ok, false, event);
  client.emit("join", null, "no function");
  client.emit("typing");
  assert.equal((await ask(client, "join", { room: "harbour", name: "Ada" })).ok, true);
  assert.equal((await ask(client, "text", { not: "text" })).ok, false);
  assert.equal((await ask(client, "image", Buffer.alloc(500_001))).ok, false);
});

test("examples/express: a notice sent by HTTP reaches the watchers of both workers, and is counted", async (t) => {
  const node = await startNode({ app: "examples/express/app.ts" }, t);
  assert.match(await (await fetch(node.url)).text(), /<title>Notices<\/title>/);

  const watchers = await Promise.all(Array.from({ length: 6 }, () => connect(t, node.url)));
  assert.deepEqual(await (await fetch(`${node.url}/watchers`)).json(), { watchers: 6 });

  const heard = watchers.map((watcher) => next<{ text: string }>(watcher, "notice"));
  const post = (body: string): Promise<Response> =>
    fetch(`${node.url}/notices`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const response = await post(JSON.stringify({ text: "high water at noon" }));
  assert.equal(response.status, 202);
  for (const notice of await Promise.all(heard)) assert.equal(notice.text, "high water at noon");
  assert.equal(await node.metric("notices_total"), 1);

  for (const body of ["{}", '{"text":""}', "not JSON", JSON.stringify({ text: "x".repeat(501) })]) {
    assert.equal((await post(body)).status, 400, body);
  }
  assert.equal((await fetch(`${node.url}/nothing`)).status, 404);
});
