import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { rawRequest } from "../support/raw-http.js";
import { compare, seen, type Site } from "./sites.js";

const FILES = [
  "socket.io.js",
  "socket.io.min.js",
  "socket.io.esm.min.js",
  "socket.io.msgpack.min.js",
  "socket.io.js.map",
];

async function visit(t: TestContext, { port }: Site, path: string) {
  const answers = [];
  for (const name of FILES) {
    const target = `${path}${name}`;
    const whole = await rawRequest(t, port, { target });
    const zipped = await rawRequest(t, port, { target, headers: { "Accept-Encoding": "gzip" } });
    const etag = whole.headers["etag"] ?? "";
    const again = await rawRequest(t, port, { target, headers: { "If-None-Match": etag } });
    answers.push({ name, whole: seen(whole), zipped: seen(zipped), again: seen(again) });
  }
  return answers;
}

test("the client's files are served below the path, and not again to who has them", async (t) => {
  const answers = await compare(t, { path: "/live" }, (site) => visit(t, site, "/live/"));
  for (const { name, whole, again } of answers) {
    assert.deepEqual([name, whole.status, again.status], [name, 200, 304]);
    assert.ok(whole.text.length > 10_000);
  }
});

test("where they are not to be served, Engine.IO refuses the requests for them", async (t) => {
  const answers = await compare(t, { serveClient: false }, (site) => visit(t, site, "/socket.io/"));
  for (const { name, whole } of answers)
    assert.deepEqual([name, whole.status, whole.text], [name, 400, '{"code":0,"message":"Transport unknown"}']);
});
