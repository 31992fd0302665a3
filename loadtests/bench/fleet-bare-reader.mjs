// The least that a reader of a stream can be: ioredis and a loop. What limpet's reader is measured against.
// Usage: node fleet-bare-reader.mjs PORT STREAM; it reads until it is ended, from what is written after its first line on stdout.
import { Redis } from "ioredis";

const [port, stream] = process.argv.slice(2);
const redis = new Redis(Number(port), "127.0.0.1", { protocol: 2 });
const info = await redis.xinfo("STREAM", stream);
let position = info[info.indexOf("last-generated-id") + 1];
process.stdout.write("reading\n");
for (;;) {
  const reply = await redis.xreadBuffer("BLOCK", 5_000, "COUNT", 200, "STREAMS", stream, position);
  if (reply !== null) position = reply[0][1].at(-1)[0];
}
