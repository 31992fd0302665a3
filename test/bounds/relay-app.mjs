// An app that sends on what it is sent, and joins what it is told to, as many do.
export default function (io) {
  io.on("connection", (socket) => {
    socket.onAny((event, ...args) => socket.broadcast.emit(event, ...args));
    socket.on("join", async (room) => {
      await socket.join(room);
    });
  });
}
