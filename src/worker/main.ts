/**
 * A worker process: what it is made of, in the order in which it starts. The primary starts it by path and tells it over IPC who it is.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ClientAddresses } from "../access/client-address.js";
import { AdmissionError, type EntryRefusal } from "../access/refusals.js";
import type { HttpListener, Limpet } from "../apps/contract.js";
import type { Config } from "../config/config.js";
import { deepFreeze } from "../config/deep-readonly.js";
import { toServerOptions } from "../config/socketio-options.js";
import {
  UNASKED,
  type Awake,
  type Boot,
  type DownMessage,
  type LastConnection,
  type StopOptions,
  type UpMessage,
} from "../link/messages.js";
import { Turn } from "../lib/turn.js";
import { Wire } from "../link/wire.js";
import { sidPrefix } from "../routing/address.js";
import { createAppMetrics } from "../telemetry/app-metrics.js";
import { HubTally } from "../telemetry/hub-tally.js";
import { createLogger } from "../telemetry/log.js";
import { createWorkerMetrics } from "../telemetry/worker-metrics.js";
import { BoundedLog } from "../telemetry/bounded-log.js";
import { loadApp, runApp } from "./app-loader.js";
import { createBounds } from "./bounds.js";
import { openDirectHub } from "./direct-hub.js";
import { drain, drainRate } from "./drain.js";
import { Engine } from "./engine.js";
import { Entrance } from "./entrance.js";
import { EventOutlet } from "./event-outlet.js";
import { exitOnUncaught, reportFailure } from "./failure.js";
import { giveBenefitOfLag } from "./heartbeat.js";
import { HttpServer } from "./http-server.js";
import { HubPort, type PortHandler } from "./hub-port.js";
import type { RecoverableSocket } from "./internals.js";
import { createIoServer } from "./io-server.js";
import { JoinGate } from "./join-gate.js";
import { MetricsReport } from "./metrics-report.js";
import { PrimaryRoute } from "./primary-route.js";
import { Provenance } from "./provenance.js";
import { createRecovery } from "./recovery/create.js";
import { RemoteNodes } from "./remote-nodes.js";
import { Rescue } from "./rescue.js";
import { lagIntervalOf, SessionMetrics } from "./session-metrics.js";
import { SessionReport } from "./session-report.js";
import { SessionWatch } from "./session-watch.js";
import { WriteTurn } from "./write-turn.js";
import { Siblings } from "./siblings.js";
import { SlotPort } from "./slot-port.js";

/** How long connections that are on their way here may take once its sessions are gone: on a machine without a free core some tens pass in a second. */
const LAST_CONNECTION_MS = 20_000;
/** How long requests in flight may take once the worker stops. */
const STOP_GRACE_MS = 2_000;

// The primary decides when this process ends: a terminal or a service manager signals the whole group.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

const booted = once(process, "message") as Promise<[Boot]>;
process.send?.({ type: "limpet:awake" } satisfies Awake);
const [boot] = await booted;
try {
  await startWorker(boot);
} catch (error) {
  await reportFailure(error);
  process.exit(1);
}

async function startWorker({
  wid,
  slot,
  nodeId,
  uid,
  config: given,
  hubPath,
  listenPath,
  slotPort,
  direct,
}: Boot): Promise<void> {
  const config: Config = deepFreeze(given);
  const log = createLogger({ level: config.log.level, node: nodeId, worker: slot });
  const metrics = createWorkerMetrics({
    onAppError: (error) => log.error({ err: error }, "a metric of the app could not be collected"),
    lagIntervalMs: lagIntervalOf(config.socketio.pingTimeout),
  });

  exitOnUncaught(log);
  let stopping = false;
  /** Set last: a worker can be told to stop while its app is still starting. */
  let openPort: SlotPort | undefined = undefined;

  const gate = new JoinGate(() => port.flush());
  const siblings = new Siblings();
  const remoteNodes = new RemoteNodes({
    inFleet: config.redis.url !== null,
    answerMs: answerMsOf(config),
    seek: () => port.seekNodes(),
  });
  const turn = new Turn();
  const prefix = sidPrefix({ node: nodeId, slot });
  const { writePath, batchMs } = config.engine;
  const writes = writePath === "turn" ? new WriteTurn({ turn, batchMs, beforeWrite: () => port.flush() }) : undefined;
  const hubTally = new HubTally();
  const directHub =
    direct &&
    openDirectHub({
      direct,
      wid,
      prefix,
      turn,
      writes,
      maxQueueBytes: config.hub.maxQueueBytes,
      tally: hubTally,
      siblingCount: () => siblings.count,
      tellPrimary: (message, body) => wire.send(message, body),
      onMessage: (message, body) => port.onMessage(message, body),
    });
  const link = connect(hubPath);
  await once(link, "connect");
  const wire: Wire = new Wire(
    link,
    {
      onFrame: (header, body) => port.onMessage(header as DownMessage, body),
      onClose: (error) => {
        // Without the primary this worker is out of reach: its clients are better off elsewhere.
        if (!stopping) log.fatal({ err: error }, "link to the primary closed");
        process.exit(stopping ? 0 : 1);
      },
    },
    config.hub.maxQueueBytes,
    turn,
  );
  wire.send({ t: "hello", wid } satisfies UpMessage);
  const hubHandler: PortHandler = {
    onNodes: (list, complete) => remoteNodes.update(list, complete),
    onSiblings: (list) => siblings.update(list.filter((sibling) => sibling.slot !== slot)),
    onFull: (full) => (entrance.isFull = full),
    onCollect: (id) => void report.answer(id),
    onStop: ({ drain }) => void stop(drain),
    onDropped: () => hubTally.dropped(),
    onListenerError: (error) => onAppError(error, "a listener of the app failed at a message of another server"),
    onUnreadable: (error) => {
      metrics.busSkipped.inc();
      log.warn({ err: error }, "a message of another server was skipped");
    },
    onUnserializable: (error) => onAppError(error, "an answer for another worker cannot be serialised"),
  };
  const events = writes === undefined ? wire : new EventOutlet(wire, writes);
  const route = directHub?.route ?? new PrimaryRoute(wire, events, () => hubTally.dropped());
  const port: HubPort = new HubPort(wire, route, gate, hubHandler, prefix);

  const recovery = createRecovery({ config, uid, wid, port, gate, metrics, log });

  const bounds = createBounds({
    config,
    metrics,
    log: new BoundedLog(log),
    sessionOf: (transport) => engine.sessionOf(transport),
  });
  const serverOptions = toServerOptions(config.socketio);
  const engine: Engine = new Engine(serverOptions, prefix, gate, bounds.polling, writes);
  const sessionMetrics = new SessionMetrics(metrics, config.socketio);
  const sessionReport = new SessionReport((message) => wire.send(message));
  const watch = new SessionWatch(engine, sessionMetrics, bounds.backlog, sessionReport);
  const report: MetricsReport = new MetricsReport({
    metrics,
    hubTally,
    port,
    connections: watch.connections,
    waiting: () => directHub?.route.waiting ?? [],
    onError: (error) => onAppError(error, "a metric could not be collected"),
  });
  giveBenefitOfLag(engine, () => sessionMetrics.wasStalled());
  const rescue = new Rescue({
    address: { node: nodeId, slot },
    engine,
    siblings,
    nodes: remoteNodes,
    provenance: new Provenance(nodeId, config.fleet.secret),
    onRescue: (target, outcome) => metrics.rescues.inc({ target, outcome }),
  });
  const { access } = config;
  const onRefused = (reason: EntryRefusal): void => metrics.entryRefusals.inc({ reason });
  const countsAddresses = access.addressSessions !== null || access.addressSessionsPerMinute !== null;
  const entrance: Entrance = new Entrance({
    access,
    engine,
    addresses: countsAddresses ? new ClientAddresses(access.trustedProxies) : undefined,
    enter: (address) => port.enterAddress(address),
    leave: (address) => port.leaveAddress(address),
    onRefused,
    standingLagMs: () => metrics.loopLag.standingMs,
    now: () => performance.now(),
  });
  const http = new HttpServer({
    config,
    engine,
    rescue,
    entrance,
    node: { uid, id: nodeId },
    onListenerError: (error) => onAppError(error, "the app's HTTP listener failed"),
  });
  const io = createIoServer({
    httpServer: http.server,
    engine,
    adapter: { port, requestTimeoutMs: config.hub.requestTimeoutMs },
    bounds,
    recovery,
    socketio: config.socketio,
    maxNamespaces: config.hub.maxNamespaces,
    onNamespaceRefused: (nsp) => {
      metrics.hubMessages.inc({ outcome: "rejected" });
      const shown = nsp.slice(0, 100);
      log.warn({ nsp: shown, maxNamespaces: config.hub.maxNamespaces }, "a namespace was refused: too many are open");
    },
    onClosing: () => {
      if (stopping) return;
      // A worker without a server would take connections and refuse them: it ends, and is replaced.
      log.warn("the app closed its Socket.IO server: the worker ends");
      void stop();
    },
  });
  const limpet: Limpet = {
    log,
    config,
    metrics: createAppMetrics(metrics.registry),
    node: { id: nodeId },
    worker: { slot, pid: process.pid },
    http: (listener: HttpListener) => http.setListener(listener),
    checkpoint: async (socket) => recovery?.checkpoint(socket as unknown as RecoverableSocket),
    admit: async (user: string) => {
      if (typeof user !== "string" || user === "") throw new TypeError("limpet.admit() takes the user's name");
      const answer = access.userConnectsPerMinute === null ? "entered" : await port.admit(user);
      if (answer === "entered") return;
      onRefused(answer.reason);
      throw new AdmissionError(answer);
    },
  };
  await runApp(await loadApp(config.app), config.app, io, limpet);

  http.takeConnections();
  await http.listen(listenPath);
  openPort =
    slotPort === null
      ? undefined
      : new SlotPort({ port: slotPort, host: config.host, onConnection: (socket) => http.takeDirect(socket), log });
  await openPort?.open();
  report.start();
  wire.send({ t: "ready" } satisfies UpMessage);
  log.debug({ listenPath }, "worker takes connections");

  function onAppError(error: unknown, message: string): void {
    metrics.appErrors.inc();
    log.error({ err: error }, message);
  }
  /** Closes the clients so that they reconnect elsewhere, lets answers leave, and ends with the last counts told. */
  async function stop(options?: StopOptions["drain"]): Promise<void> {
    if (stopping) return;
    stopping = true;
    openPort?.close();
    http.drain();
    if (options !== undefined) {
      const perSecond = drainRate(engine.clientsCount, options);
      await drain(engine, { perSecond, deadlineMs: options.deadlineMs, now: () => performance.now() });
      const last = lastConnection();
      wire.send({ t: "drained" } satisfies UpMessage);
      await Promise.race([last, delay(LAST_CONNECTION_MS)]);
    }
    report.end();
    await Promise.race([io.close(), delay(STOP_GRACE_MS)]);
    http.server.closeAllConnections();
    siblings.close();
    remoteNodes.close();
    await report.answer(UNASKED);
    port.report();
    await Promise.race([directHub?.route.drained(), delay(STOP_GRACE_MS)]);
    directHub?.close();
    wire.end();
  }
}

/** The longest that Engine.IO lets a poll wait, or a client take for a body, and some more. */
function answerMsOf({ socketio, http }: Config): number {
  return Math.max(socketio.pingInterval + socketio.pingTimeout, http.requestTimeoutMs) + 5_000;
}

/** @returns once the primary hands no connection over any more */
function lastConnection(): Promise<void> {
  return new Promise((resolve) => {
    process.on("message", (message) => {
      if ((message as Partial<LastConnection>).type === "limpet:last-connection") resolve();
    });
  });
}
