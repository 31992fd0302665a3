/** A member of a room over WebSocket, as cheap as can be: it counts what it hears and does not read it. */
import { WebSocket } from "ws";

const DEADLINE_MS = 30_000;
/** The first characters of Engine.IO and Socket.IO packets. */
const OPEN = "0";
const PING = "2";
const CONNECTED = "40";
const EVENT = "42";
const ACK = "43";

export class Member {
  readonly #socket: WebSocket;
  readonly #room: string;

  private constructor(socket: WebSocket, room: string) {
    this.#socket = socket;
    this.#room = room;
  }

  /**
   * Connects to the main namespace and joins the room.
   *
   * @param onEvent called for each event, from the join on
   * @throws Error where the connection fails or the join is not acknowledged in time
   */
  static async join(port: number, room: string, onEvent: () => void): Promise<Member> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      handshakeTimeout: DEADLINE_MS,
    });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no join within ${DEADLINE_MS} ms`)), DEADLINE_MS);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed before the join")));
      socket.on("message", (data: Buffer) => {
        const kind = data.toString("latin1", 0, 2);
        if (kind === EVENT) onEvent();
        else if (kind === CONNECTED) socket.send(`420${JSON.stringify(["join", room])}`);
        else if (kind === PING) socket.send("3");
        else if (kind.startsWith(OPEN)) socket.send("40");
        else if (kind === ACK) {
          clearTimeout(timer);
          resolve();
        }
      });
    });
    return new Member(socket, room);
  }

  publish(message: object): void {
    this.#socket.send(`42${JSON.stringify(["publish", this.#room, message])}`);
  }

  leave(): void {
    this.#socket.terminate();
  }
}
