/** What the engine asks of a transport, and what a transport tells the engine. */
import type { Params } from "k6/http";
import type { EnginePacket } from "./engine-codec.ts";
import type { TransportName } from "./metrics.ts";

export interface TransportHandlers {
  onPacket(packet: EnginePacket): void;
  /** May take packets again. */
  onDrain(): void;
  /** At most once; nothing follows it. `error` is absent when the other side closed in an orderly way. */
  onClose(error?: Error): void;
}

export interface Transport {
  readonly name: TransportName;
  readonly writable: boolean;
  /** Only while `writable`. */
  send(packets: readonly EnginePacket[]): void;
  /** Says goodbye and lets go; no handler is called from here on. */
  close(): void;
}

/** What all requests of one client have in common. */
export interface RequestContext {
  /** The URL with its query, for a session or for a new one. */
  url(transport: TransportName, sid: string | undefined): string;
  readonly headers: Readonly<Record<string, string>>;
  /** Cookies belong to a client, not to the VU: a balancer may pin sessions by them. */
  readonly jar: NonNullable<Params["jar"]>;
}
