/**
 * The primary process: what it is made of, in the order in which it starts. Stopping is the same list backwards, with readiness first.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Config } from "../config/config.js";
import type { UpMessage } from "../link/messages.js";
import { createLogger } from "../telemetry/log.js";
import { NodeMetrics } from "../telemetry/node-metrics.js";
import type { MetricSnapshot } from "../telemetry/node-metrics.js";
import { createPrimaryMetrics } from "../telemetry/primary-metrics.js";
import { Front } from "./front.js";
import { Hub } from "./hub.js";
import { LinkServer } from "./link-server.js";
import { MetricsCollector } from "./metrics-collector.js";
import { createOpsServer, type Readiness, type WorkerInfo } from "./ops-server.js";
import { Supervisor } from "./supervisor.js";
import type { WorkerProcess } from "./worker-process.js";
import type { WorkerLink } from "./worker-link.js";
import { enginePathOf } from "../routing/request-line.js";

export interface RunningNode {
  readonly port: number;
  readonly opsPort: number;
  /** Readiness off, clients closed so that they reconnect elsewhere, workers ended. */
  readonly stop: () => Promise<void>;
}

/** @throws StartError where the workers cannot start; Error where a port is taken */
export async function startNode(config: Config, version: string): Promise<RunningNode> {
  const now = (): number => performance.now();
  const log = createLogger({ level: config.log.level, node: config.nodeId });
  const metrics = createPrimaryMetrics({ version, node: config.nodeId });
  const nodeMetrics = new NodeMetrics();
  const socketDir = mkdtempSync(path.join(tmpdir(), "limpet-"));
  const hubPath = path.join(socketDir, "hub.sock");
  // However this process ends, short of SIGKILL.
  process.on("exit", () => rmSync(socketDir, { recursive: true, force: true }));
  let draining = false;

  const hub = new Hub({
    received: () => metrics.hubMessages.inc({ outcome: "received" }),
    forwarded: (copies) => metrics.hubMessages.inc({ outcome: "forwarded" }, copies),
    skipped: (copies) => metrics.hubMessages.inc({ outcome: "skipped" }, copies),
    dropped: () => metrics.hubMessages.inc({ outcome: "dropped" }),
  });

  const supervisor: Supervisor = new Supervisor({
    config,
    socketDir,
    hubPath,
    log,
    now,
    handler: {
      onChange: () => announceSiblings(),
      onExit: (worker, cause) => {
        if (cause !== undefined) metrics.workerRestarts.inc({ cause });
        if (worker.link === undefined) nodeMetrics.retire(worker.wid);
        rmSync(worker.listenPath, { force: true });
      },
      onHandedOver: (_worker, { acceptedAtMs }) => metrics.handoffSeconds.observe((now() - acceptedAtMs) / 1_000),
      onReturned: (connections) => front.reroute(connections),
    },
  });

  const links = new LinkServer({
    path: hubPath,
    maxQueueBytes: config.hub.maxQueueBytes,
    accept: (wid) => supervisor.byWid(wid)?.link === undefined && supervisor.byWid(wid) !== undefined,
    onLink: (link) => {
      const worker = supervisor.byWid(link.wid);
      if (worker !== undefined) worker.link = link;
      hub.add(link);
      link.send({ t: "siblings", list: siblings() });
    },
    handler: {
      onMessage: (link, message, body) => onMessage(link, message, body),
      onClose: (link, error) => {
        hub.remove(link);
        nodeMetrics.retire(link.wid);
        if (error !== undefined) log.warn({ wid: link.wid, err: error }, "link to a worker failed");
      },
    },
  });

  const collector = new MetricsCollector(() => linked().map(({ link }) => link));

  const front = new Front({
    nodeId: config.nodeId,
    enginePath: enginePathOf(config.socketio.path),
    ...config.front,
    targets: supervisor,
    onRefused: (reason) => metrics.frontRefusals.inc({ reason }),
    now,
  });

  function linked(): { worker: WorkerProcess; link: WorkerLink }[] {
    return supervisor.workers.flatMap((worker) => (worker.link === undefined ? [] : [{ worker, link: worker.link }]));
  }

  function siblings(): { slot: number; path: string }[] {
    return supervisor.workers
      .filter(({ state }) => state === "ready" || state === "draining")
      .map(({ slot, listenPath }) => ({ slot, path: listenPath }));
  }

  function announceSiblings(): void {
    const list = siblings();
    for (const { link } of linked()) link.send({ t: "siblings", list });
  }

  function onMessage(link: WorkerLink, message: Exclude<UpMessage, { t: "hello" }>, body: Buffer): void {
    const worker = supervisor.byWid(link.wid);
    switch (message.t) {
      case "ready":
        if (worker !== undefined) supervisor.markReady(worker);
        break;
      case "interest":
        hub.onInterest(link, message.seq, message.changes);
        break;
      case "publish":
        hub.onPublish(link, message, body);
        break;
      case "reply":
        hub.onReply(link, message, body);
        break;
      case "count":
        hub.onCount(link, message.id, message.nsp);
        break;
      case "settled":
        hub.onSettled(link, message.n);
        break;
      case "beat":
        if (worker !== undefined) {
          worker.silentTicks = 0;
          worker.beat = message;
        }
        break;
      case "metrics":
        if (worker !== undefined) {
          nodeMetrics.update(
            { slot: worker.slot, incarnation: link.wid },
            JSON.parse(body.toString()) as MetricSnapshot[],
          );
        }
        collector.answered(link.wid, message.id);
        break;
    }
  }

  function readiness(): Readiness {
    const reasons: string[] = [];
    if (draining) reasons.push("draining");
    if (supervisor.ready.length === 0) reasons.push("no worker is ready");
    for (const slot of supervisor.looping) reasons.push(`worker ${slot} ends again and again`);
    const missing = config.workers - supervisor.ready.length;
    return { ready: reasons.length === 0, degraded: missing > 0, reasons };
  }

  function workerInfos(): WorkerInfo[] {
    return supervisor.workers.map((worker) => ({
      slot: worker.slot,
      pid: worker.pid,
      state: worker.state,
      incarnation: worker.wid,
      sessions: worker.load.sessions,
      pendingSessions: worker.load.onTheWay(now()),
      connections: worker.beat?.connections ?? { polling: 0, websocket: 0 },
      lagMs: worker.beat?.lagMs ?? 0,
      restarts: supervisor.restartsOf(worker.slot),
      startedAt: new Date(performance.timeOrigin + worker.startedAtMs).toISOString(),
      queueBytes: worker.link?.queueBytes ?? 0,
    }));
  }

  async function render(): Promise<string> {
    await collector.collect();
    metrics.setWorkers({
      ...countBy(supervisor.workers.map(({ state }) => state)),
      backing_off: supervisor.backingOff,
    });
    metrics.hubQueueBytes.reset();
    for (const { worker, link } of linked())
      metrics.hubQueueBytes.set({ worker: String(worker.slot) }, link.queueBytes);
    return await nodeMetrics.render(await metrics.snapshot());
  }

  const undo: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
    log.info("stopped");
  };

  try {
    const ops = await createOpsServer({
      host: config.opsHost,
      port: config.opsPort,
      render,
      readiness,
      workers: workerInfos,
      log,
    });
    undo.push(() => ops.close());
    await links.listen();
    undo.push(() => links.close());
    undo.push(() => {
      collector.stop();
      metrics.stop();
    });
    undo.push(async () => {
      for (const worker of supervisor.workers) {
        if (worker.link === undefined) worker.kill("SIGKILL");
        else worker.link.send({ t: "stop" });
      }
      await supervisor.stopped(config.supervisor.stopTimeoutMs);
    });
    await supervisor.start();
    const port = await front.listen(config.port, config.host);
    undo.push(() => front.close());
    undo.push(() => {
      draining = true;
      supervisor.retire();
    });
    log.info({ port, opsPort: ops.port, workers: config.workers, pid: process.pid, version }, "ready");
    return { port, opsPort: ops.port, stop };
  } catch (error) {
    supervisor.retire();
    await stop();
    throw error;
  }
}

function countBy<K extends string>(keys: readonly K[]): Partial<Record<K, number>> {
  const counts: Partial<Record<K, number>> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}
