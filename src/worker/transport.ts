/**
 * Engine.IO's WebSocket transport, which takes packets at once and writes those of one turn together ({@link WriteTurn}).
 *
 * The stock transport refuses packets from each write until its callback, so what is sent twice in one turn is written twice, and a volatile
 * packet behind another is dropped although the client reads. Here `writable` turns false only when the kernel did not take everything: then
 * Engine.IO keeps what follows, Socket.IO drops what is volatile, and both go on when the client has read.
 *
 * A connection that agreed on compression is written to through ws, which compresses one message after another in the background.
 */
import { transports } from "engine.io";
import { DirectWriter } from "../lib/direct-writer.js";
import { readDirectly } from "../lib/read-directly.js";
import type { FrameTaker } from "./direct-frames.js";
import type { EngineRequest, PacketOptions, WebSocketInternals } from "./internals.js";
import { binaryFrame, textFrame } from "./write-frame.js";
import type { TurnWriter, WriteTurn } from "./write-turn.js";

type Packets = Parameters<InstanceType<typeof transports.websocket>["send"]>[0];
type Packet = Packets[number];
type Encoded = string | ArrayBuffer | ArrayBufferView;

/** So much is written without waiting for the turn's end: a client that does not read must show before more piles up. */
const WRITE_NOW_BYTES = 64 * 1024;
/** Frames together no larger than this are copied into one buffer, which is cheaper than handing the kernel a list. */
const COPY_BELOW_BYTES = 16 * 1024;

const OPEN = 1;

/** What an idle session has to write, and waits for: one for all of them. */
const NONE: readonly never[] = [];

export class TurnTransport extends transports.websocket implements TurnWriter, FrameTaker {
  readonly #webSocket: WebSocketInternals;
  readonly #turn: WriteTurn;
  readonly #writer: DirectWriter;
  readonly #compresses: boolean;
  #frames: readonly Buffer[] = NONE;
  #frameBytes = 0;
  /** Calls of `send` whose frames wait: Engine.IO wants to hear of each that it was written. */
  #sends = 0;
  /** The same for each write that the socket has not confirmed, in order. */
  #confirming: readonly number[] = NONE;
  #isQueued = false;
  readonly #onWritten = (error?: Error | null): void => this.#confirm(error);

  constructor(request: EngineRequest, turn: WriteTurn) {
    super(request as unknown as ConstructorParameters<typeof transports.websocket>[0]);
    this.#webSocket = request.websocket;
    this.#turn = turn;
    this.#compresses = request.websocket.extensions !== "";
    const { _socket: socket } = request.websocket;
    this.#writer = new DirectWriter(socket);
    readDirectly(socket, (bytes) => void socket.emit("data", bytes));
  }

  /** Bytes that were sent and that the kernel has not taken. */
  get bufferedBytes(): number {
    return this.#frameBytes + this.#writer.heldBytes + this.#webSocket.bufferedAmount;
  }

  override send(packets: Packets): void {
    this.#sends++;
    if (this.#compresses) {
      this.#sendCompressed(packets);
      return;
    }
    for (const packet of packets) this.#encode(packet);
    this.#queue();
  }

  /** No call of `send`: the session has made no packet of it, and waits for no word of it. */
  takeFrame(frame: readonly Buffer[]): boolean {
    if (!this.writable || this.#compresses) return false;
    for (const part of frame) this.#add(part);
    this.#queue();
    return true;
  }

  #queue(): void {
    const isMuch = this.#frameBytes >= WRITE_NOW_BYTES;
    if (this.#isQueued && !isMuch) return;
    // The answer to its upgrade is held back for a session's first packet.
    const isAwaited = this.#webSocket._socket.writableCorked > 0;
    if (isAwaited || isMuch) {
      this.#turn.beforeWrite();
      this.write();
    } else {
      this.#isQueued = true;
      this.#turn.add(this);
    }
  }

  /** What was sent before leaves before the close. */
  override doClose(onClosed?: () => void): void {
    if (this.#frames.length > 0) {
      this.#turn.beforeWrite();
      this.#writeFrames();
    }
    super.doClose(onClosed);
  }

  write(): void {
    this.#isQueued = false;
    if (this.#frames.length > 0) this.#writeFrames();
  }

  #encode(packet: Packet): void {
    const frame = (packet.options as Partial<PacketOptions> | undefined)?.wsPreEncodedFrame;
    if (frame === undefined) this.#add(frameOf(encode(this.parser, packet, this.supportsBinary)));
    else for (const part of frame) this.#add(part);
  }

  #add(frame: Buffer): void {
    if (this.#frames === NONE) this.#frames = [frame];
    else (this.#frames as Buffer[]).push(frame);
    this.#frameBytes += frame.length;
  }

  #writeFrames(): void {
    const frames = this.#frames;
    const bytes = this.#frameBytes;
    this.#frames = NONE;
    this.#frameBytes = 0;
    const { readyState, _socket: socket } = this.#webSocket;
    if (readyState !== OPEN) {
      // Not now: Engine.IO may be in the middle of closing it for a better reason.
      this.#awaitConfirmation();
      process.nextTick(this.#onWritten, new Error("the WebSocket is closing"));
      return;
    }
    if (frames.length === 1 && frames[0] !== undefined) {
      this.#writeWhole(frames[0]);
    } else if (bytes <= COPY_BELOW_BYTES) {
      this.#writeWhole(Buffer.concat(frames, bytes));
    } else {
      const last = frames.length - 1;
      this.#awaitConfirmation();
      socket.cork();
      for (const [at, frame] of frames.entries()) socket.write(frame, at === last ? this.#onWritten : undefined);
      socket.uncork();
    }
    const heldBytes = this.#writer.heldBytes + socket.writableLength;
    if (socket.writableCorked === 0 && heldBytes > 0) this.writable = false;
  }

  #writeWhole(bytes: Buffer): void {
    if (this.#writer.write(bytes, this.#onWritten)) {
      // Nobody waits for word of it.
      if (this.#sends === 0 && this.writable) return;
      process.nextTick(this.#onWritten);
    }
    this.#awaitConfirmation();
  }

  /** Of the sends that are written now. */
  #awaitConfirmation(): void {
    this.#confirming = this.#confirming === NONE ? [this.#sends] : [...this.#confirming, this.#sends];
    this.#sends = 0;
  }

  /** The oldest write is done, or failed. */
  #confirm(error: Error | null | undefined): void {
    const [sends = 0] = this.#confirming;
    this.#confirming = this.#confirming.length > 1 ? this.#confirming.slice(1) : NONE;
    if (error) {
      this.onError("write error", error.stack);
      return;
    }
    for (let n = 0; n < sends; n++) this.emit("drain");
    // False as well after the join gate held what was sent.
    if (this.writable || this.#confirming.length > 0) return;
    this.writable = true;
    this.emit("ready");
  }

  #sendCompressed(packets: Packets): void {
    this.writable = false;
    this.#awaitConfirmation();
    let left = packets.length;
    const onSent = (error?: Error): void => {
      if (--left === 0 || error !== undefined) this.#onWritten(error);
    };
    for (const packet of packets) {
      const compress = (packet.options as Partial<PacketOptions> | undefined)?.compress !== false;
      this.parser.encodePacket(packet, this.supportsBinary, (data: unknown) =>
        this.#webSocket.send(data as Encoded, { compress }, onSent),
      );
    }
  }
}

let encoded: Encoded = "";
const keepEncoded = (data: unknown): void => void (encoded = data as Encoded);

/** Engine.IO's encoder calls back before it returns, for whatever Socket.IO hands over. */
function encode(parser: TurnTransport["parser"], packet: Packet, supportsBinary: boolean): Encoded {
  parser.encodePacket(packet, supportsBinary, keepEncoded);
  return encoded;
}

function frameOf(data: Encoded): Buffer {
  return typeof data === "string" ? textFrame(data) : binaryFrame(data);
}
