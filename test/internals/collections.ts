/** Sends commands to the Redis at a port, by ioredis' own way (`stock`) or limpet's, and prints the MiB by which old space has grown at most. */
import { getHeapSpaceStatistics } from "node:v8";
import { Redis } from "ioredis";
import { send } from "../../src/lib/redis-command.js";

const COMMANDS = 3_000;
const [port, way] = process.argv.slice(2);

const oldSpaceBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size ?? 0;

const client = new Redis({ port: Number(port), protocol: 2 });
const args = ["s", "-", "+"];
let fromBytes = 0;
let mostBytes = 0;
for (let n = 0; n < COMMANDS; n++) {
  await (way === "stock" ? client.callBuffer("XRANGE", ...args) : send(client, "XRANGE", args, null));
  if (n === 500) fromBytes = oldSpaceBytes();
  if (n > 500) mostBytes = Math.max(mostBytes, oldSpaceBytes());
}
console.log(((mostBytes - fromBytes) / 2 ** 20).toFixed(1));
client.disconnect();
