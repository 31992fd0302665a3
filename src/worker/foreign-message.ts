/** What comes from other servers is looked at before Socket.IO is handed it: a value that it does not expect would end the worker. */
import { MessageType } from "socket.io-adapter";

const LAST_PACKET_TYPE = 6;
const isList = Array.isArray as (value: unknown) => value is unknown[];

/** @throws Error where the data is not what its type says */
export function checkForeignMessage(type: number, data: unknown): void {
  const { packet, opts, rooms, requestId } = (data ?? {}) as Record<string, unknown>;
  const isReadable =
    type === (MessageType.SERVER_SIDE_EMIT as number)
      ? isList(packet) && (requestId === undefined || typeof requestId === "string")
      : hasOptions(opts) &&
        (type !== (MessageType.BROADCAST as number) || isPacket(packet)) &&
        ((type !== (MessageType.SOCKETS_JOIN as number) && type !== (MessageType.SOCKETS_LEAVE as number)) ||
          isList(rooms));
  if (!isReadable) throw new Error(`a message of type ${type} that cannot be read`);
}

function hasOptions(value: unknown): boolean {
  const opts = value as { rooms?: unknown; except?: unknown; flags?: unknown } | undefined;
  return isList(opts?.rooms) && isList(opts.except) && (opts.flags == null || typeof opts.flags === "object");
}

function isPacket(value: unknown): boolean {
  const packet = value as { type?: unknown; data?: unknown } | null | undefined;
  return (
    typeof packet === "object" &&
    packet !== null &&
    Number.isInteger(packet.type) &&
    (packet.type as number) >= 0 &&
    (packet.type as number) <= LAST_PACKET_TYPE &&
    isList(packet.data)
  );
}
