/**
 * What a session's connection tells of it: a packet, after which `socket.data` may be another, and the answer to a ping, which proves that everything
 * sent before the ping has arrived. The listeners are shared by all connections and allocate nothing per packet.
 */
import type { Socket as EngineSocket } from "engine.io";
import { listenBesideFrames } from "../direct-frames.js";
import type { LiveSession } from "./live-session.js";

export interface ConnectionWatchOptions {
  /** What has been handed to this worker's clients by now. */
  readonly claim: () => string;
  /** Whether something that was sent to that connection waits, and may be dropped. @param sid of Engine.IO */
  readonly isHeld: (sid: string) => boolean;
  readonly onPacket: (session: LiveSession) => void;
  /** @param claim covers nothing that has not arrived */
  readonly onAlive: (session: LiveSession, claim: string) => void;
}

interface Watched {
  /** Of Engine.IO's session. */
  readonly sid: string;
  readonly sessions: Set<LiveSession>;
  /** The claim at the ping whose answer is awaited. */
  pinged: string | undefined;
}

export class ConnectionWatch {
  readonly #watched = new WeakMap<EngineSocket, Watched>();
  readonly #onPacket: (this: EngineSocket) => void;
  readonly #onPacketCreate: (this: EngineSocket, packet: { readonly type: string }) => void;
  readonly #onPong: (this: EngineSocket) => void;

  constructor({ claim, isHeld, onPacket, onAlive }: ConnectionWatchOptions) {
    const all = this.#watched;
    this.#onPacket = function (this: EngineSocket): void {
      for (const session of all.get(this)?.sessions ?? []) onPacket(session);
    };
    this.#onPacketCreate = function (this: EngineSocket, { type }: { readonly type: string }): void {
      if (type !== "ping") return;
      const watched = all.get(this);
      if (watched !== undefined) watched.pinged = isHeld(watched.sid) ? undefined : claim();
    };
    this.#onPong = function (this: EngineSocket): void {
      const watched = all.get(this);
      const pinged = watched?.pinged;
      if (watched === undefined || pinged === undefined) return;
      watched.pinged = undefined;
      for (const session of watched.sessions) onAlive(session, pinged);
    };
  }

  add(session: LiveSession): void {
    const { conn, id: sid } = session.socket.client;
    let watched = this.#watched.get(conn);
    if (watched === undefined) {
      this.#watched.set(conn, (watched = { sid, sessions: new Set(), pinged: undefined }));
      conn.on("packet", this.#onPacket);
      listenBesideFrames(conn, "packetCreate", this.#onPacketCreate);
      conn.on("heartbeat", this.#onPong);
    }
    // The ping that is on its way left before what this session is about to be sent.
    watched.pinged = undefined;
    watched.sessions.add(session);
  }

  delete(session: LiveSession): void {
    this.#watched.get(session.socket.client.conn)?.sessions.delete(session);
  }
}
