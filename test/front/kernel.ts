/** What the kernel knows of connections and processes: whether bytes were read, how much memory and CPU is used. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { waitFor } from "../support/wait.js";
import type { RawConnection } from "../support/raw-http.js";

/** Waits until whoever holds the other ends, primary or worker, has read everything that was written to these connections. */
export async function allRead(connections: readonly RawConnection[]): Promise<void> {
  const ports = new Set(
    connections.filter(({ socket }) => !socket.destroyed).flatMap(({ socket }) => socket.localPort ?? []),
  );
  const serverPort = connections[0]?.socket.remotePort;
  if (serverPort === undefined) return;
  await waitFor(() => unreadBytes(serverPort, ports) === 0, { intervalMs: 2, message: "the bytes to be read" });
}

/** Bytes that wait in the receive queues of `serverPort` for connections from these ports of 127.0.0.1. */
function unreadBytes(serverPort: number, clientPorts: ReadonlySet<number>): number {
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    if (portOf(local) === serverPort && clientPorts.has(portOf(remote)))
      bytes += Number.parseInt(queues?.split(":")[1] ?? "0", 16);
  }
  return bytes;
}

const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16);

/** Resident memory of a process, in MiB. */
export function rssMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} tells no memory`);
  return Number(kib) / 1024;
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU time a process has used so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Whether a process lives; one that has ended and waits for its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}
