/** What an echo over HTTP long-polling behind nginx costs: a POST, and the poll that brings the answer. nginx's own CPU is not in it. */
import { startNginx } from "../../test/support/nginx.js";
import { treeCpuMs } from "../../test/support/process-cpu.js";
import { withUndo, type Figure } from "./figure.js";
import { Load } from "./load/load.js";
import type { Side } from "./sides.js";

export interface PollingLoad {
  readonly workers: number;
  readonly clients: number;
  readonly warmUpCycles: number;
  /** Of each client. */
  readonly cycles: number;
}

/** @throws Error where a request is not answered with 200, or an echo is not what was sent */
export async function measurePolling(side: Side, load: PollingLoad): Promise<Figure[]> {
  return await withUndo(async (undo) => {
    const server = await side.start({ workers: load.workers });
    undo.push(() => server.stop());
    const scope = { after: (end: () => Promise<void> | void) => void undo.push(async () => await end()) };
    const nginx = await startNginx(scope, ({ port }) => side.nginxConfig(port, server, load.workers));
    const clients = await Load.start();
    undo.push(() => clients.stop());
    await clients.run("openPolling", { port: nginx.port, clients: load.clients });
    await clients.run("echo", { cycles: load.warmUpCycles });
    const before = treeCpuMs(server.pid);
    const latency = await clients.run("echo", { cycles: load.cycles });
    const cpuMs = treeCpuMs(server.pid) - before;
    return [{ unit: "µs an echo", value: (1_000 * cpuMs) / (load.clients * load.cycles), latency }];
  });
}
