/** The instruments themselves, where a fault in them would make other tests pass. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { Scrape } from "./metrics-text.js";
import { startNode } from "./node.js";
import { RawConnection } from "./raw-http.js";
import { waitFor, within } from "./wait.js";

/** A connection to a server that does as it is told. */
async function connectTo(t: TestContext, serve: (socket: Socket) => void): Promise<RawConnection> {
  const server = createServer(serve).listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  return RawConnection.open(t, (server.address() as AddressInfo).port);
}

test("waiting ends with the value, or with what there was instead", async () => {
  let asked = 0;
  assert.equal(await waitFor(() => ++asked > 3 && asked), 4);
  await assert.rejects(
    waitFor(() => false, { timeoutMs: 30, message: () => "rain" }),
    /waited 30 ms in vain for rain/,
  );
  const broken = new Error("broken");
  const error = await waitFor(() => Promise.reject(broken), { timeoutMs: 30 }).catch((caught: unknown) => caught);
  assert.equal((error as Error).cause, broken);
  await assert.rejects(within(new Promise(() => undefined), 30, "an end"), /in vain for an end/);
});

test("responses are read one by one from any cut of the bytes", async (t) => {
  const bytes = Buffer.from(
    "HTTP/1.1 100 Continue\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nhello" +
      "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n" +
      "HTTP/1.1 204 No Content\r\n\r\n" +
      "HTTP/1.1 200 OK\r\n\r\nto the end",
  );
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const connection = await connectTo(t, (socket) => {
      socket.write(bytes.subarray(0, cut), () => setImmediate(() => socket.end(bytes.subarray(cut))));
    });
    const first = await connection.readResponse();
    assert.deepEqual([first.status, first.text, first.headers["set-cookie"]], [200, "hello", "a, b"]);
    assert.equal((await connection.readResponse()).text, "abcde");
    assert.equal((await connection.readResponse()).status, 204);
    assert.equal((await connection.readResponse()).text, "to the end");
  }
});

test("a response that is cut short, late or no HTTP is an error", async (t) => {
  const half = await connectTo(t, (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
  await assert.rejects(half.readResponse(), /ended before a response was complete/);
  const silent = await connectTo(t, (socket) => socket.write("HTTP/1.1 200 OK\r\n"));
  await assert.rejects(silent.readResponse({ timeoutMs: 50 }), /in vain for a response; received 17 bytes/);
  const garbage = await connectTo(t, (socket) => socket.end("SSH-2.0-x\r\n\r\n"));
  await assert.rejects(garbage.readResponse(), /not a status line/);
});

test("a scrape gives sums by name and labels, and never 0 for a name that is not there", () => {
  const scrape = new Scrape(
    '# HELP a_total x\n# TYPE a_total counter\na_total{w="0",q="x\\"y\\\\z"} 1\na_total{w="1",q=""} 2.5\nb 3e2\nc_bucket{le="+Inf"} 7\n',
  );
  assert.equal(scrape.sum("a_total"), 3.5);
  assert.equal(scrape.sum("a_total", { w: "0", q: 'x"y\\z' }), 1);
  assert.equal(scrape.sum("b"), 300);
  assert.equal(scrape.sum("c_bucket", { le: "+Inf" }), 7);
  assert.throws(() => scrape.sum("a"), /no metric has that name/);
  assert.throws(() => scrape.sum("a_total", { w: "2" }), /there are \{"w":"0"/);
  assert.throws(() => new Scrape("a_total{w=0} 1"), /do not parse/);
  assert.throws(() => new Scrape("a total 1"), /not a line/);
});

test("a node that cannot start is an error that shows what it wrote", async (t) => {
  await assert.rejects(startNode({ args: ["--nonsense"] }, t), /--nonsense.*unknown flag/s);
});

test("a node stops in order, and its processes are gone after a kill", async (t) => {
  const stopped = await startNode({}, t);
  assert.deepEqual(await stopped.stop(), { code: 0, signal: null });
  const killed = await startNode({ workers: 1 }, t);
  const pids = [killed.pid, ...(await killed.workers()).map(({ pid }) => pid)];
  await killed.kill();
  await waitFor(() => pids.every((pid) => !isAlive(pid)), { message: "the processes to be gone" });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
    return false;
  }
}
