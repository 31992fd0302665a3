/**
 * The primary process: what it is made of, in the order in which it starts. Stopping is the same list backwards, with readiness first.
 */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { redisSettings } from "../bus/node-redis.js";
import type { Config } from "../config/config.js";
import { sidPrefix } from "../routing/address.js";
import { enginePathOf } from "../routing/request-line.js";
import { HubTally } from "../telemetry/hub-tally.js";
import { createLogger } from "../telemetry/log.js";
import { NodeMetrics } from "../telemetry/node-metrics.js";
import { createPrimaryMetrics } from "../telemetry/primary-metrics.js";
import { createRecovery } from "./create-recovery.js";
import { EntryDesk } from "./entry-desk.js";
import { Fleet } from "./fleet.js";
import { Front } from "./front.js";
import { Hub } from "./hub.js";
import { openDirectHub } from "./direct-hub.js";
import { createDispatch } from "./link-dispatch.js";
import { LinkServer } from "./link-server.js";
import { MetricsCollector } from "./metrics-collector.js";
import { createOpsServer } from "./ops-server.js";
import { Reload } from "./reload.js";
import { scrape } from "./scrape.js";
import { createSocketDir } from "./socket-dir.js";
import { readinessOf, workerInfosOf, type Phase } from "./status.js";
import { Supervisor } from "./supervisor.js";
import type { WorkerProcess } from "./worker-process.js";

export interface RunningNode {
  readonly port: number;
  readonly opsPort: number;
  /** Readiness off, clients closed one by one so that they reconnect elsewhere, workers ended. */
  readonly stop: () => Promise<void>;
  /**
   * A full new set of workers with that configuration takes over, and the old ones drain one by one.
   * @throws Error where the new workers do not become ready, and nothing has changed
   */
  readonly reload: (config: Config) => Promise<void>;
}

export interface NodeHandler {
  /** Somebody asks for a reload at the ops port. Rejects where it fails. */
  readonly onReload: () => Promise<void>;
  /** The node cannot go on, and must be stopped. */
  readonly onFatal: (error: Error) => void;
}

/** @throws StartError where the workers cannot start, or another node has this one's number; Error where a port is taken */
export async function startNode(
  config: Config,
  version: string,
  { onFatal, onReload }: NodeHandler,
): Promise<RunningNode> {
  const now = (): number => performance.now();
  const metrics = createPrimaryMetrics({ version });
  const nodeMetrics = new NodeMetrics();
  const socketDir = createSocketDir();
  const hubPath = path.join(socketDir, "hub.sock");
  /** There are workers once the node's number is known. */
  const started: { supervisor?: Supervisor } = {};
  // However this process ends, short of SIGKILL.
  process.on("exit", () => {
    // A worker that is blocked does not see its link close, and would live on.
    for (const worker of started.supervisor?.workers ?? []) worker.kill("SIGKILL");
    rmSync(socketDir, { recursive: true, force: true });
  });
  let phase: Phase = "starting";

  const hubTally = new HubTally();
  const hub = new Hub(hubTally);

  const uid = randomUUID();
  const recovery = createRecovery({ config, uid, hub, metrics, now });
  const settings = redisSettings(config, "limpet");
  const startLog = createLogger({
    level: config.log.level,
    ...(config.nodeId === null ? {} : { node: config.nodeId }),
  });
  const direct = openDirectHub({
    config,
    folder: socketDir,
    log: startLog,
    now,
    onOutbound: (wid, message, body) => hub.onOutbound(wid, message, body),
  });
  if (direct !== undefined) hub.postOn(direct.board);
  const fleet =
    settings &&
    new Fleet({
      config,
      settings,
      version,
      uid,
      hub,
      recovery,
      metrics,
      log: startLog,
      now,
      gathers: direct === undefined,
      sessions: () => started.supervisor?.workers.reduce((sum, { load }) => sum + load.sessions, 0) ?? 0,
      onNodes: (message) => {
        for (const link of started.supervisor?.links ?? []) link.send(message);
      },
      onYield: onFatal,
    });
  const nodeId = fleet === undefined ? (config.nodeId ?? 0) : await claimId(fleet);
  const log = createLogger({ level: config.log.level, node: nodeId });
  metrics.setNode(nodeId);

  const entryDesk = new EntryDesk({ config, redis: redisSettings(config, "limpet-limits"), log, now });
  const supervisor: Supervisor = new Supervisor({
    config,
    nodeId,
    uid,
    socketDir,
    hubPath,
    direct: direct?.boot ?? null,
    log,
    now,
    handler: {
      onChange: () => {
        for (const link of supervisor.links) link.send({ t: "siblings", list: supervisor.siblings });
      },
      onFull: (full) => {
        for (const link of supervisor.links) link.send({ t: "full", full });
      },
      onExit: (worker, cause) => {
        if (cause !== undefined) metrics.workerRestarts.inc({ cause });
        if (worker.link === undefined) nodeMetrics.retire(worker.wid);
        rmSync(worker.listenPath, { force: true });
        direct?.remove(worker.wid);
      },
      onHandedOver: (_worker, { acceptedAtMs }) => metrics.handoffSeconds.observe((now() - acceptedAtMs) / 1_000),
      onReturned: (connections) => front.reroute(connections),
    },
  });
  started.supervisor = supervisor;

  const collector = new MetricsCollector(() => supervisor.links);
  const links = new LinkServer({
    path: hubPath,
    maxQueueBytes: config.hub.maxQueueBytes,
    accept: (wid) => supervisor.awaitsLink(wid),
    onLink: (link) => {
      supervisor.linked(link);
      const worker = supervisor.byWid(link.wid);
      link.outlet = direct?.outlet(link.wid);
      hub.add(link, worker && sidPrefix({ node: nodeId, slot: worker.slot }));
      recovery?.add(link);
      link.send({ t: "siblings", list: supervisor.siblings });
      if (fleet !== undefined) link.send(fleet.nodesMessage);
      link.send({ t: "full", full: supervisor.placement.isFull });
    },
    handler: {
      onMessage: createDispatch({
        supervisor,
        hub,
        entryDesk,
        collector,
        nodeMetrics,
        recovery,
        outbound: direct?.outbound,
        refreshNodes: async () => fleet?.refreshNodes(),
      }),
      onClose: (link, error) => {
        // What it said last is in the pipe.
        direct?.outbound?.end(link.wid);
        hub.remove(link);
        link.outlet?.close();
        recovery?.remove(link);
        entryDesk.remove(link);
        nodeMetrics.retire(link.wid);
        if (error !== undefined) log.debug({ wid: link.wid, err: error }, "link to a worker failed");
      },
    },
  });

  const front = new Front({
    nodeId,
    enginePath: enginePathOf(config.socketio.path),
    ...config.front,
    targets: supervisor.placement,
    refusesAddress: entryDesk.refusesAddress,
    onRefused: (reason) => metrics.frontRefusals.inc({ reason }),
    now,
  });

  const reload = new Reload({ supervisor, config, log, drained: (worker) => drainOne(supervisor, worker, config) });

  const undo: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
    log.info("stopped");
  };

  try {
    const ops = await createOpsServer({
      host: config.opsHost,
      port: config.opsPort,
      render: () =>
        scrape({
          supervisor,
          collector,
          hubTally,
          metrics,
          nodeMetrics,
          bus: fleet?.bus.state,
          recovery: recovery?.state,
        }),
      readiness: () => readinessOf(supervisor, supervisor.wanted, phase, fleet?.bus.state),
      workers: () => workerInfosOf(supervisor, now()),
      reload: onReload,
      log,
    });
    undo.push(() => ops.close());
    if (fleet !== undefined) undo.push(() => fleet.stop());
    await links.listen();
    undo.push(() => links.close());
    undo.push(() => direct?.close());
    undo.push(() => entryDesk.close());
    undo.push(() => metrics.stop());
    recovery?.start();
    undo.push(() => recovery?.stop());
    undo.push(() => front.close());
    undo.push(() => drainAll(supervisor, config));
    undo.push(() => {
      phase = "draining";
      front.drain();
      supervisor.retire();
    });
    await supervisor.start();
    const isListening = await fleet?.listening();
    const port = await front.listen(config.port, config.host);
    await fleet?.announce(port);
    phase = "serving";
    const way = direct === undefined ? "primary" : "direct";
    const bus = isListening === undefined ? {} : { bus: isListening ? "up" : "down" };
    log.info(
      { port, opsPort: ops.port, workers: config.workers, pid: process.pid, version, hub: way, ...bus },
      "ready",
    );
    return { port, opsPort: ops.port, stop, reload: (next) => reload.run(next) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function claimId(fleet: Fleet): Promise<number> {
  try {
    return await fleet.claimId();
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

/** Beyond the time for its clients, what a worker may take to answer and to exit. */
async function drainOne(
  supervisor: Supervisor,
  worker: WorkerProcess,
  { drain, supervisor: limits }: Config,
): Promise<void> {
  worker.stop(drain);
  await supervisor.ended(worker, drain.deadlineMs + limits.stopTimeoutMs);
}

async function drainAll(supervisor: Supervisor, config: Config): Promise<void> {
  await Promise.all(supervisor.workers.map((worker) => drainOne(supervisor, worker, config)));
  supervisor.close();
}
