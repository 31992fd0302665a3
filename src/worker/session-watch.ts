/**
 * Counts what happens to Engine.IO sessions: opened, closed and why, upgraded, refused, packets and bytes. Listens to Engine.IO's own events; the
 * listeners are shared by all sessions and allocate nothing per packet.
 */
import type { Server, Socket, Transport } from "engine.io";

export type TransportName = "polling" | "websocket" | "webtransport";

export interface SessionCounters {
  opened(): void;
  closed(reason: string): void;
  upgraded(outcome: "completed" | "failed"): void;
  handshakeError(code: number): void;
  /** One Socket.IO message (an Engine.IO `message` packet). */
  received(bytes: number): void;
  sent(bytes: number): void;
  /** A client sent a message that is longer than it may be. */
  tooLong(): void;
}

/** What is told of packets that cannot leave at once. */
export interface KeptPackets {
  add(session: Socket, bytes: number): void;
  forget(session: Socket): void;
}

/** What ws says of a message that is too long, as Engine.IO hands it on. */
const TOO_LONG = "Max payload size exceeded";

interface Packet {
  readonly type: string;
  readonly data?: string | Buffer;
}

export class SessionWatch {
  readonly connections: Record<TransportName, number> = { polling: 0, websocket: 0, webtransport: 0 };

  constructor(engine: Server, counters: SessionCounters, kept: KeptPackets) {
    const { connections } = this;
    const onPacket = ({ type, data }: Packet): void => {
      if (type === "message") counters.received(sizeOf(data));
    };
    const onPacketCreate = function (this: Socket, { type, data }: Packet): void {
      const bytes = sizeOf(data);
      if (type === "message") counters.sent(bytes);
      if (!this.transport.writable) kept.add(this, bytes);
    };

    const onFailedUpgrade = (): void => counters.upgraded("failed");

    engine.on("connection", (socket: Socket) => {
      let transport = socket.transport.name as TransportName;
      counters.opened();
      connections[transport]++;
      socket.on("packet", onPacket);
      socket.on("packetCreate", onPacketCreate);
      socket.on("upgrading", (next: Transport) => {
        // A client may probe more than once.
        next.off("close", onFailedUpgrade).once("close", onFailedUpgrade);
      });
      socket.once("upgrade", (next: Transport) => {
        next.off("close", onFailedUpgrade);
        counters.upgraded("completed");
        connections[transport]--;
        transport = socket.transport.name as TransportName;
        connections[transport]++;
      });
      socket.once("close", (reason: string, description?: unknown) => {
        connections[transport]--;
        kept.forget(socket);
        if (description instanceof Error && description.message.endsWith(TOO_LONG)) counters.tooLong();
        counters.closed(reason);
      });
    });
    engine.on("flush", (socket: Socket) => kept.forget(socket));
    engine.on("connection_error", ({ code }: { code: number }) => counters.handshakeError(code));
  }
}

function sizeOf(data: string | Buffer | undefined): number {
  if (data === undefined) return 0;
  return typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
}
