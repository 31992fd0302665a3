// The app of the hub's tests: runs functions of the tests in its worker, in the main namespace and in others.

/** @type {import("../../src/index.ts").App} */
export default function app(io, limpet) {
  // Over all nodes of a fleet; on a node that is alone, its slot.
  const worker = 100 * limpet.node.id + limpet.worker.slot;
  const serve = (socket) => {
    socket.data.worker = worker;
    socket.on("run", async (source, args, reply) => {
      try {
        reply({ value: await compile(source)({ io, socket, limpet }, ...args) });
      } catch ({ name, message, responses, missing }) {
        reply({ error: { name, message, responses, missing } });
      }
    });
  };
  const joinOnEntry = (socket, next) => {
    const { room, refuse } = socket.handshake.auth;
    if (room !== undefined) socket.join(room);
    next(refuse === true ? new Error("no entry") : undefined);
  };

  io.use(joinOnEntry).on("connection", serve);
  io.of("/custom").on("connection", serve);
  io.of("/empty");
  io.of(/^\/dynamic-\w+$/)
    .use(joinOnEntry)
    .on("connection", serve);
  io.of((name, auth, next) => next(null, name.startsWith("/by-function/") && auth.key === "right")).on(
    "connection",
    serve,
  );

  for (const nsp of [io, io.of("/custom"), io.of("/empty")]) {
    nsp.on("who", (...args) => {
      const reply = args.pop();
      reply({ worker, args });
    });
    nsp.on("note", (...args) => {
      limpet.log.info({ args: args.map(describe) }, "noted");
    });
  }
}

/** The tests' TypeScript is compiled with a helper that keeps the names of functions. */
function compile(source) {
  return new Function("__name", `return ${source}`)((target) => target);
}

function describe(value) {
  return Buffer.isBuffer(value) ? `Buffer ${value.toString("hex")}` : value;
}
