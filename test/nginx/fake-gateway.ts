/** What stands behind nginx where only the routing is looked at: an HTTP server that writes down what reaches it. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Scope } from "../support/children.js";

export interface Arrival {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Number of the connection, from 0. */
  readonly connection: number;
  readonly bodyBytes: number;
}

export class FakeGateway {
  readonly arrivals: Arrival[] = [];
  /** What becomes of a request once it is complete: 200 "ok", the connection breaks, or 503. */
  behaviour: "answer" | "break" | "refuse" = "answer";
  readonly #server = createServer({ keepAliveTimeout: 75_000 });
  readonly #numbers = new Map<Socket, number>();

  private constructor() {
    this.#server.on("connection", (socket) => this.#numbers.set(socket, this.#numbers.size));
    this.#server.on("request", (request, response) => {
      let bodyBytes = 0;
      request.on("data", (chunk: Buffer) => (bodyBytes += chunk.length));
      request.on("end", () => {
        this.#arrived(request, bodyBytes);
        if (this.behaviour === "break") request.socket.destroy();
        else if (this.behaviour === "refuse") response.writeHead(503, { "Retry-After": "2" }).end();
        else response.end("ok");
      });
    });
    this.#server.on("upgrade", (request, socket) => {
      this.#arrived(request, 0);
      socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    });
  }

  static async start(scope: Scope): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    gateway.#server.listen(0, "127.0.0.1");
    await once(gateway.#server, "listening");
    scope.after(() => gateway.stop());
    return gateway;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections so far. */
  get connectionCount(): number {
    return this.#numbers.size;
  }

  /** The only request so far; forgotten after that. */
  takeOne(): Arrival {
    const [one, ...others] = this.arrivals.splice(0);
    if (one === undefined || others.length > 0)
      throw new Error(`${others.length + (one ? 1 : 0)} requests arrived, not one`);
    return one;
  }

  /** Stops listening and breaks every connection. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #arrived({ method = "", url = "", headers, socket }: IncomingMessage, bodyBytes: number): void {
    this.arrivals.push({ method, url, headers, connection: this.#numbers.get(socket) ?? -1, bodyBytes });
  }
}
