// The app of the fault scenarios, for limpet and for the documented recipe alike: rooms, numbered messages that clients ask for, and numbered events to
// each single client (where FAULTS_UNICASTS is set), which it writes down at once, since it may be killed: FAULTS_LEDGER names the folder for that. With
// FAULTS_NOISE there are volatile and local events with a string behind them all the while.
import { openSync, writeSync } from "node:fs";
import path from "node:path";

const UNICAST_MS = 500;
const FLOOD_BATCH = 200;
const FLOOD_ROOMS = 1_000;
const FLOOD_TEXT = "x".repeat(60);
const { FAULTS_LEDGER: folder, FAULTS_UNICASTS: unicasts, FAULTS_NOISE: noise } = process.env;
const { pid } = process;

export default function app(io) {
  const ledger = openSync(path.join(folder, String(pid)), "a");
  let n = 0;

  io.on("connection", (socket) => {
    socket.on("join", async (mark, rooms, ack) => {
      socket.data.mark = mark;
      await socket.join(rooms);
      ack(pid);
    });
    socket.on("who", (ack) => ack({ pid, mark: socket.data.mark, rooms: [...socket.rooms] }));
    socket.on("post", (publisher, room, number, ack) => {
      io.to(room).emit("message", publisher, room, number);
      ack();
    });
    socket.on("flood", async (count, ack) => {
      for (let sent = 0; sent < count; sent++) {
        io.to(`other-${sent % FLOOD_ROOMS}`).emit("other", sent, FLOOD_TEXT);
        if (sent % FLOOD_BATCH === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      ack();
    });
  });

  setInterval(() => {
    let lines = "";
    for (const socket of unicasts ? io.sockets.sockets.values() : []) {
      if (socket.data.mark === undefined) continue;
      socket.emit("unicast", pid, ++n);
      lines += `${n} ${socket.id} ${Date.now()}\n`;
    }
    if (lines !== "") writeSync(ledger, lines);
    if (noise) {
      io.volatile.emit("noise", "a string");
      io.local.emit("noise", "another");
    }
  }, UNICAST_MS);
}
