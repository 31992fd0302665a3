/** `limpet start`: runs a node until it is told to stop. */
import type { LoadedConfig } from "../config/load-config.js";
import { startNode } from "../primary/main.js";
import { packageVersion } from "../lib/package-version.js";

/**
 * Returns once the node is ready; the process lives on until a signal. SIGTERM and SIGINT stop it and exit with 0, a second one ends it at once.
 * @throws StartError where the workers cannot start; Error where a port is taken
 */
export async function runStart({ config }: LoadedConfig): Promise<void> {
  let stop: (() => Promise<void>) | undefined;
  let signals = 0;
  const onSignal = (): void => {
    signals++;
    if (signals > 1 || stop === undefined) process.exit(1);
    void stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`limpet: the node could not stop in order: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const node = await startNode(config, packageVersion());
  stop = node.stop;
}
