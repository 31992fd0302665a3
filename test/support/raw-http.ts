/** HTTP/1.1 over a bare TCP connection: a test decides about every byte and its moment, and each read has a deadline. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Scope } from "./children.js";
import { within } from "./wait.js";

const DEADLINE_MS = 10_000;

export interface RawResponse {
  readonly status: number;
  /** Names in lower case; values of a name that occurs twice are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  /** The request target: path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** The bytes of a request, as a well-behaved client on a keep-alive connection writes them. */
export function requestBytes({ method, target, headers = {}, body }: RawRequest): Buffer {
  const content = body === undefined ? undefined : Buffer.from(body);
  const lines = [`${method ?? (content === undefined ? "GET" : "POST")} ${target} HTTP/1.1`];
  if (!Object.keys(headers).some((name) => name.toLowerCase() === "host")) lines.push("Host: limpet.test");
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (content !== undefined) lines.push(`Content-Length: ${content.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), content ?? Buffer.alloc(0)]);
}

export class RawConnection {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#error = error;
      this.#wake();
    });
    for (const event of ["end", "close"] as const) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Connects; the connection ends with the scope. */
  static async open(scope: Scope, port: number, host = "127.0.0.1"): Promise<RawConnection> {
    const socket = connect({ port, host });
    scope.after(() => void socket.destroy());
    await within(once(socket, "connect"), DEADLINE_MS, `a connection to ${host}:${port}`);
    return new RawConnection(socket);
  }

  /** Whether the other side has ended the connection, or it broke. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What was received and not taken yet. */
  get received(): Buffer {
    return this.#received;
  }

  async write(bytes: string | Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Writes each piece as a segment of its own: the next one leaves after `gapMs`, when the one before is with the kernel. */
  async writePieces(pieces: Iterable<string | Buffer>, gapMs = 1): Promise<void> {
    for (const piece of pieces) {
      await this.write(piece);
      await delay(gapMs);
    }
  }

  async request(request: RawRequest, timeoutMs = DEADLINE_MS): Promise<RawResponse> {
    await this.write(requestBytes(request));
    return this.readResponse({ timeoutMs, ...(request.method === undefined ? {} : { method: request.method }) });
  }

  /**
   * Takes one response off the connection.
   *
   * @param method of the request it answers: a response to HEAD has no body
   * @throws Error where none is complete in time, or the connection ends before
   */
  async readResponse({ timeoutMs = DEADLINE_MS, method = "GET" } = {}): Promise<RawResponse> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const parsed = parseResponse(this.#received, method, this.#ended);
      if (parsed !== undefined) {
        this.#received = this.#received.subarray(parsed.length);
        return parsed.response;
      }
      if (this.#ended || this.#error !== undefined) {
        const got = JSON.stringify(this.#received.toString("latin1").slice(0, 500));
        throw new Error(`the connection ended before a response was complete; received ${got}`, { cause: this.#error });
      }
      await this.#more(deadline, `a response; received ${this.#received.length} bytes`);
    }
  }

  /** Waits until `count` bytes were received and takes them. */
  async readBytes(count: number, timeoutMs = DEADLINE_MS): Promise<Buffer> {
    const deadline = performance.now() + timeoutMs;
    while (this.#received.length < count) {
      if (this.#ended) throw new Error(`the connection ended after ${this.#received.length} of ${count} bytes`);
      await this.#more(deadline, `${count} bytes; received ${this.#received.length}`);
    }
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  /** Waits until the other side has ended the connection. */
  async waitForEnd(timeoutMs = DEADLINE_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.#ended) await this.#more(deadline, "the end of the connection");
  }

  close(): void {
    this.socket.destroy();
  }

  async #more(deadline: number, what: string): Promise<void> {
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    await within(woken, Math.max(0, Math.round(deadline - performance.now())), what);
  }
}

/** One request on a connection of its own. */
export async function rawRequest(
  scope: Scope,
  port: number,
  request: RawRequest,
  timeoutMs = DEADLINE_MS,
): Promise<RawResponse> {
  const connection = await RawConnection.open(scope, port);
  try {
    return await connection.request(request, timeoutMs);
  } finally {
    connection.close();
  }
}

interface Parsed {
  readonly response: RawResponse;
  /** Bytes it takes. */
  readonly length: number;
}

/** Undefined while it is incomplete. Interim responses are skipped, but for 101, after which the connection speaks another protocol. */
function parseResponse(bytes: Buffer, method: string, ended: boolean): Parsed | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...headerLines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const start = headEnd + 4;
  if (status >= 100 && status < 200 && status !== 101) {
    const next = parseResponse(bytes.subarray(start), method, ended);
    return next === undefined ? undefined : { ...next, length: next.length + start };
  }
  const headers = readHeaders(headerLines);
  const body = readBody(
    bytes.subarray(start),
    headers,
    method === "HEAD" || status === 101 || status === 204 || status === 304,
    ended,
  );
  if (body === undefined) return undefined;
  return {
    response: { status, headers, body: body.content, text: body.content.toString() },
    length: start + body.length,
  };
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new Error(`not a header: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

function readBody(
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
  empty: boolean,
  ended: boolean,
): { content: Buffer; length: number } | undefined {
  if (empty) return { content: Buffer.alloc(0), length: 0 };
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") return readChunks(bytes);
  const announced = headers["content-length"];
  if (announced === undefined) return ended ? { content: bytes, length: bytes.length } : undefined;
  const length = Number(announced);
  return bytes.length < length ? undefined : { content: bytes.subarray(0, length), length };
}

function readChunks(bytes: Buffer): { content: Buffer; length: number } | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error("a chunk without a size");
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return undefined;
    if (size === 0) return { content: Buffer.concat(chunks), length: start + 2 };
    chunks.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
