/**
 * The app that the scenarios and the client's own check talk to. It also is the list of what another server has to
 * answer to be loaded with the scenarios: "echo", "join", "leave" and "publish".
 *
 * @param {import("socket.io").Server} io
 */
export default function loadApp(io) {
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => {
      const acknowledge = args.pop();
      acknowledge(...args);
    });

    socket.on("join", async (room, acknowledge) => {
      await socket.join(room);
      acknowledge();
    });

    socket.on("leave", async (room, acknowledge) => {
      await socket.leave(room);
      acknowledge();
    });

    // To every member, the sender too; the acknowledgement says that the server has it, not that it arrived.
    socket.on("publish", (room, message, acknowledge) => {
      io.to(room).emit("message", message);
      acknowledge();
    });

    addForCheck(socket);
  });

  io.of("/private").use((socket, next) => {
    if (socket.handshake.auth.token === "open sesame") {
      next();
      return;
    }
    next(Object.assign(new Error("wrong token"), { data: { hint: "open …" } }));
  });
  io.of("/private").on("connection", (socket) => {
    socket.on("whoami", (acknowledge) => {
      acknowledge(socket.nsp.name, socket.handshake.auth.token);
    });
  });
}

/** What only the client's own check uses. */
function addForCheck(socket) {
  socket.on("bounce", (...args) => {
    socket.emit("bounced", ...args);
  });

  // The server asks and the client acknowledges; the caller gets what the server got.
  socket.on("ask me", (timeoutMs, args, acknowledge) => {
    socket.timeout(timeoutMs).emit("question", ...args, (error, ...answers) => {
      acknowledge(error === null ? answers : "no answer");
    });
  });

  // Meant to be ignored: it never acknowledges.
  socket.on("silence", () => {});

  socket.on("describe", (acknowledge) => {
    const { query, headers, auth } = socket.handshake;
    acknowledge({ transport: socket.conn.transport.name, query, header: headers["x-check"] ?? null, auth });
  });

  socket.on("leave me", () => {
    socket.disconnect();
  });

  // The connection breaks without a word, as when a network goes away.
  socket.on("cut me off", () => {
    socket.conn.close();
  });
}
