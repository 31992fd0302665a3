/** A real limpet node for the tests: `limpet start` on free ports of loopback, with its log, its metrics and its end. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { WorkerInfo } from "../../src/primary/ops-server.js";
import { exitOf, killGroup, startGroup, type Exit, type Scope } from "./children.js";
import { Scrape, type Labels } from "./metrics-text.js";
import { waitFor } from "./wait.js";

export const root = path.resolve(import.meta.dirname, "../..");
const CLI = path.join(root, "dist/cli/main.js");

export interface NodeOptions {
  /** The app's file, from the project's folder; the built-in app unless told. */
  readonly app?: string;
  /** 2 unless told. */
  readonly workers?: number;
  /** More flags of `limpet start`. */
  readonly args?: readonly string[];
  /** `LIMPET_*` variables and others; the test's own `LIMPET_*` variables do not reach the node. */
  readonly env?: Readonly<Record<string, string>>;
  /** Until when it must be ready; 30 s unless told. */
  readonly readyTimeoutMs?: number;
}

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly node: number;
  readonly worker?: number;
  readonly [field: string]: unknown;
}

export interface TestNode {
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
  /** Of the clients' port, without a slash at its end. */
  readonly url: string;
  readonly opsUrl: string;
  readonly pid: number;
  /** The log so far. */
  logs(): readonly LogLine[];
  /** Everything written so far, also what is no log line. */
  output(): string;
  /** The first line, past or to come, that fits. */
  waitForLog(fits: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  workers(): Promise<WorkerInfo[]>;
  metrics(): Promise<Scrape>;
  /** The sum of the samples that carry at least these labels; throws where there is none. */
  metric(name: string, labels?: Labels): Promise<number>;
  /** Stops it as a service manager does, unless a signal has told it to, and waits for its end. */
  stop(timeoutMs?: number): Promise<Exit>;
  /** Sends a signal to the primary. */
  signal(signal: NodeJS.Signals): void;
  /** Ends primary and workers at once. */
  kill(): Promise<void>;
}

/**
 * Starts a node and waits until it is ready.
 *
 * @param scope a test's context: the node ends with it, and if the test failed, the node's log is printed. Without one the caller stops it;
 * with the test's process it ends in any case

 * @throws Error with the node's output, where it ends or is not ready in time
 */
export async function startNode(options: NodeOptions = {}, scope?: Scope): Promise<TestNode> {
  const run = runNode(options, scope);
  const { readyTimeoutMs = 30_000 } = options;
  let ended = false;
  // Closed once all that it wrote has been read.
  run.child.once("close", () => (ended = true));
  const isReady = (line: LogLine): boolean => line.msg === "ready" && "port" in line;
  const message = (): string => `the node to be ready; it wrote:\n${run.output()}`;
  await waitFor(() => ended || run.logs().some(isReady), { timeoutMs: readyTimeoutMs, message });
  const ready = run.logs().find(isReady);
  if (ready === undefined) {
    const { exitCode, signalCode } = run.child;
    throw new Error(`the node ended with ${exitCode ?? signalCode} before it was ready; it wrote:\n${run.output()}`);
  }
  const { port, opsPort } = ready as unknown as { port: number; opsPort: number };
  const opsUrl = `http://127.0.0.1:${opsPort}`;
  const fetchOps = async (where: string): Promise<Response> => {
    const response = await fetch(opsUrl + where, { signal: AbortSignal.timeout(5_000) });
    if (response.status !== 200) throw new Error(`GET ${where} answered ${response.status}: ${await response.text()}`);
    return response;
  };
  const metrics = async (): Promise<Scrape> => new Scrape(await (await fetchOps("/metrics")).text());
  return {
    host: "127.0.0.1",
    port,
    opsPort,
    url: `http://127.0.0.1:${port}`,
    opsUrl,
    pid: run.child.pid,
    logs: run.logs,
    output: run.output,
    waitForLog: run.waitForLog,
    workers: async () => (await (await fetchOps("/workers")).json()) as WorkerInfo[],
    metrics,
    metric: async (name, labels) => (await metrics()).sum(name, labels),
    stop: run.stop,
    signal: run.signal,
    kill: run.kill,
  };
}

type Run = Pick<TestNode, "logs" | "output" | "waitForLog" | "stop" | "signal" | "kill"> & {
  readonly child: ReturnType<typeof startGroup>;
};

/** Starts the process without waiting for anything: for nodes that must fail to start. */
export function runNode({ app, workers = 2, args = [], env = {} }: NodeOptions = {}, scope?: Scope): Run {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: npm run build makes it`);
  // A node that is killed leaves its sockets' folder behind.
  const temporary = mkdtempSync(path.join(tmpdir(), "limpet-test-"));
  const flags = ["--host", "127.0.0.1", "--port", "0", "--ops-port", "0", "--workers", String(workers)];
  const child = startGroup(
    process.execPath,
    [CLI, "start", ...flags, ...(app === undefined ? [] : ["--app", path.resolve(root, app)]), ...args],
    { cwd: root, env: { ...cleanEnvironment(), TMPDIR: temporary, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );

  const lines: string[] = [];
  const logs: LogLine[] = [];
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      const parsed = parseLogLine(line);
      if (parsed !== undefined) logs.push(parsed);
    });
  }

  const kill = async (): Promise<void> => {
    killGroup(child.pid);
    await exitOf(child, 10_000, "the killed node");
    rmSync(temporary, { recursive: true, force: true });
  };
  let isToldToStop = false;
  const signal = (name: NodeJS.Signals): void => {
    isToldToStop ||= name === "SIGTERM";
    process.kill(child.pid, name);
  };
  const stop = async (timeoutMs = 40_000): Promise<Exit> => {
    // A second SIGTERM would end it at once.
    if (!isToldToStop && child.exitCode === null && child.signalCode === null) signal("SIGTERM");
    const exit = await exitOf(child, timeoutMs, "the node");
    killGroup(child.pid);
    rmSync(temporary, { recursive: true, force: true });
    return exit;
  };
  scope?.after(async () => {
    await kill();
    if (scope.passed === false) process.stdout.write(`the node's log:\n${lines.join("\n")}\n`);
  });
  return {
    child,
    logs: () => logs,
    output: () => lines.join("\n"),
    waitForLog: async (fits, timeoutMs = 30_000) => {
      const message = (): string => `a log line; there were:\n${lines.join("\n")}`;
      const found = await waitFor(() => logs.find(fits), { timeoutMs, message });
      return found as LogLine;
    },
    stop,
    signal,
    kill,
  };
}

function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const parsed = JSON.parse(line) as LogLine;
    return typeof parsed.msg === "string" ? parsed : undefined;
  } catch {
    // Half a line of a process that was killed while it wrote.
    return undefined;
  }
}

/** Without what tells a child of the test runner from a program of its own. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("LIMPET_") && !name.startsWith("NODE_TEST_")));
}
