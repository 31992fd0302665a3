/** What an app sees of limpet: the types behind `export default (io, limpet) => { … }`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type {
  Counter,
  CounterConfiguration,
  Gauge,
  GaugeConfiguration,
  Histogram,
  HistogramConfiguration,
} from "prom-client";
import type { Server, Socket } from "socket.io";
import type { Config } from "../config/config.js";

export type HttpListener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Metrics of the app's own: scraped with limpet's, summed over the workers. Names must not begin with `limpet_`. */
export interface AppMetrics {
  counter<L extends string>(options: CounterConfiguration<L>): Counter<L>;
  gauge<L extends string>(options: GaugeConfiguration<L>): Gauge<L>;
  histogram<L extends string>(options: HistogramConfiguration<L>): Histogram<L>;
}

export interface Limpet {
  /** pino logger; each line carries node and worker. */
  readonly log: Logger;
  readonly config: Config;
  readonly metrics: AppMetrics;
  readonly node: { readonly id: number };
  readonly worker: { readonly slot: number; readonly pid: number };
  /**
   * Takes the HTTP requests whose path is not Socket.IO's: an Express app or any request listener.
   * @throws Error when called twice
   */
  http(listener: HttpListener): void;
  /**
   * Makes sure that a recovery finds the socket's rooms and `socket.data` as they are now; a change of the data is otherwise kept within a second. Without
   * recovery it does nothing.
   * @returns once the node has them, and where nodes share a Redis, Redis
   * @throws Error where the socket is not connected, its data cannot be serialised or is too large, or Redis is away; the node keeps what it can
   */
  checkpoint(socket: Socket): Promise<void>;
  /**
   * Counts one connect of a user, whoever the app or its tokens say that it is, and lets him in within `access.userConnectsPerMinute`: over the whole
   * fleet where there is Redis, which nobody waits for for long. To be called in a middleware, `io.use()`.
   *
   * @param user any text that names him; the same on every node
   * @returns once he may come in; at once where there is no such limit
   * @throws Error where he has connected too often, with `data: { code: "user_rate", retryAfterMs }`: given to `next`, the client gets it in `connect_error`
   */
  admit(user: string): Promise<void>;
}

/** An app module's default export; called once in each worker, before the worker takes connections. */
export type App = (io: Server, limpet: Limpet) => void | Promise<void>;
