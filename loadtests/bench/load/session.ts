/**
 * A client over WebSocket that costs as little as it can, so that the machine is the server's: it speaks the bytes itself, reads into a buffer that all
 * clients share, and does not decode what it hears.
 */
import { connect, type Socket } from "node:net";
import { within } from "../../../test/support/wait.js";
import { clientFrame, FrameReader, type OnMessage } from "./frames.js";

const DEADLINE_MS = 60_000;
const SHARED_BUFFER = Buffer.allocUnsafe(256 * 1024);
const UPGRADE = [
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");
const HEAD_END = "\r\n\r\n";
const CONNECT = "40";
const PONG = clientFrame("3");
/** First characters of Engine.IO's packets, and second ones of Socket.IO's. */
const [OPEN, PING, MESSAGE] = [0x30, 0x32, 0x34];
const [CONNECTED, EVENT, ACK] = [0x30, 0x32, 0x33];

export interface SessionOptions {
  readonly port: number;
  /** The address it comes from, one of loopback's; the system's choice unless told. */
  readonly from?: string;
  /** Called with each event. */
  readonly onEvent?: OnMessage;
  /** What it says of its former session, as JSON. */
  readonly auth?: string;
  /** Called once it is in the main namespace, with the server's answer as JSON. */
  readonly onConnected?: (answer: string) => void;
  /** Called when the connection ends, whoever ended it. */
  readonly onClose?: () => void;
}

export class Session {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  #head = "";
  #isOpen = false;
  /** Of what is waited for: the namespace, or an ack. */
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  readonly #frames = new FrameReader((bytes, start, end) => this.#onPacket(bytes, start, end));

  private constructor(options: SessionOptions) {
    const { port, from, onClose } = options;
    this.#options = options;
    this.#socket = connect({
      ...{ port, host: "127.0.0.1", noDelay: true },
      ...(from === undefined ? {} : { localAddress: from }),
      onread: { buffer: SHARED_BUFFER, callback: (bytes) => this.#read(SHARED_BUFFER.subarray(0, bytes)) },
    });
    this.#socket.write(UPGRADE);
    this.#socket.on("error", (error) => this.#reject(error));
    this.#socket.on("close", () => {
      this.#reject(new Error("the server closed the connection"));
      onClose?.();
    });
  }

  /** @returns once it is in the main namespace */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    try {
      await session.#answer("the main namespace");
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  async join(room: string): Promise<void> {
    const joined = this.#answer("the ack of a join");
    this.#socket.write(clientFrame(`420${JSON.stringify(["join", room])}`));
    await joined;
  }

  publish(room: string, message: object): void {
    this.#socket.write(clientFrame(`42${JSON.stringify(["publish", room, message])}`));
  }

  /** With a reset: the port it came from is free at once. */
  close(): void {
    this.#socket.resetAndDestroy();
  }

  #answer(what: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    return within(answered, DEADLINE_MS, what);
  }

  #read(chunk: Buffer): boolean {
    if (this.#isOpen) this.#frames.read(chunk);
    else this.#readHead(chunk);
    return true;
  }

  #readHead(chunk: Buffer): void {
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) return;
    if (!this.#head.startsWith("HTTP/1.1 101")) {
      this.#reject(new Error(`the handshake was answered ${this.#head.split("\r\n", 1)[0]}`));
      return;
    }
    this.#isOpen = true;
    const rest = Buffer.from(this.#head.slice(end + HEAD_END.length), "latin1");
    this.#head = "";
    if (rest.length > 0) this.#frames.read(rest);
  }

  #onPacket(bytes: Buffer, start: number, end: number): void {
    const [first, second] = [bytes[start], bytes[start + 1]];
    const { onEvent, onConnected, auth = "" } = this.#options;
    if (first === MESSAGE && second === EVENT) onEvent?.(bytes, start, end);
    else if (first === PING) this.#socket.write(PONG);
    else if (first === OPEN) this.#socket.write(clientFrame(CONNECT + auth));
    else if (first === MESSAGE && (second === CONNECTED || second === ACK)) {
      if (second === CONNECTED) onConnected?.(bytes.toString("utf8", start + 2, end));
      this.#resolve();
    }
  }
}
