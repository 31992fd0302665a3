// Joins, says a last word and closes the connection, all in one turn.
export default function app(io) {
  io.on("connection", (socket) => {
    socket.on("end", (room) => {
      socket.join(room);
      socket.emit("last word", room);
      socket.conn.close();
    });
  });
}
