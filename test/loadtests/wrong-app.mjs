/**
 * Looks like the load app and gets everything a little wrong: what the checks are there to notice.
 *
 * @param {import("socket.io").Server} io
 */
export default function wrongApp(io) {
  let messages = 0;
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => {
      const acknowledge = args.pop();
      acknowledge("not", ...args);
    });
    socket.on("join", async (room, acknowledge) => {
      await socket.join(room);
      acknowledge();
    });
    socket.on("publish", (room, message, acknowledge) => {
      messages += 1;
      // Of every four: one is lost, one comes twice, one overtakes.
      if (messages % 4 === 1) io.to(room).emit("message", { ...message, n: message.n + 1_000 });
      else if (messages % 4 === 2) for (let i = 0; i < 2; i++) io.to(room).emit("message", message);
      else if (messages % 4 === 3) setTimeout(() => io.to(room).emit("message", message), 300);
      acknowledge();
    });
    socket.on("bounce", (n) => {
      socket.emit("bounced", n === 10 ? 11 : n);
    });
  });
}
