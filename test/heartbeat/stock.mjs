// One stock Socket.IO server with the app beside it. Usage: node stock.mjs PING_INTERVAL PING_TIMEOUT; its first line on stdout is the port.
import { createServer } from "node:http";
import { Server } from "socket.io";
import app from "./app.mjs";

const [pingInterval, pingTimeout] = process.argv.slice(2).map(Number);
const server = createServer();
app(new Server(server, { pingInterval, pingTimeout }));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
