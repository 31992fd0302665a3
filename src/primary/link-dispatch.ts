/** Takes each message from a worker's link to the part it is for. */
import { UNASKED } from "../link/messages.js";
import type { MetricSnapshot, NodeMetrics } from "../telemetry/node-metrics.js";
import type { EntryDesk } from "./entry-desk.js";
import type { Hub } from "./hub.js";
import type { MetricsCollector } from "./metrics-collector.js";
import type { Outbound } from "./outbound.js";
import type { Recovery } from "./recovery.js";
import type { Supervisor } from "./supervisor.js";
import type { WorkerLinkHandler } from "./worker-link.js";

export interface DispatchParts {
  readonly supervisor: Supervisor;
  readonly hub: Hub;
  readonly entryDesk: EntryDesk;
  readonly collector: MetricsCollector;
  readonly nodeMetrics: NodeMetrics;
  /** Undefined where it is off. */
  readonly recovery: Recovery | undefined;
  /** Undefined where workers say everything here. */
  readonly outbound: Outbound | undefined;
  /** Reads the table of nodes anew, and tells the workers where it has changed. Never rejects. */
  readonly refreshNodes: () => Promise<void>;
}

export function createDispatch({
  supervisor,
  hub,
  entryDesk,
  collector,
  nodeMetrics,
  recovery,
  outbound,
  refreshNodes,
}: DispatchParts): WorkerLinkHandler["onMessage"] {
  return (link, message, body, frame) => {
    const worker = supervisor.byWid(link.wid);
    switch (message.t) {
      case "ready":
        if (worker !== undefined) supervisor.markReady(worker);
        break;
      case "drained":
        if (worker !== undefined) supervisor.markDrained(worker);
        break;
      case "sessions":
        worker?.load.sessionsOpened(message.opened);
        worker?.load.sessionsClosed(message.closed);
        break;
      case "interest":
        recovery?.onInterest(link.wid, message, body);
        hub.onInterest(link, message.seq, message.changes);
        break;
      case "unicast":
      case "restore":
      case "resumed":
      case "released":
      case "checkpoint":
        recovery?.onMessage(link, message, body);
        break;
      case "publish":
        hub.onPublish(link, message, body, frame);
        break;
      case "reply":
        hub.onReply(link, message, body);
        break;
      case "count":
        hub.onCount(link, message.id, message.nsp);
        break;
      case "enter":
        entryDesk.enter(link, message.id, message.address);
        break;
      case "leave":
        entryDesk.leave(link, message.address);
        break;
      case "admit":
        void entryDesk.admit(link, message.id, message.user);
        break;
      case "seek":
        void refreshNodes().then(() => link.send({ t: "sought", id: message.id }));
        break;
      case "settled":
        hub.onSettled(link, message.n);
        break;
      case "look":
        outbound?.look();
        break;
      case "joining":
        hub.onJoining(message);
        break;
      case "beat":
        worker?.heard(message);
        break;
      case "metrics":
        if (worker !== undefined) {
          const snapshot = JSON.parse(body.toString()) as MetricSnapshot[];
          const identity = { slot: worker.slot, incarnation: link.wid };
          if (message.id === UNASKED) nodeMetrics.merge(identity, snapshot);
          else nodeMetrics.update(identity, snapshot);
        }
        collector.answered(link.wid, message.id);
        break;
    }
  };
}
