/** The app of recovery's tests: whatever a client must be able to have a worker do. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io, limpet) => {
  for (const nsp of [io.of("/"), io.of("/other")]) {
    nsp.on("connection", (socket) => {
      socket.on("join", async (room: string, ack?: () => void) => {
        await socket.join(room);
        ack?.();
      });
      socket.on("leave", async (room: string, ack: () => void) => {
        await socket.leave(room);
        ack();
      });
      socket.on("set", (key: string, value: unknown, ack: () => void) => {
        (socket.data as Record<string, unknown>)[key] = value;
        ack();
      });
      socket.on("set a function", (ack: () => void) => {
        (socket.data as Record<string, unknown>)["function"] = ack;
        ack();
      });
      socket.on("checkpoint", async (ack: (answer: string) => void) => {
        try {
          await limpet.checkpoint(socket);
          ack("ok");
        } catch (error) {
          ack((error as Error).message);
        }
      });
      /** What the worker knows of this socket. */
      socket.on("who", (ack: (answer: unknown) => void) => {
        const { id, recovered, data, rooms } = socket;
        ack({ id, recovered, data: data as unknown, rooms: [...rooms].toSorted(), slot: limpet.worker.slot });
      });
      socket.on("publish", (room: string, values: unknown[], ack: () => void) => {
        for (const value of values) nsp.to(room).emit("said", room, value);
        ack();
      });
      socket.on("publish buffer", (room: string, bytes: number, ack: () => void) => {
        nsp.to(room).emit("said", room, Buffer.alloc(bytes, "x"));
        ack();
      });
      socket.on("publish to all", (value: unknown, ack: () => void) => {
        nsp.emit("said", "all", value);
        ack();
      });
      socket.on("publish except", (room: string, except: string, value: unknown, ack: () => void) => {
        nsp.to(room).except(except).emit("said", room, value);
        ack();
      });
      socket.on("publish volatile", (room: string, value: unknown, ack: () => void) => {
        nsp.to(room).volatile.emit("said", room, value);
        ack();
      });
      socket.on("publish locally", (room: string, value: unknown, ack: () => void) => {
        nsp.local.to(room).emit("said", room, value);
        ack();
      });
      /** From the socket of that id on this very worker. */
      socket.on("tell", (id: string, value: unknown, ack: (told: boolean) => void) => {
        ack(nsp.sockets.get(id)?.emit("told", value) === true);
      });
      /** Keeps the worker busy, and then changes the session. */
      socket.on("stand still", (ms: number) => {
        const until = performance.now() + ms;
        while (performance.now() < until);
        void socket.join("stale");
        (socket.data as Record<string, unknown>)["turn"] = "stale";
      });
      socket.on("sockets", (ack: (ids: string[]) => void) => ack([...nsp.sockets.keys()]));
      socket.on("end", () => socket.disconnect());
    });
  }
};

export default app;
