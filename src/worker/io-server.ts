/**
 * Builds the Socket.IO server of a worker: the stock `Server`, bound to limpet's engine instead of attached to a port, with everything that
 * `attach` would have given it.
 */
import type { Server as HttpServer } from "node:http";
import type { ServerOptions } from "socket.io";
import { Server } from "socket.io";
import { toServerOptions, type SocketIoOptions } from "../config/socketio-options.js";
import type { AdapterOptions } from "./adapter.js";
import { createHubAdapter } from "./adapter.js";
import { boundDecoder } from "./bounded-decoder.js";
import type { Bounds } from "./bounds.js";
import type { Engine } from "./engine.js";
import { internalsOf } from "./internals.js";
import { createRecoveryAdapter } from "./recovery-adapter.js";
import { offsetParser } from "./recovery/offset-parser.js";
import type { Recovery } from "./recovery/recovery.js";
import { nameSockets } from "./socket-ids.js";

export interface IoServerOptions {
  readonly httpServer: HttpServer;
  readonly engine: Engine;
  readonly adapter: Omit<AdapterOptions, "rooms" | "onNamespace" | "uncounted">;
  readonly bounds: Bounds;
  /** Undefined: clients that come back start anew. */
  readonly recovery?: Recovery | undefined;
  readonly socketio: SocketIoOptions;
  readonly maxNamespaces: number;
  /** A client asked for one namespace too many and was answered "Invalid namespace". */
  readonly onNamespaceRefused: (name: string) => void;
  /** The server closes: because the app said so, or because the worker stops. */
  readonly onClosing: () => void;
}

type AdapterClass = NonNullable<ServerOptions["adapter"]>;

export function createIoServer({
  httpServer,
  engine,
  adapter,
  bounds,
  recovery,
  socketio,
  maxNamespaces,
  onNamespaceRefused,
  onClosing,
}: IoServerOptions): Server {
  const options: AdapterOptions = {
    ...adapter,
    rooms: bounds.rooms,
    onNamespace: (nsp) => {
      nameSockets(nsp, engine.sidPrefix);
      bounds.clients.guard(nsp);
    },
    uncounted: (write: () => void) => bounds.backlog.uncounted(write),
  };
  const io = new Server({
    ...toServerOptions(socketio),
    ...(recovery === undefined
      ? { adapter: createHubAdapter(options) as unknown as AdapterClass }
      : {
          adapter: createRecoveryAdapter(options, recovery) as unknown as AdapterClass,
          connectionStateRecovery: { ...socketio.connectionStateRecovery },
          parser: offsetParser,
        }),
  });
  const internals = internalsOf(io);
  const { _parser: parser } = internals;
  internals._parser = { ...parser, Decoder: boundDecoder(parser.Decoder, (why) => bounds.onBadPacket(why)) };
  internals.httpServer = httpServer;
  if (socketio.serveClient) internals.attachServe(httpServer);
  io.bind(engine);

  const checkNamespace = internals._checkNamespace.bind(io);
  internals._checkNamespace = (name, auth, done) => {
    if (internals._nsps.size < maxNamespaces) return checkNamespace(name, auth, done);
    onNamespaceRefused(name);
    done(false);
  };

  const close = io.close.bind(io);
  io.close = async (done) => {
    const closed = close(done);
    onClosing();
    await closed;
  };

  for (const name of ["attach", "listen", "attachApp"] as const) {
    io[name] = (): never => {
      throw new Error(
        `io.${name}() is not available: limpet owns the port and the engine. Use limpet.http() for requests of your own.`,
      );
    };
  }
  return io;
}
