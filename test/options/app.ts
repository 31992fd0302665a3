/** The app of the options' tests. It runs in a node's workers, and on a stock server beside it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "socket.io";
import type { App } from "../../src/apps/contract.js";

type Reply = (value?: unknown) => void;

/** @param onSessionClosed hears of each Engine.IO session that ends */
export function serve(io: Server, worker: number, onSessionClosed: (sid: string, reason: string) => void): void {
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, reply: Reply) => reply(value));
    socket.on("who", (reply: Reply) => reply(worker));
    socket.on("repeat", (text: string, times: number, reply: Reply) => reply(text.repeat(times)));
    socket.on("join", (room: string, reply: Reply) => {
      void socket.join(room);
      reply();
    });
    socket.on("say", (room: string, value: unknown) => io.to(room).emit("said", value));
  });
  io.engine.on("connection", (session: { id: string; once(event: "close", heard: (reason: string) => void): void }) =>
    session.once("close", (reason) => onSessionClosed(session.id, reason)),
  );
}

/** Takes what is not Socket.IO's. */
export function answer(request: IncomingMessage, response: ServerResponse): void {
  response.end(`the app has ${request.url}`);
}

const app: App = (io, limpet) => {
  serve(io, limpet.worker.slot, (sid, reason) => limpet.log.info({ sid, reason }, "session closed"));
  limpet.http(answer);
};

export default app;
