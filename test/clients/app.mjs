// What the clients of the tests talk to: one event for each behaviour that a client of Socket.IO must have.

/** @type {import("../../src/index.ts").App} */
export default function app(io, limpet) {
  io.on("connection", (socket) => {
    const worker = limpet.worker.slot;
    const ask = askClient(socket);

    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("whoami", (reply) => reply({ worker, transport: socket.conn.transport.name, id: socket.id }));
    socket.on("never", () => {});

    // The server asks, the client acknowledges; with the answer, or "timeout" where none came, as the reply.
    socket.on("ask", (event, value, timeoutMs, reply) => void ask(event, value, timeoutMs).then(reply));

    socket.on("join", (room, reply) => {
      socket.join(room);
      reply(true);
    });
    socket.on("leave", (room, reply) => {
      socket.leave(room);
      reply(true);
    });
    socket.on("say", (room, message, reply) => {
      io.to(room).emit("said", room, message);
      reply(true);
    });

    socket.on("cut", () => cutConnection(socket.conn.transport));
    // Ends the session in order. (Over polling, python-socketio takes that for a good-bye and stays away.)
    socket.on("close", () => socket.conn.close());
  });

  io.of("/vip")
    .use((socket, next) => next(socket.handshake.auth.token === "gold" ? undefined : new Error("no entry")))
    .on("connection", (socket) => socket.on("echo", (value, reply) => reply({ vip: value })));
}

const askClient = (socket) => async (event, value, timeoutMs) => {
  try {
    return await socket.timeout(timeoutMs).emitWithAck(event, value);
  } catch {
    return "timeout";
  }
};

/** Breaks the TCP connection under the session, as a network does. Over polling that is the one of the pending poll, or of the next. */
function cutConnection(transport) {
  if (transport.name === "websocket") transport.socket.terminate();
  else if (transport.req) transport.req.socket.destroy();
  else transport.once("ready", () => transport.req.socket.destroy());
}
