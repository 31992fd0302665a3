// One process with stock Socket.IO and nothing around it. Usage: node single.mjs APP; its first line on stdout is the port.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { Server } from "socket.io";

const { default: start } = await import(pathToFileURL(process.argv[2]).href);
const server = createServer();
start(new Server(server));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
