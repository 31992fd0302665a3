// A stock Socket.IO server with the stock Redis Streams adapter, as their documentation puts them together; what runs beside limpet nodes on one
// Redis. Usage: node stock-server.mjs '{"app": …, "id": …, "redis": …, "adapter": …, "server": …}'; its first line on stdout is the port.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const { app, id, redis, adapter, server } = JSON.parse(process.argv[2]);

const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(new Redis(redis), adapter), ...server });
const { default: start } = await import(pathToFileURL(app).href);
const log = { info: (fields, msg) => process.stdout.write(`${JSON.stringify({ ...fields, msg })}\n`) };
// What the tests' apps ask of limpet.
start(io, { node: { id }, worker: { slot: 0, pid: process.pid }, log });
httpServer.listen(0, "127.0.0.1", () => process.stdout.write(`${httpServer.address().port}\n`));
