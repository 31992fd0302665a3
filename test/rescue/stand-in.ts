/** Something of the test's own at an address that a node says is its own: the others forward to it. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Scope } from "../support/children.js";

/** @returns its address, as HOST:PORT; it ends with the scope */
export async function startStandIn(scope: Scope, onConnection: (socket: Socket) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  scope.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Takes a request, begins to answer it, and breaks off. */
export function answerHalf(socket: Socket): void {
  const half = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf";
  socket.once("data", () => socket.end(half));
}
