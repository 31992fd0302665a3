/** A redis-server of a test's own, which can be stopped and started again, empty. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { exitOf, killGroup, startGroup, type Scope } from "../support/children.js";
import { freePort } from "../support/free-port.js";
import { waitFor } from "../support/wait.js";

export interface TestRedis {
  readonly url: string;
  /** Ends it at once; nothing that it held is kept. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** @returns one that does not run yet */
export async function newRedis(scope: Scope): Promise<TestRedis> {
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-redis-"));
  const flags = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  let child: ReturnType<typeof startGroup> | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined) return;
    killGroup(child.pid);
    await exitOf(child, 10_000, "redis-server");
    child = undefined;
  };
  scope.after(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    start: async () => {
      let output = "";
      const started = startGroup("redis-server", flags, { stdio: ["ignore", "pipe", "pipe"] });
      child = started;
      started.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
      const message = (): string => `redis-server (Debian's package redis-server has it); it wrote:\n${output}`;
      await waitFor(() => output.includes("Ready to accept connections"), { message });
    },
  };
}

export async function startRedis(scope: Scope): Promise<TestRedis> {
  const redis = await newRedis(scope);
  await redis.start();
  return redis;
}
