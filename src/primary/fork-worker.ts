/** Starts one worker process, tells it who it is, and listens to what it says over IPC. */
import cluster, { type Worker } from "node:cluster";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import type { Config } from "../config/config.js";
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

export function forkWorker(boot: Boot, handler: ForkHandler, log: Logger, now: () => number): WorkerProcess {
  const { slot, wid } = boot;
  const child = fork(boot.config);
  const worker = new WorkerProcess(child, boot, now, handler);
  let failure: BootFailure | undefined;
  const sendBoot = (): void => {
    child.send(boot, (error: Error | null) => {
      if (error !== null) log.warn({ err: error, slot, wid }, "worker could not be told how to start");
    });
  };
  child.on("error", (error) => log.warn({ err: error, slot, wid }, "channel to the worker failed"));
  child.on("message", (message: unknown) => {
    const { type } = message as { type?: unknown };
    if (type === "limpet:awake") sendBoot();
    else if (type === "limpet:boot-failed") failure = message as BootFailure;
  });
  child.once("exit", (code, signal) => {
    handler.onExit(worker, { code, signal: signal as NodeJS.Signals | null, failure });
  });
  log.debug({ slot, wid, pid: worker.pid }, "worker started");
  return worker;
}

function fork({ supervisor: { semiSpaceMb } }: Config): Worker {
  // First, so that what this process was started with wins.
  const memory = semiSpaceMb === null ? [] : [`--max-semi-space-size=${semiSpaceMb}`];
  cluster.setupPrimary({
    exec: path.join(path.dirname(fileURLToPath(import.meta.url)), "../worker/main.js"),
    args: [],
    execArgv: [...memory, ...process.execArgv],
    serialization: "advanced",
  });
  return cluster.fork();
}
