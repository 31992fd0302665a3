/** The node that the runner loads when it is not given another: the built limpet with the load app, on free ports. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

const CLI = path.resolve(import.meta.dirname, "../dist/cli/main.js");
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 40_000;

export interface OwnNode {
  readonly url: string;
  stop(): Promise<void>;
}

/** @throws Error with the node's output, when it is not built, ends, or is not ready in time */
export async function startOwnNode(workers: string): Promise<OwnNode> {
  if (!existsSync(CLI)) throw new Error("limpet is not built: npm run build");
  const flags = ["--host", "127.0.0.1", "--port", "0", "--ops-port", "0", "--workers", workers];
  const app = path.join(import.meta.dirname, "app.mjs");
  const node = spawn(process.execPath, [CLI, "start", "--app", app, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const stop = (): Promise<void> => end(node, STOP_TIMEOUT_MS);
  const ready = new Promise<number>((resolve, reject) => {
    const onLine = (line: string): void => {
      // Until it is ready for the error message; warnings and worse are the user's to see at any time.
      lines.push(line);
      const port = readyPort(line);
      if (port !== undefined) resolve(port);
      else if (!line.includes('"level":"info"')) process.stderr.write(`limpet: ${line}\n`);
    };
    createInterface({ input: node.stdout }).on("line", onLine);
    createInterface({ input: node.stderr }).on("line", onLine);
    node.once("error", reject);
    node.once("exit", () => {
      reject(new Error(`the node ended before it was ready\n${lines.join("\n")}`));
    });
    setTimeout(() => {
      reject(new Error(`the node was not ready within ${READY_TIMEOUT_MS} ms\n${lines.join("\n")}`));
    }, READY_TIMEOUT_MS).unref();
  });
  try {
    return { url: `http://127.0.0.1:${await ready}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function readyPort(line: string): number | undefined {
  if (!line.includes('"msg":"ready"')) return undefined;
  const { port } = JSON.parse(line) as { port?: number };
  return port;
}

async function end(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
  }, timeoutMs);
  await exited;
  clearTimeout(timer);
}
