import assert from "node:assert/strict";
import test from "node:test";
import { isEnginePath, readRequestLine, sidOf } from "../../src/routing/request-line.js";

const SID = "AAAbcdefghijklmnopqr";
const read = (text: string, max = 100) => readRequestLine(Buffer.from(text, "latin1"), max);

test("a request line cut at any byte is incomplete until its line break is there", () => {
  const line = `GET /socket.io/?EIO=4&transport=polling&sid=${SID} HTTP/1.1\r\n`;
  for (let i = 0; i < line.length; i++) assert.equal(read(line.slice(0, i)).kind, "incomplete", `after ${i} bytes`);
  assert.deepEqual(read(line), { kind: "complete", target: `/socket.io/?EIO=4&transport=polling&sid=${SID}` });
});

test("empty lines before the request line are ignored, a flood of them is not", () => {
  assert.equal(read("\r\n\r\nGET / HTTP/1.1\r\n").kind, "complete");
  assert.equal(read("\r\n".repeat(33)).kind, "not_http");
});

test("what is no HTTP/1 request is told apart from what is not complete", () => {
  for (const text of [
    "\x16\x03\x01\x02",
    "get / HTTP/1.1\r\n",
    "GET /\r\n",
    "GET  / HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n",
    "GET / HTTP/1.1 x\r\n",
    " GET / HTTP/1.1\r\n",
  ]) {
    assert.equal(read(text).kind, "not_http", JSON.stringify(text));
  }
});

test("a line over the limit is refused before it ends", () => {
  assert.equal(read(`GET /${"x".repeat(200)}`).kind, "too_long");
  assert.equal(read(`GET /${"x".repeat(200)} HTTP/1.1\r\n`).kind, "too_long");
  const exact = `GET /${"x".repeat(100 - 14)} HTTP/1.1`;
  assert.equal(exact.length, 100);
  assert.equal(read(`${exact}\r\n`).kind, "complete");
});

test("the sid is the query parameter named exactly so", () => {
  assert.equal(sidOf(`/socket.io/?EIO=4&sid=${SID}&t=1`), SID);
  assert.equal(sidOf(`/socket.io/?sid=${SID}`), SID);
  for (const target of [
    `/?appsid=${SID}`,
    `/?xsid=${SID}&a=1`,
    `/?SID=${SID}`,
    `/?sid`,
    `/?sid=`,
    `/sid=${SID}`,
    `/?a=sid=${SID}`,
    "/",
  ]) {
    assert.equal(sidOf(target), undefined, target);
  }
});

test("of several sids the last counts, as in Engine.IO, also where the query is encoded", () => {
  const other = "BBBbcdefghijklmnopqr";
  assert.equal(sidOf(`/?sid=${other}&sid=${SID}`), SID);
  assert.equal(sidOf(`/?a=%20&sid=${other}&sid=${SID}`), SID);
  assert.equal(sidOf(`/?%73id=${SID}`), SID);
  assert.equal(sidOf(`/?a=b%26sid=${SID}`), undefined);
  const engine = (target: string): string | undefined =>
    Object.fromEntries(new URL(target, "https://socket.io").searchParams)["sid"];
  for (const target of [
    `/?sid=${other}&sid=${SID}`,
    `/?%73id=${SID}`,
    `/?sid=${SID}#x`,
    `/?sid=${SID}%20`,
    `/?x=1&&sid=${SID}`,
  ]) {
    assert.equal(sidOf(target), engine(target), target);
  }
});

test("only Engine.IO's path is its own", () => {
  assert.ok(isEnginePath("/socket.io/?EIO=4", "/socket.io/"));
  assert.ok(!isEnginePath("/socket.iox/?EIO=4", "/socket.io/"));
  assert.ok(!isEnginePath("/", "/socket.io/"));
});
