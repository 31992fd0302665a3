/**
 * What it costs a node to refuse a handshake: stock clients do not hear `Retry-After`, so in a storm they come again and again. Beside it, in turns, the
 * same answer from a bare server of node:net, and a handshake that is let in (its first request alone).
 *
 *     npm run build && node --import tsx loadtests/bench/refusals.ts [COUNT] [ROUNDS]
 */
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { exitOf, killGroup, startGroup } from "../../test/support/children.js";
import { startNode } from "../../test/support/node.js";
import { treeCpuMs } from "../../test/support/process-cpu.js";

const COUNT = Number(process.argv[2] ?? 10_000);
const ROUNDS = Number(process.argv[3] ?? 5);
const AT_ONCE = 100;
const REQUEST =
  "GET /socket.io/?EIO=4&transport=polling&t=abcdefg HTTP/1.1\r\nHost: limpet.test\r\nAccept: */*\r\n" +
  "User-Agent: node-XMLHttpRequest\r\nOrigin: http://limpet.test\r\nConnection: keep-alive\r\n\r\n";
const BARE = `
  const answer = Buffer.from("HTTP/1.1 503 Service Unavailable\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n");
  require("node:net")
    .createServer({ noDelay: true }, (socket) => {
      socket.once("data", () => socket.end(answer));
      socket.on("error", () => socket.destroy());
    })
    .listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;

interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly status: number;
  stop(): Promise<unknown>;
}

async function limpet(name: string, status: number, handshakesPerSecond: string): Promise<Server> {
  const env = {
    LIMPET_ACCESS_MAX_CONNECTIONS: "1000000",
    LIMPET_ACCESS_MAX_LAG_MS: "60000",
    LIMPET_ACCESS_HANDSHAKES_PER_SECOND: handshakesPerSecond,
    LIMPET_ACCESS_MAX_WAIT_MS: "0",
  };
  const node = await startNode({ workers: 1, env });
  return { name, status, port: node.port, pid: node.pid, stop: () => node.stop() };
}

async function bare(): Promise<Server> {
  const child = startGroup(process.execPath, ["-e", BARE], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout === null) throw new Error("the bare server has no output");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const stop = async (): Promise<void> => {
    killGroup(child.pid);
    await exitOf(child, 5_000, "the bare server");
  };
  return { name: "bare node:net, 503", status: 503, port: Number(line), pid: child.pid, stop };
}

/** @returns the status that was answered */
function handshake(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(REQUEST));
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      answer += text;
      if (answer.includes("\r\n\r\n")) socket.end();
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(Number(answer.slice(9, 12))));
  });
}

/** @returns µs of CPU a handshake */
async function measure({ name, port, pid, status }: Server): Promise<number> {
  const beforeMs = treeCpuMs(pid);
  let left = COUNT;
  let others = 0;
  const client = async (): Promise<void> => {
    while (left-- > 0) if ((await handshake(port)) !== status) others++;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  // The budget lets one in now and then.
  if (others > COUNT / 50)
    throw new Error(`${name}: ${others} of ${COUNT} were answered otherwise than with ${status}`);
  return ((treeCpuMs(pid) - beforeMs) * 1_000) / COUNT;
}

const servers = [await limpet("limpet, refused", 503, "1"), await bare(), await limpet("limpet, let in", 200, "0")];
const costs = new Map(servers.map(({ name }) => [name, [] as number[]]));
// The first round compiles, and is not counted.
for (let round = 0; round <= ROUNDS; round++) {
  for (const server of servers) {
    const micros = await measure(server);
    if (round > 0) costs.get(server.name)?.push(micros);
  }
}
for (const [name, list] of costs) {
  const [low, median, high] = [0, list.length >> 1, list.length - 1].map(
    (at) => list.toSorted((a, b) => a - b)[at] ?? NaN,
  );
  process.stdout.write(
    `${name.padEnd(20)} ${median?.toFixed(0)} µs of CPU each (${low?.toFixed(0)} to ${high?.toFixed(0)}, ${list.length} times ${COUNT})\n`,
  );
}
await Promise.all(servers.map((server) => server.stop()));
