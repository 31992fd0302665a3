/** `limpet start`: runs a node until it is told to stop. */
import type { LoadedConfig } from "../config/load-config.js";
import { packageVersion } from "../lib/package-version.js";
import { startNode, type RunningNode } from "../primary/main.js";

/** A signal to a process and to its group arrives twice; a person takes longer. */
const ONE_SIGNAL_MS = 100;

/**
 * Returns once the node is ready; the process lives on until a signal. SIGTERM, SIGINT and SIGHUP stop it and exit with 0; a second one, or one before it
 * is ready, ends it at once with 1.
 * @throws StartError where the workers cannot start; Error where a port is taken
 */
export async function runStart({ config }: LoadedConfig): Promise<void> {
  const running: { node?: RunningNode; stopping?: Promise<void>; lastSignalMs?: number } = {};
  let exitCode = 0;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (nowMs - (running.lastSignalMs ?? -Infinity) < ONE_SIGNAL_MS) return;
    running.lastSignalMs = nowMs;
    stop();
  };
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
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // Of a terminal that is closed.
  process.on("SIGHUP", onSignal);
  running.node = await startNode(config, packageVersion(), {
    onFatal: ({ message }) => {
      process.stderr.write(`limpet: ${message}\n`);
      exitCode = 1;
      stop();
    },
  });
}
