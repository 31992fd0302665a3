// What stands between a client that comes back and its socket: middlewares that wait, refuse, or look at what was recovered.

/** @type {import("../../src/index.ts").App} */
export default function app(io, limpet) {
  let runs = 0;
  const gates = new Map();
  const serve = (socket) => {
    socket.on("run", async (source, args, reply) => {
      try {
        const task = new Function("__name", `return ${source}`)((target) => target);
        reply({ value: await task({ io, socket, limpet, runs, gates }, ...args) });
      } catch ({ name, message }) {
        reply({ error: { name, message } });
      }
    });
  };
  io.use((socket, next) => {
    runs++;
    const { gate, refuse } = socket.handshake.auth;
    if (socket.recovered) socket.data.seenByMiddleware = (socket.data.seenByMiddleware ?? 0) + 1;
    if (refuse === true) next(Object.assign(new Error("no entry"), { data: { code: 7 } }));
    else if (gate === undefined) next();
    else gates.set(gate, next);
  });
  io.on("connection", (socket) => {
    socket.emit("welcome", socket.recovered);
    serve(socket);
  });
  io.of("/private").use((socket, next) =>
    next(socket.handshake.auth.key === "right" ? undefined : new Error("wrong key")),
  );
  for (const nsp of [io.of("/private"), io.of("/open"), io.of(/^\/dynamic-\w+$/)]) nsp.on("connection", serve);
}
