import type { ServerOptions } from "socket.io";
import type { z } from "zod";
import type { DeepReadonly } from "./deep-readonly.js";
import type { socketioSchema } from "./socketio-schema.js";

/** The serialisable part of Socket.IO's and Engine.IO's server options, with Socket.IO's defaults filled in. */
export type SocketIoOptions = DeepReadonly<z.output<typeof socketioSchema>>;

/** Without recovery, which is on by limpet's own key. A copy that Socket.IO's `Server` and Engine.IO's `Server` take, and may write to. */
export function toServerOptions(options: SocketIoOptions): Partial<ServerOptions> {
  const { cors, transports, connectionStateRecovery: _recovery, ...rest } = structuredClone(options);
  return {
    ...rest,
    transports: [...transports],
    ...(cors === false ? {} : { cors: cors as NonNullable<ServerOptions["cors"]> }),
  };
}
