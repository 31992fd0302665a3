/** A piece of road that, once it slices, lets so many bytes of each connection reach the client, and no more: every place is cut in the end. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Scope } from "../../support/children.js";

interface Range {
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Behind the answer to an upgrade, and Engine.IO's first packet. A stock client that is cut between the two waits for its `timeout` of 20 s. */
const WEBSOCKET: Range = { minBytes: 240, maxBytes: 2_500 };
/** Anywhere in an answer, of which a connection may carry one alone; but not in each, or nobody would ever be in its rooms. */
const POLLING: Range = { minBytes: 1, maxBytes: 3_001 };
/** Has no divisor with the ranges in common: all of each is swept, and neighbours are far apart. */
const STEP_BYTES = 337;

export class Slicer {
  readonly port: number;
  /** Connections that were cut. */
  cuts = 0;
  #isSlicing = false;
  #slices = 0;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(scope: Scope, target: number): Promise<Slicer> {
    const open = new Set<Socket>();
    const track = (socket: Socket): Socket => {
      open.add(socket);
      // Broken connections are what this is for.
      return socket.on("error", () => undefined).once("close", () => open.delete(socket));
    };
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const slicer = new Slicer((server.address() as AddressInfo).port);
    server.on("connection", (client) => {
      slicer.#join(track(client), track(connect({ host: "127.0.0.1", port: target, noDelay: true })));
    });
    scope.after(() => {
      server.close();
      for (const socket of open) socket.destroy();
    });
    return slicer;
  }

  begin(): void {
    this.#isSlicing = true;
  }

  end(): void {
    this.#isSlicing = false;
  }

  #join(client: Socket, server: Socket): void {
    let left = Infinity;
    client.once("data", (request: Buffer) => {
      if (this.#isSlicing) left = this.#nextSlice(request.includes("transport=polling") ? POLLING : WEBSOCKET);
    });
    client.on("data", (chunk: Buffer) => server.write(chunk));
    server.on("data", (chunk: Buffer) => {
      if (this.#isSlicing && left === Infinity) left = chunk.length - 1;
      client.write(chunk.subarray(0, left));
      if (chunk.length <= left) {
        left -= chunk.length;
        return;
      }
      client.end();
      server.removeAllListeners("data").pause();
      // Of those that are cut every other server is not told.
      if (this.cuts++ % 2 === 0) server.destroy();
    });
    server.on("end", () => client.end());
    server.on("close", () => client.end());
    client.on("end", () => {
      if (left > 0) server.end();
    });
  }

  #nextSlice({ minBytes, maxBytes }: Range): number {
    return minBytes + ((this.#slices++ * STEP_BYTES) % (maxBytes - minBytes));
  }
}
