// The documented way to run Socket.IO on several cores: Node's cluster, @socket.io/sticky, @socket.io/cluster-adapter. What limpet is measured
// against. With REDIS_PORT the workers have @socket.io/redis-streams-adapter instead, over the Redis at that port of loopback.
// Usage: node recipe.mjs APP WORKERS [REDIS_PORT [OPTIONS]], OPTIONS being Socket.IO's in JSON, and REDIS_PORT 0 none; its first line on stdout is the port.
import cluster from "node:cluster";
import { createServer } from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { createAdapter, setupPrimary } from "@socket.io/cluster-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import sticky from "@socket.io/sticky";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const [app, workers, redisPort = "0", options = "{}"] = process.argv.slice(2);

if (cluster.isPrimary) {
  const server = createServer();
  sticky.setupPrimary(server, { loadBalancingMethod: "least-connection" });
  // Without this it goes on reading what it has handed over, and some clients hang: they would not count the same.
  server.on("connection", (socket) =>
    socket.prependListener("data", (chunk) => {
      if (chunk.toString("latin1").startsWith("GET ")) socket._handle?.readStop();
    }),
  );
  setupPrimary();
  cluster.setupPrimary({ serialization: "advanced" });
  let listening = 0;
  for (let n = 0; n < Number(workers); n++) {
    cluster.fork().on("message", (message) => {
      if (message?.type !== "recipe:ready" || ++listening < Number(workers)) return;
      server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
    });
  }
} else {
  const { default: start } = await import(pathToFileURL(path.resolve(app)).href);
  const io = new Server(createServer(), JSON.parse(options));
  io.adapter(Number(redisPort) > 0 ? createStreamsAdapter(new Redis(Number(redisPort), "127.0.0.1")) : createAdapter());
  sticky.setupWorker(io);
  start(io);
  process.send({ type: "recipe:ready" });
}
