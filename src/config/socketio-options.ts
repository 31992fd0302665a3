import type { ServerOptions } from "socket.io";

/** The serialisable part of Socket.IO's and Engine.IO's server options, with Socket.IO's defaults filled in. */
export interface SocketIoOptions {
  readonly path: string;
  readonly serveClient: boolean;
  readonly connectTimeout: number;
  readonly cleanupEmptyChildNamespaces: boolean;
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly upgradeTimeout: number;
  readonly maxHttpBufferSize: number;
  readonly transports: readonly ("polling" | "websocket")[];
  readonly allowUpgrades: boolean;
  readonly perMessageDeflate: boolean | Record<string, unknown>;
  readonly httpCompression: boolean | Record<string, unknown>;
  readonly allowEIO3: boolean;
  readonly cookie?: ServerOptions["cookie"];
  readonly cors?: ServerOptions["cors"];
}
