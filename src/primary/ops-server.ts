/**
 * The port for those who run the node: metrics, health, readiness, workers. It answers while the primary lives, whatever the workers do, and no
 * failure of a handler goes beyond its own request. It asks for no password: that is why it listens on loopback unless told otherwise.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Logger } from "pino";
import { METRICS_CONTENT_TYPE } from "../telemetry/node-metrics.js";
import type { WorkerSlotState } from "../telemetry/primary-metrics.js";

export interface Readiness {
  /** Whether a balancer should send clients here. */
  readonly ready: boolean;
  /** It serves, with less than it was given: a worker or a part is missing. */
  readonly degraded: boolean;
  /** One sentence for each thing that is wrong. */
  readonly reasons: readonly string[];
}

/** One worker process as /workers shows it. */
export interface WorkerInfo {
  readonly slot: number;
  readonly pid: number;
  readonly state: WorkerSlotState;
  /** No other worker of this node has had this number. */
  readonly incarnation: number;
  readonly sessions: number;
  /** Connections on their way to it that may become sessions. */
  readonly pendingSessions: number;
  readonly connections: { readonly polling: number; readonly websocket: number };
  /** The event loop's largest lag in the last second. */
  readonly lagMs: number;
  /** Of the slot, since the node started. */
  readonly restarts: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Bytes that wait in the primary for this worker. */
  readonly queueBytes: number;
}

export interface OpsServerParts {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly log: Logger;
  /** The metrics in Prometheus' text format. */
  render(): Promise<string>;
  readiness(): Readiness;
  workers(): readonly WorkerInfo[];
  /** Resolves when new workers are in service; rejects where the old ones stay. */
  reload(): Promise<void>;
}

export interface OpsServer {
  readonly port: number;
  /** Ends requests in flight, too. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const MAX_HEADER_BYTES = 8_192;
const MAX_CONNECTIONS = 128;

const INDEX = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>limpet</title>
<h1>limpet</h1>
<ul>
<li><a href="/metrics">/metrics</a>: of all workers, for Prometheus
<li><a href="/healthz">/healthz</a>: 200 while the process lives
<li><a href="/readyz">/readyz</a>: 200 while clients should come here, 503 with the reasons otherwise
<li><a href="/workers">/workers</a>: each worker's state and load
</ul>
`;

/** Rejects where the port cannot be had. */
export async function createOpsServer(parts: OpsServerParts): Promise<OpsServer> {
  const { host, port, log } = parts;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: 2_500,
    },
    (request, response) => void answer(parts, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", (error) => log.error({ err: error }, "the ops server failed"));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the ops server listens on no TCP port");
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(parts: OpsServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  try {
    send(response, await answerTo(parts, request, path));
  } catch (error) {
    parts.log.error({ err: error, path }, "an ops request failed");
    if (response.headersSent) response.destroy();
    else send(response, text(500, "Internal server error"));
  }
}

async function answerTo(parts: OpsServerParts, request: IncomingMessage, path: string): Promise<Answer> {
  const method = request.method ?? "";
  if (path === "/reload") return await reloadAnswer(parts, request);
  const handler = handlers.get(path);
  if (handler === undefined) return text(404, "Not found");
  if (method !== "GET" && method !== "HEAD")
    return { ...text(405, "Only GET and HEAD are answered here"), headers: { Allow: "GET, HEAD" } };
  return await handler(parts);
}

/** A page of another origin cannot send it through somebody's browser without being allowed to, and it is not. */
const RELOAD_HEADER = "x-limpet-reload";

const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** Others may read here, where the port is bound wider; only this machine may change anything. */
async function reloadAnswer(parts: OpsServerParts, { method, headers, socket }: IncomingMessage): Promise<Answer> {
  if (method !== "POST") return { ...text(405, "Only POST is answered here"), headers: { Allow: "POST" } };
  if (!LOOPBACK.test(socket.remoteAddress ?? "")) return text(403, "A reload is taken from this machine alone");
  if (headers[RELOAD_HEADER] === undefined) return text(403, `The header ${RELOAD_HEADER} is missing`);
  try {
    await parts.reload();
    return text(200, "New workers are in service, the old ones drain.");
  } catch (error) {
    parts.log.warn({ err: error }, "a reload was asked for and failed");
    return text(409, `The old workers stay: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Handler = (parts: OpsServerParts) => Answer | Promise<Answer>;

const handlers = new Map<string, Handler>([
  ["/", () => ({ status: 200, type: "text/html; charset=utf-8", body: INDEX })],
  ["/healthz", () => text(200, "ok")],
  ["/metrics", async (parts) => ({ status: 200, type: METRICS_CONTENT_TYPE, body: await parts.render() })],
  ["/readyz", (parts) => readinessAnswer(parts.readiness())],
  ["/workers", (parts) => json(200, parts.workers())],
]);

function readinessAnswer(readiness: Readiness): Answer {
  return json(readiness.ready ? 200 : 503, readiness);
}

function text(status: number, line: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${line}\n` };
}

function json(status: number, value: unknown): Answer {
  return { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
}

function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...headers,
  });
  response.end(body);
}
