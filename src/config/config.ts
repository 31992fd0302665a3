/**
 * The one configuration every process of a node runs with: complete, checked and frozen. Written by `load-config`, read everywhere else.
 * Units stand in the names; `null` means "not set".
 */
import type { SocketIoOptions } from "./socketio-options.js";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface Config {
  /** Absolute path of the app module; `null` runs the built-in channels app. */
  readonly app: string | null;
  /** TCP port clients connect to; 0 picks a free one. */
  readonly port: number;
  readonly host: string;
  /** Number of worker processes, 1 to 32. */
  readonly workers: number;
  /** TCP port of /metrics, /healthz, /readyz and /workers; 0 picks a free one. */
  readonly opsPort: number;
  readonly opsHost: string;
  /** Number of this node in its fleet, 0 to 4095: the first two characters of every session id. */
  readonly nodeId: number;
  readonly log: { readonly level: LogLevel };
  readonly front: {
    /** Longest request line that is routed; beyond it the answer is 414. */
    readonly maxRequestLineBytes: number;
    /** Longest wait for a complete request line; beyond it the answer is 408. */
    readonly requestLineTimeoutMs: number;
    /** Connections that may wait to be handed to one worker; beyond it the answer is 503. */
    readonly maxPendingHandoffs: number;
  };
  readonly http: {
    /** Longest wait for the rest of a request's head, in a worker. */
    readonly headersTimeoutMs: number;
    /** Longest wait for a whole request, body included. */
    readonly requestTimeoutMs: number;
    /** How long an idle connection is kept; above the balancer's own limit, or POSTs die on a closing connection. */
    readonly keepAliveTimeoutMs: number;
  };
  readonly hub: {
    /** Bytes that may wait for one worker on the wire; messages beyond it are dropped and counted. */
    readonly maxQueueBytes: number;
    /** How long fetchSockets and serverSideEmit wait for the other workers, where the caller sets no timeout. */
    readonly requestTimeoutMs: number;
    /** Namespaces a node may have open at once. */
    readonly maxNamespaces: number;
  };
  readonly supervisor: {
    /** How long a worker may take from its start to ready. */
    readonly readyTimeoutMs: number;
    /** Silence after which a worker counts as hung and is replaced; `null`: pingInterval + pingTimeout + 5 s. */
    readonly hangTimeoutMs: number | null;
    /** How long a worker may take to end after SIGTERM before it is killed. */
    readonly stopTimeoutMs: number;
  };
  /** Socket.IO's own server options, under their own names. */
  readonly socketio: SocketIoOptions;
}
