/** A client in a room. */
import { Client } from "../lib/client.ts";
import type { TransportMode } from "../lib/engine.ts";
import type { Socket } from "../lib/socket.ts";
import type { TransportChoice } from "./catalog.ts";
import { countFailure } from "./measures.ts";

const UPGRADE_TIMEOUT_MS = 10_000;
const MODES: readonly TransportMode[] = ["polling", "upgrade", "websocket"];

export interface Message {
  readonly from: string;
  /** Counts this sender's messages. */
  readonly n: number;
  readonly sentAtMs: number;
  readonly text: string;
}

/** With "mixed" the transports take turns. */
export function modeFor(choice: TransportChoice, index: number): TransportMode {
  return choice === "mixed" ? (MODES[index % MODES.length] ?? "upgrade") : choice;
}

export class Member {
  readonly name: string;
  readonly socket: Socket;
  readonly mode: TransportMode;
  #sent = 0;

  constructor(url: string, name: string, mode: TransportMode) {
    this.name = name;
    this.mode = mode;
    this.socket = new Client(url, { transport: mode }).socket();
  }

  get present(): boolean {
    return this.socket.connected;
  }

  /** @returns whether it is in the room, with its transport as it is to be; failures are counted */
  async enter(room: string): Promise<boolean> {
    try {
      await this.socket.connect();
    } catch (error) {
      countFailure("connect", error);
      return false;
    }
    if (this.mode === "upgrade" && !(await this.#upgraded())) {
      countFailure("upgrade", new Error(`still polling after ${UPGRADE_TIMEOUT_MS} ms`));
      return false;
    }
    try {
      await this.socket.emitWithAck("join", room);
      return true;
    } catch (error) {
      countFailure("join", error);
      return false;
    }
  }

  nextMessage(text: string): Message {
    this.#sent += 1;
    return { from: this.name, n: this.#sent, sentAtMs: Date.now(), text };
  }

  leave(): void {
    this.socket.disconnect();
  }

  #upgraded(): Promise<boolean> {
    if (this.socket.transport === "websocket") return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, UPGRADE_TIMEOUT_MS);
      this.socket.on("upgrade", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
