/** `limpet start`: runs a node until it is told to stop. */
import type { LoadedConfig } from "../config/load-config.js";
import { packageVersion } from "../lib/package-version.js";
import { startNode, type RunningNode } from "../primary/main.js";

/** A signal to a process and to its group arrives twice; a person takes longer. */
const ONE_SIGNAL_MS = 100;

/**
 * Returns once the node is ready; the process lives on until a signal. SIGTERM and SIGINT stop it and exit with 0; a second one, or one before it
 * is ready, ends it at once with 1. SIGHUP reloads it; at a terminal, where it means that the terminal is gone, it stops it.
 * @param load reads the configuration anew
 * @throws StartError where the workers cannot start; Error where a port is taken
 */
export async function runStart(load: () => LoadedConfig): Promise<void> {
  const running: { node?: RunningNode; stopping?: Promise<void>; lastSignalMs?: number } = {};
  let exitCode = 0;
  const stop = (): void => {
    if (running.node === undefined || running.stopping !== undefined) process.exit(1);
    running.stopping = running.node.stop().then(
      () => process.exit(exitCode),
      (error: unknown) => {
        process.stderr.write(`limpet: the node could not stop in order: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (nowMs - (running.lastSignalMs ?? -Infinity) < ONE_SIGNAL_MS) return;
    running.lastSignalMs = nowMs;
    stop();
  };
  const reload = async (): Promise<void> => {
    if (running.node === undefined || running.stopping !== undefined) throw new Error("the node is not in service");
    await running.node.reload(load().config);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const isAtTerminal = process.stdin.isTTY || process.stdout.isTTY;
  process.on("SIGHUP", () => {
    if (isAtTerminal) onSignal();
    else reload().catch((error: unknown) => process.stderr.write(`limpet: reload: ${messageOf(error)}\n`));
  });
  running.node = await startNode(load().config, packageVersion(), {
    onReload: reload,
    onFatal: ({ message }) => {
      process.stderr.write(`limpet: ${message}\n`);
      exitCode = 1;
      stop();
    },
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
