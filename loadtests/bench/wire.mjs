// What one message costs on its way from a worker through the primary to one sibling: CPU of all three processes together, per wire.
// Prints a table; run after `npm run build`: node loadtests/bench/wire.mjs [MESSAGES] [ROUNDS]
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { encodeFrame } from "../../dist/link/frame.js";
import { Wire } from "../../dist/link/wire.js";

const [messages = "40000", rounds = "3", role, kind, socketPath, burst] = process.argv.slice(2);
const MESSAGES = Number(messages);
const ROUNDS = Number(rounds);
const PAYLOAD = "x".repeat(200);
const NEVER_FULL = 1 << 30;
const cpuMicros = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Both children: `publisher` sends bursts and waits for the echo of each burst's end, `member` counts. */
async function child() {
  const burstOf = Number(burst);
  let send;
  let onMessage = () => {};
  if (kind === "unix socket") {
    const socket = connect(socketPath);
    await new Promise((resolve) => socket.once("connect", resolve));
    const wire = new Wire(socket, { onFrame: (header, body) => onMessage(header, body), onClose() {} }, NEVER_FULL);
    wire.send({ t: "hello", role });
    send = (message, body) => wire.offer(encodeFrame(message, Buffer.from(body)));
  } else {
    process.on("message", (message) => onMessage(message, message.body));
    send = (message, body) => process.send({ ...message, body });
  }
  if (role === "member") {
    onMessage = (message) => {
      if (message.last) send({ t: "done" }, "");
    };
    return;
  }
  let startedAt = 0;
  let sent = 0;
  const sendBurst = () => {
    if (sent >= MESSAGES) {
      send({ t: "finished", cpu: cpuMicros() - startedAt }, "");
      return;
    }
    for (let i = 1; i <= burstOf; i++)
      send({ t: "publish", nsp: "/", rooms: ["r"], last: i === burstOf }, JSON.stringify({ data: PAYLOAD }));
    sent += burstOf;
  };
  onMessage = (message) => {
    if (message.t === "start") startedAt = cpuMicros();
    sendBurst();
  };
}

async function measure(kind, burst) {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-wire-"));
  const socketPath = path.join(folder, "w.sock");
  const peers = {};
  const waitFor = () => new Promise((resolve) => (peers.finished = resolve));
  const route = (from, message, body) => {
    if (message.t === "publish") peers.member(message, body);
    else if (message.t === "done") peers.publisher(message, body);
    else if (message.t === "finished") peers.finished(message.cpu);
  };
  const children = ["publisher", "member"].map((role) =>
    fork(import.meta.filename, [messages, rounds, role, kind, socketPath, String(burst)], {
      serialization: kind === "IPC, advanced" ? "advanced" : "json",
    }),
  );
  let server;
  if (kind === "unix socket") {
    await new Promise((resolve) => {
      server = createServer((socket) => {
        const wire = new Wire(
          socket,
          {
            onFrame(header, body) {
              if (header.t !== "hello") return route(header.role, header, body);
              peers[header.role] = (message, payload) => wire.offer(encodeFrame(message, Buffer.from(payload)));
              if (peers.publisher && peers.member) resolve();
            },
            onClose() {},
          },
          NEVER_FULL,
        );
      });
      server.listen(socketPath);
    });
  } else {
    for (const [i, role] of ["publisher", "member"].entries()) {
      children[i].on("message", (message) => route(role, message, message.body));
      peers[role] = (message, body) => children[i].send({ ...message, body });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const memberCpu = () => cpuOf(children[1].pid);
  const finished = waitFor();
  const own = cpuMicros();
  const other = await memberCpu();
  peers.publisher({ t: "start" }, "");
  const publisherCpu = await finished;
  const total = publisherCpu + (cpuMicros() - own) + ((await memberCpu()) - other);
  for (const process of children) process.kill();
  server?.close();
  rmSync(folder, { recursive: true });
  return total / MESSAGES;
}

/** CPU microseconds of another process. */
async function cpuOf(pid) {
  const { readFile } = await import("node:fs/promises");
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

if (role === "publisher" || role === "member") {
  await child();
} else {
  const kinds = ["IPC, json", "IPC, advanced", "unix socket"];
  for (const burstOf of [1, 5, 40]) {
    const results = Object.fromEntries(kinds.map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
      for (const name of kinds) results[name].push(await measure(name, burstOf));
    for (const name of kinds) {
      const sorted = results[name].sort((a, b) => a - b);
      console.log(
        `bursts of ${String(burstOf).padStart(2)}  ${name.padEnd(14)} ${sorted[Math.floor(sorted.length / 2)].toFixed(1)} µs CPU a message (${sorted[0].toFixed(1)} to ${sorted.at(-1).toFixed(1)})`,
      );
    }
  }
}
