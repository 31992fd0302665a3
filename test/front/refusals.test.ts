import assert from "node:assert/strict";
import { connect } from "node:net";
import test, { after } from "node:test";
import { PollingSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, rawRequest, requestBytes } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";

/** Short limits, so that reaching them takes no time. */
const LIMITS = {
  LIMPET_FRONT_MAX_REQUEST_LINE_BYTES: "1024",
  LIMPET_FRONT_REQUEST_LINE_TIMEOUT_MS: "500",
  LIMPET_HTTP_HEADERS_TIMEOUT_MS: "1000",
  LIMPET_HTTP_REQUEST_TIMEOUT_MS: "1500",
  LIMPET_SOCKETIO_MAX_HTTP_BUFFER_SIZE: "100000",
};
/** Generous: every limit is at most 1.5 s, and Node looks for overdue requests once a second. */
const BOUND_MS = 8_000;

const node = await startNode({ app: "test/front/app.ts", workers: 2, env: LIMITS }, { after });

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const refusals = (reason: string): Promise<number> => node.metric("limpet_front_refusals_total", { reason });

interface Refusal {
  readonly what: string;
  readonly bytes: string | Buffer;
  readonly status: number;
  /** Where the front refuses it: the reason it counts. */
  readonly reason?: string;
}

const TLS_HELLO = Buffer.from("16030100c8010000c40303", "hex");
const cases: readonly Refusal[] = [
  { what: "silence", bytes: "", status: 408, reason: "request_line_timeout" },
  { what: "empty lines and then silence", bytes: "\r\n\r\n", status: 408, reason: "request_line_timeout" },
  {
    what: "half a request line and then silence",
    bytes: `GET ${HANDSHAKE}`,
    status: 408,
    reason: "request_line_timeout",
  },
  {
    what: "a request line that never ends",
    bytes: `GET /${"a".repeat(2_000)}`,
    status: 414,
    reason: "request_line_too_long",
  },
  {
    what: "a request line that is complete and too long",
    bytes: `GET /${"a".repeat(2_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    status: 414,
    reason: "request_line_too_long",
  },
  { what: "a TLS hello", bytes: TLS_HELLO, status: 400, reason: "not_http" },
  { what: "the preface of HTTP/2", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 400, reason: "not_http" },
  { what: "binary garbage", bytes: Buffer.alloc(600, 0xfe), status: 400, reason: "not_http" },
  { what: "lines of another protocol", bytes: "EHLO limpet.test\r\n", status: 400, reason: "not_http" },
  { what: "a flood of empty lines", bytes: "\r\n".repeat(5_000), status: 400, reason: "not_http" },
  { what: "a request line of HTTP/0.9", bytes: "GET /\r\n", status: 400, reason: "not_http" },
  { what: "a head that stops after the request line", bytes: `GET ${HANDSHAKE} HTTP/1.1\r\n`, status: 408 },
  {
    what: "a head that stops inside its headers",
    bytes: `GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\nX-A: b`,
    status: 408,
  },
  {
    what: "a flood of headers",
    bytes: `GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\n${"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(450)}\r\n`,
    status: 431,
  },
  { what: "a header that is none", bytes: `GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n`, status: 400 },
  {
    what: "two lengths that differ",
    bytes: `POST ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
    status: 400,
  },
];

for (const { what, bytes, status, reason } of cases) {
  test(`${what} is answered ${status}, and the connection closed`, async (t) => {
    const before = reason === undefined ? 0 : await refusals(reason);
    const connection = await RawConnection.open(t, node.port);
    await connection.write(bytes);
    const response = await connection.readResponse({ timeoutMs: BOUND_MS });
    assert.equal(response.status, status);
    assert.equal(response.headers["connection"], "close");
    await connection.waitForEnd(BOUND_MS);
    assert.deepEqual(connection.received, Buffer.alloc(0), "nothing follows the answer");
    if (reason !== undefined) assert.equal((await refusals(reason)) - before, 1, "it is counted by its reason");
  });
}

test("a refused client that goes on sending for ever is cut off", async (t) => {
  const socket = connect({ port: node.port, host: "127.0.0.1", allowHalfOpen: true });
  const connection = new RawConnection(socket);
  const flood = setInterval(() => socket.write(Buffer.alloc(16_384, 0xfe)), 5);
  t.after(() => {
    clearInterval(flood);
    socket.destroy();
  });
  assert.equal((await connection.readResponse({ timeoutMs: BOUND_MS })).status, 400);
  // Its own half stays open: only a reset ends what it sends.
  await waitFor(() => socket.errored, { timeoutMs: BOUND_MS, message: "the reset" });
});

test("a body that never ends is answered 408, and the connection closed", async (t) => {
  const session = await PollingSession.open(t, { port: node.port });
  const connection = await RawConnection.open(t, node.port);
  const whole = requestBytes({
    target: session.target,
    headers: { "Content-Type": "text/plain" },
    body: "4".repeat(5_000),
  });
  await connection.write(whole.subarray(0, whole.length - 1_000));
  const response = await connection.readResponse({ timeoutMs: BOUND_MS });
  assert.equal(response.status, 408);
  await connection.waitForEnd(BOUND_MS);
});

test("a body over maxHttpBufferSize is answered 413, whether its length is announced or not", async (t) => {
  for (const chunked of [false, true]) {
    const session = await PollingSession.open(t, { port: node.port });
    const connection = await RawConnection.open(t, node.port);
    const length = chunked ? "Transfer-Encoding: chunked" : "Content-Length: 200000";
    await connection.write(
      `POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n${length}\r\n\r\n`,
    );
    // The refusal may come before all is written, and with it a reset.
    connection.socket.write(chunked ? `30d40\r\n${"4".repeat(200_000)}\r\n0\r\n\r\n` : "4".repeat(200_000));
    const response = await connection.readResponse({ timeoutMs: BOUND_MS });
    assert.equal(response.status, 413, chunked ? "chunked" : "with Content-Length");
  }
});

test("a client that ends before its request line is complete is closed at once", async (t) => {
  const connection = await RawConnection.open(t, node.port);
  connection.socket.end("GET /socket.io/?EIO=4");
  await connection.waitForEnd(BOUND_MS);
  assert.equal(connection.received.length, 0);
});

for (const [what, request] of Object.entries({
  "a handshake": { target: HANDSHAKE },
  "a POST to the app": { target: "/half", body: "abc" },
})) {
  test(`a client that closes its half after ${what} still gets its answer`, async (t) => {
    for (let i = 0; i < 10; i++) {
      const connection = await RawConnection.open(t, node.port);
      connection.socket.end(requestBytes(request));
      assert.equal((await connection.readResponse({ timeoutMs: BOUND_MS })).status, 200);
      await connection.waitForEnd(BOUND_MS);
    }
  });
}

test("a client that closes its half while its request is worked on is closed, as by any server of Node", async (t) => {
  const { target } = await PollingSession.open(t, { port: node.port });
  for (const request of [{ target: "/later" }, { target }]) {
    const connection = await RawConnection.open(t, node.port);
    connection.socket.end(requestBytes(request));
    await connection.waitForEnd(BOUND_MS);
    assert.equal(connection.received.length, 0);
  }
});

test("after all that both workers serve, and none was replaced", async (t) => {
  for (let i = 0; i < 10; i++) assert.equal((await rawRequest(t, node.port, { target: HANDSHAKE })).status, 200);
  assert.deepEqual(
    (await node.workers()).map(({ state, restarts, incarnation }) => ({ state, restarts, incarnation })),
    [1, 2].map((incarnation) => ({ state: "ready", restarts: 0, incarnation })),
  );
});
