/**
 * The app of the tests of rescued requests: logs one header of each request of Engine.IO byte by byte, sends pieces of known size, and
 * tells what a connection of its worker's has taken and not passed on yet.
 */
import type { Server as HttpServer } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { App } from "../../src/apps/contract.js";

interface EngineRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly method: string;
}

const app: App = (io, limpet) => {
  io.engine.use((request: EngineRequest, _response: unknown, next: () => void) => {
    const note = request.headers["x-note"];
    if (note !== undefined) {
      // Node reads header bytes as latin1.
      const hex = Buffer.from(note, "latin1").toString("hex");
      limpet.log.info({ hex, upgrade: request.headers["upgrade"] ?? "", method: request.method }, "x-note");
    }
    next();
  });
  const connections = new Map<number, TcpSocket>();
  (io.httpServer as HttpServer).on("connection", (connection: TcpSocket) => {
    if (connection.remotePort !== undefined) connections.set(connection.remotePort, connection);
  });
  io.engine.on("connection", (session: { id: string; once: (event: "close", listener: () => void) => void }) =>
    session.once("close", () => limpet.log.info({ sid: session.id }, "session closed")),
  );
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
    socket.on("id", (ack: (id: string) => void) => ack(String(socket.id)));
    socket.on("send piece", (id: string, bytes: number, ack: () => void) => {
      io.local.to(id).emit("piece", "x".repeat(bytes));
      ack();
    });
    socket.on("look at", (port: number, ack: (written?: number, pending?: number) => void) => {
      const connection = connections.get(port);
      ack(connection?.bytesWritten, connection?.writableLength);
    });
  });
};

export default app;
