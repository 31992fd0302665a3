/** Starts one worker process, tells it who it is, and listens to what it says over IPC. */
import cluster from "node:cluster";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import type { Boot, BootFailure } from "../link/messages.js";
import { WorkerProcess, type WorkerProcessHandler } from "./worker-process.js";

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What the worker said of it, where it could not start. */
  readonly failure: BootFailure | undefined;
}

export interface ForkHandler extends WorkerProcessHandler {
  onExit(worker: WorkerProcess, exit: WorkerExit): void;
}

/** Call once, before the first worker. */
export function setupWorkers(): void {
  cluster.setupPrimary({
    exec: path.join(path.dirname(fileURLToPath(import.meta.url)), "../worker/main.js"),
    args: [],
    serialization: "advanced",
  });
}

export function forkWorker(boot: Boot, handler: ForkHandler, log: Logger, now: () => number): WorkerProcess {
  const { slot, wid } = boot;
  const process = cluster.fork();
  const worker = new WorkerProcess(process, boot, now, handler);
  let failure: BootFailure | undefined;
  const sendBoot = (): void => {
    process.send(boot, (error: Error | null) => {
      if (error !== null) log.warn({ err: error, slot, wid }, "worker could not be told how to start");
    });
  };
  process.on("error", (error) => log.warn({ err: error, slot, wid }, "channel to the worker failed"));
  process.on("message", (message: unknown) => {
    const { type } = message as { type?: unknown };
    if (type === "sticky:connection") worker.load.sessionOpened();
    else if (type === "sticky:disconnection") worker.load.sessionClosed();
    else if (type === "limpet:awake") sendBoot();
    else if (type === "limpet:boot-failed") failure = message as BootFailure;
  });
  process.once("exit", (code, signal) => {
    handler.onExit(worker, { code, signal: signal as NodeJS.Signals | null, failure });
  });
  log.debug({ slot, wid, pid: worker.pid }, "worker started");
  return worker;
}
