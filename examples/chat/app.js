import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import path from "node:path";

const MAX_IMAGE_BYTES = 500_000;

/** A prefix of its own, since each socket also has a room named after its id. */
const key = (room) => `chat:${room}`;

const isLabel = (value) => typeof value === "string" && value.trim() !== "" && value.length <= 40;

/** A client may leave the acknowledgement out, or send something else in its place. */
const replyTo = (acknowledge) => (typeof acknowledge === "function" ? acknowledge : () => {});

/**
 * A chat in one file: rooms, acknowledgements, images as binary, "is typing". The handlers are what they would be on a
 * single Socket.IO server; that a room's members sit on several workers shows nowhere.
 *
 * @param {import("socket.io").Server} io
 * @param {import("limpet").Limpet} limpet
 */
export default async function chat(io, limpet) {
  const page = await readFile(path.join(import.meta.dirname, "index.html"));
  limpet.http((request, response) => {
    const found = request.url === "/";
    response.writeHead(found ? 200 : 404, { "Content-Type": found ? "text/html; charset=utf-8" : "text/plain" });
    response.end(found ? page : "not found\n");
  });

  io.on("connection", (socket) => {
    limpet.log.debug({ id: socket.id }, "connected");

    const join = async ({ room, name }) => {
      if (!isLabel(room) || !isLabel(name)) return { ok: false, error: "room and name have 1 to 40 characters" };
      if (socket.data.room !== undefined) await leave(socket);
      Object.assign(socket.data, { room, name });
      await socket.join(key(room));
      socket.to(key(room)).emit("joined", { name });
      // Every member of the room, on whichever worker or node.
      const members = await io.in(key(room)).fetchSockets();
      return { ok: true, members: members.map((member) => member.data.name), worker: limpet.worker.slot };
    };

    socket.on("join", (request, acknowledge) => {
      const reply = replyTo(acknowledge);
      // Asking other workers can fail, and a rejection nobody handles would end this one.
      join(Object(request)).then(reply, (error) => {
        limpet.log.error({ err: error }, "a join failed");
        reply({ ok: false, error: "this did not work, please try again" });
      });
    });

    socket.on("text", (text, acknowledge) => {
      const reply = replyTo(acknowledge);
      if (socket.data.room === undefined) return reply({ ok: false, error: "join a room first" });
      if (typeof text !== "string" || text.trim() === "" || text.length > 2000) {
        return reply({ ok: false, error: "a text has 1 to 2000 characters" });
      }
      socket.to(key(socket.data.room)).emit("text", { from: socket.data.name, text });
      reply({ ok: true });
    });

    socket.on("image", (image, acknowledge) => {
      const reply = replyTo(acknowledge);
      if (socket.data.room === undefined) return reply({ ok: false, error: "join a room first" });
      if (!Buffer.isBuffer(image) || image.length > MAX_IMAGE_BYTES) {
        return reply({ ok: false, error: `an image is binary, up to ${MAX_IMAGE_BYTES} bytes` });
      }
      socket.to(key(socket.data.room)).emit("image", { from: socket.data.name, image });
      reply({ ok: true });
    });

    // Volatile: when a member's connection is busy, it may miss this one.
    socket.on("typing", () => {
      if (socket.data.room === undefined) return;
      socket.to(key(socket.data.room)).volatile.emit("typing", { from: socket.data.name });
    });

    socket.on("disconnecting", () => {
      if (socket.data.room !== undefined) socket.to(key(socket.data.room)).emit("left", { name: socket.data.name });
    });
  });
}

async function leave(socket) {
  socket.to(key(socket.data.room)).emit("left", { name: socket.data.name });
  await socket.leave(key(socket.data.room));
}
