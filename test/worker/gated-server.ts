/** A worker's Socket.IO server in this process, whose hub says that it knows of a join only when the test lets it. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Server } from "socket.io";
import { clientSchema } from "../../src/config/client-schema.js";
import { toServerOptions } from "../../src/config/socketio-options.js";
import { socketioSchema } from "../../src/config/socketio-schema.js";
import type { UpMessage } from "../../src/link/messages.js";
import { sidPrefix } from "../../src/routing/address.js";
import { BoundedLog } from "../../src/telemetry/bounded-log.js";
import { createLogger } from "../../src/telemetry/log.js";
import { createWorkerMetrics, type WorkerMetrics } from "../../src/telemetry/worker-metrics.js";
import { createBounds, type Bounds } from "../../src/worker/bounds.js";
import { Engine } from "../../src/worker/engine.js";
import { PrimaryRoute } from "../../src/worker/primary-route.js";
import { HubPort, type PortHandler, type PortWire } from "../../src/worker/hub-port.js";
import { createIoServer } from "../../src/worker/io-server.js";
import { Turn } from "../../src/lib/turn.js";
import { JoinGate } from "../../src/worker/join-gate.js";
import { SessionMetrics } from "../../src/worker/session-metrics.js";
import { SessionReport } from "../../src/worker/session-report.js";
import { SessionWatch } from "../../src/worker/session-watch.js";
import { WriteTurn } from "../../src/worker/write-turn.js";
import type { Scope } from "../support/children.js";

const NO_BODY = Buffer.alloc(0);

export interface GatedServer {
  readonly io: Server;
  readonly engine: Engine;
  readonly port: number;
  readonly hub: SlowHub;
  readonly metrics: WorkerMetrics;
  readonly bounds: Bounds;
}

/** Both ways to write to a WebSocket; what a test shows of one holds for the other. */
export const WRITE_PATHS = ["turn", "stock"] as const;
export type WritePath = (typeof WRITE_PATHS)[number];

export interface Writing {
  readonly writePath?: WritePath;
  readonly batchMs?: number;
  /** Keys of `client` in the configuration. */
  readonly client?: Readonly<Record<string, unknown>>;
}

/** The hub's end of the wire. */
export class SlowHub {
  /** Called when what was published is to leave now. */
  onFlush: () => void = () => undefined;
  /** Batches of changes it has been told of and has not confirmed. */
  readonly unconfirmed: number[] = [];
  slow = false;
  readonly #port: () => HubPort;

  constructor(port: () => HubPort) {
    this.#port = port;
  }

  tell(message: UpMessage): void {
    if (message.t !== "interest") return;
    this.unconfirmed.push(message.seq);
    if (!this.slow) setImmediate(() => this.confirm());
  }

  /** Confirms the oldest batches, all of them unless told how many. */
  confirm(count = this.unconfirmed.length): void {
    const seq = this.unconfirmed.splice(0, count).at(-1);
    if (seq !== undefined) this.#port().onMessage({ t: "known", seq }, NO_BODY);
  }
}

export async function startGatedServer(
  scope: Scope,
  options: Record<string, unknown> = {},
  { writePath = "turn", batchMs = 0, client = {} }: Writing = {},
): Promise<GatedServer> {
  const socketio = socketioSchema.parse(options);
  const metrics = createWorkerMetrics();
  scope.after(() => metrics.stop());
  const bounds = createBounds({
    config: { client: clientSchema.parse(client), socketio },
    metrics,
    log: new BoundedLog(createLogger({ level: "silent" })),
    sessionOf: (transport) => engine.sessionOf(transport),
  });
  const gate = new JoinGate(() => port.flush());
  const hub = new SlowHub(() => port);
  const wire: PortWire = {
    queueBytes: 0,
    send: (header) => hub.tell(header as UpMessage),
    offer: () => true,
    flush: () => hub.onFlush(),
  };
  const ignore = (): void => undefined;
  const prefix = sidPrefix({ node: 0, slot: 0 });
  const handler: PortHandler = {
    onSiblings: ignore,
    onFull: ignore,
    onNodes: ignore,
    onUnreadable: ignore,
    onListenerError: (error) => {
      throw error;
    },
    onCollect: ignore,
    onStop: ignore,
    onDropped: ignore,
    onUnserializable: ignore,
  };
  const port: HubPort = new HubPort(wire, new PrimaryRoute(wire, wire, ignore), gate, handler, prefix);
  const turn =
    writePath === "turn" ? new WriteTurn({ turn: new Turn(), batchMs, beforeWrite: () => port.flush() }) : undefined;
  const engine: Engine = new Engine(toServerOptions(socketio), prefix, gate, bounds.polling, turn);
  new SessionWatch(engine, new SessionMetrics(metrics, socketio), bounds.backlog, new SessionReport(ignore));
  const httpServer = createServer((request, response) => engine.handleRequest(request, response));
  httpServer.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));
  const io = createIoServer({
    httpServer,
    engine,
    adapter: { port, requestTimeoutMs: 1_000 },
    bounds,
    socketio,
    maxNamespaces: 100,
    onNamespaceRefused: ignore,
    onClosing: ignore,
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  scope.after(async () => {
    hub.slow = false;
    hub.confirm();
    httpServer.closeAllConnections();
    await io.close();
  });
  return { io, engine, port: (httpServer.address() as AddressInfo).port, hub, metrics, bounds };
}
