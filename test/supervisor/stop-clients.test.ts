/** A node that stops ends its sessions so that stock clients come back by themselves, to whatever takes its place. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import { io } from "socket.io-client";
import { killGroup, startGroup } from "../support/children.js";
import { freePort } from "../support/free-port.js";
import { root, startNode, type NodeOptions } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const APP = "test/supervisor/app.ts";
const PYTHON = path.join(root, ".tools/venv/bin/python");
const CLIENT = path.join(root, "test/supervisor/waiting_client.py");
const COMES_BACK_MS = 20_000;

/** What a client has seen so far. Nothing here makes it reconnect. */
interface Client {
  readonly name: string;
  /** Ids of its socket, one for each time it connected and was answered. */
  readonly connected: readonly string[];
  readonly disconnects: readonly string[];
  /** What else it wrote. */
  readonly output: () => string;
}

function javascriptClient(t: TestContext, url: string, transports: string[]): Client {
  const socket = io(url, { forceNew: true, transports, reconnectionDelay: 100, reconnectionDelayMax: 300 });
  t.after(() => void socket.disconnect());
  const connected: string[] = [];
  const disconnects: string[] = [];
  socket.on("connect", () => {
    const { id } = socket;
    socket.emit("echo", id, (echoed: string) => connected.push(echoed));
  });
  socket.on("disconnect", (reason) => disconnects.push(reason));
  return { name: `JavaScript over ${transports.join(" then ")}`, connected, disconnects, output: () => "" };
}

function pythonClient(t: TestContext, url: string, transport: string): Client {
  assert.ok(
    existsSync(PYTHON),
    "the Python client is missing: node tools/ensure-tools.mjs installs it into .tools/venv",
  );
  const child = startGroup(PYTHON, [CLIENT, url, transport], { stdio: ["pipe", "pipe", "pipe"] });
  t.after(() => killGroup(child.pid));
  const connected: string[] = [];
  const disconnects: string[] = [];
  const lines: string[] = [];
  let sid = "";
  createInterface({ input: child.stdout as Readable }).on("line", (line) => {
    lines.push(line);
    const told = JSON.parse(line) as { event: string; sid?: string; reason?: string; value?: string };
    if (told.event === "connect") sid = told.sid ?? "";
    else if (told.event === "disconnect") disconnects.push(told.reason ?? "");
    else if (told.value === "python") connected.push(sid);
  });
  createInterface({ input: child.stderr as Readable }).on("line", (line) => lines.push(line));
  return { name: `Python over ${transport}`, connected, disconnects, output: () => lines.join("\n") };
}

/** Each client has been connected and answered that many times. */
async function allConnected(clients: readonly Client[], times: number, timeoutMs: number): Promise<void> {
  const missing = (): Client[] => clients.filter(({ connected }) => connected.length < times);
  await waitFor(() => missing().length === 0, {
    timeoutMs,
    message: () =>
      `connection ${times} of ${missing()
        .map(({ name, disconnects, output }) => `${name} (disconnected: ${disconnects.join()}) ${output()}`)
        .join("; ")}`,
  });
}

test("on SIGTERM every session is closed so that JavaScript and Python clients come back to the node that takes its place", async (t) => {
  const options: NodeOptions = { app: APP, args: ["--port", String(await freePort())] };
  const first = await startNode(options, t);
  const clients = [
    javascriptClient(t, first.url, ["polling"]),
    javascriptClient(t, first.url, ["websocket"]),
    javascriptClient(t, first.url, ["polling", "websocket"]),
    // One on each worker at least.
    ...Array.from({ length: 4 }, () => pythonClient(t, first.url, "polling")),
    pythonClient(t, first.url, "websocket"),
  ];
  await allConnected(clients, 1, 10_000);
  await waitFor(async () => (await first.metric("limpet_connections", { transport: "websocket" })) === 3);

  assert.deepEqual(await first.stop(10_000), { code: 0, signal: null });
  const message = (): string => clients.map(({ name, disconnects }) => `${name}: ${disconnects.join()}`).join("; ");
  await waitFor(() => clients.every(({ disconnects }) => disconnects.length > 0), { message });

  const second = await startNode(options, t);
  assert.equal(second.port, first.port);
  await allConnected(clients, 2, COMES_BACK_MS);
  for (const { name, connected } of clients) assert.notEqual(connected[0], connected[1], name);
  t.diagnostic(`why they left: ${message()}`);
});
