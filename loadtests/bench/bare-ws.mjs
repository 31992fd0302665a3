// The least that a server of rooms over WebSocket can be: one process, ws, a map of rooms. It answers the clients of the measurements as Socket.IO
// does, and knows nothing else of it: no heartbeat, no namespaces, no polling. Its first line on stdout is the port.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket) => {
  const joined = new Set();
  socket.on("message", (data) => {
    const text = data.toString();
    if (text === "40") {
      socket.send(`40{"sid":"${randomUUID()}"}`);
      return;
    }
    const at = text.indexOf("[");
    const [event, name, message] = JSON.parse(text.slice(at));
    if (event === "publish") {
      const frame = Buffer.from(`42${JSON.stringify(["message", message])}`);
      for (const member of rooms.get(name) ?? []) member.send(frame, { binary: false });
      return;
    }
    let room = rooms.get(name);
    if (room === undefined) rooms.set(name, (room = new Set()));
    room.add(socket);
    joined.add(room);
    socket.send(`43${text.slice(2, at)}[]`);
  });
  socket.on("close", () => {
    for (const room of joined) room.delete(socket);
  });
  socket.send(`0{"sid":"${randomUUID()}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
