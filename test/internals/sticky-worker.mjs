// A cluster worker that gives @socket.io/sticky a connection, and tells what it used to take it in.
import { Socket } from "node:net";
import { setupWorker } from "@socket.io/sticky";

const used = [];
const spy = (name, target) =>
  new Proxy(target, { get: (object, key) => (used.push(`${name}.${String(key)}`), Reflect.get(object, key)) });

setupWorker({
  httpServer: spy("httpServer", { emit: () => {}, prependListener: () => {} }),
  engine: spy("engine", { on: () => {} }),
});
process.emit("message", { type: "sticky:connection", data: Buffer.from("x") }, new Socket());
process.send({ used }, () => process.exit(0));
