/** What comes from other servers is looked at before Socket.IO is handed it: a value that it does not expect would end the worker. */
import { MessageType } from "socket.io-adapter";
import { PacketType } from "./internals.js";

/** An event of such a name makes stock clients drop their connection. */
const RESERVED_EVENTS: readonly unknown[] = [
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];
/** Socket.IO itself emits these in its namespaces. */
const RESERVED_SERVER_EVENTS: readonly unknown[] = ["connect", "connection", "new_namespace"];
const isList = Array.isArray as (value: unknown) => value is unknown[];

/** @throws Error where the data is not what its type says */
export function checkForeignMessage(type: number, data: unknown): void {
  const { packet, opts, rooms, requestId } = (data ?? {}) as Record<string, unknown>;
  const isReadable =
    type === (MessageType.SERVER_SIDE_EMIT as number)
      ? isEvent(packet, RESERVED_SERVER_EVENTS) && (requestId === undefined || typeof requestId === "string")
      : hasOptions(opts) &&
        (type !== (MessageType.BROADCAST as number) || isPacket(packet)) &&
        ((type !== (MessageType.SOCKETS_JOIN as number) && type !== (MessageType.SOCKETS_LEAVE as number)) ||
          isList(rooms));
  if (!isReadable) throw new Error(`a message of type ${type} that cannot be read`);
}

function hasOptions(value: unknown): boolean {
  const opts = value as { rooms?: unknown; except?: unknown; flags?: unknown } | undefined;
  return isList(opts?.rooms) && isList(opts.except ?? []) && (opts.flags == null || typeof opts.flags === "object");
}

function isPacket(value: unknown): boolean {
  const { type, id, data } = (value ?? {}) as { type?: unknown; id?: unknown; data?: unknown };
  return type === PacketType.EVENT && (id === undefined || Number.isInteger(id)) && isEvent(data, RESERVED_EVENTS);
}

function isEvent(value: unknown, reserved: readonly unknown[]): boolean {
  if (!isList(value)) return false;
  const [name] = value;
  return typeof name === "number" || (typeof name === "string" && !reserved.includes(name));
}
