// An app that sends a client more than it reads, for limpet and for the documented recipe.
const TEXT = "x".repeat(100_000);
const MESSAGES_A_TURN = 10;
const TURN_MS = 10;

export default function (io) {
  io.engine.opts.pingInterval = 1_000;
  io.engine.opts.pingTimeout = 3_000;
  io.on("connection", (socket) => {
    socket.on("pid", (ack) => ack(process.pid));
    socket.on("echo", (ack) => ack());
    // Sends so many messages of 100 kB to whoever asks for them.
    socket.on("flood", (messages) => {
      let sent = 0;
      const turn = () => {
        for (let n = 0; n < MESSAGES_A_TURN && sent < messages; n++, sent++) socket.emit("flood", TEXT);
        if (sent < messages) setTimeout(turn, TURN_MS);
        else io.to("watchers").emit("flooded");
      };
      turn();
    });
    socket.on("watch", (ack) => {
      socket.join("watchers");
      ack();
    });
    socket.on("disconnect", (reason) => io.to("watchers").emit("gone", socket.id, reason));
  });
}
