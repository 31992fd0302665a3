/**
 * One end of the Unix socket between primary and worker: frames out in one write per event-loop turn, frames in, and a bound on what may wait.
 *
 * `send` is for what must arrive (interest, replies, heartbeats); `offer` is for room messages and refuses beyond the bound. Order is kept
 * between both. A peer that does not read makes `queueBytes` grow up to the bound, never further by messages.
 */
import type { Socket } from "node:net";
import { DirectWriter } from "../lib/direct-writer.js";
import { readDirectly } from "../lib/read-directly.js";
import { Turn, type Ending } from "../lib/turn.js";
import { apart, encodeFrame, FrameReader, type OnFrame } from "./frame.js";

export interface WireHandler {
  /** @param frame the whole of it, where it is a plain event's */
  onFrame(header: unknown, body: Buffer, frame: Buffer | undefined): void;
  /** Called once. `error` is set where the socket failed or the peer sent what is no frame. */
  onClose(error: Error | undefined): void;
}

/** Handed to the kernel in one go at most; the rest waits here, where it is counted. */
const WRITE_BYTES = 256 * 1024;
/** A failure is the socket's, and is reported by that. */
const onWritten = (): void => undefined;

export class Wire implements Ending {
  readonly #socket: Socket;
  readonly #maxQueueBytes: number;
  readonly #turn: Turn;
  readonly #writer: DirectWriter;
  readonly #reader = new FrameReader();
  readonly #onFrame: OnFrame;
  #queue: Buffer[] = [];
  #queueBytes = 0;
  #flushing = false;
  #ending = false;
  #error: Error | undefined;

  /** @param turn when frames leave; for all that is written because of what comes by this wire */
  constructor(socket: Socket, handler: WireHandler, maxQueueBytes: number, turn = new Turn()) {
    this.#socket = socket;
    this.#maxQueueBytes = maxQueueBytes;
    this.#turn = turn;
    this.#writer = new DirectWriter(socket);
    this.#onFrame = apart((header, body, frame) => handler.onFrame(header, body, frame));
    const read = (chunk: Buffer): void => this.#read(chunk);
    if (!readDirectly(socket, read)) socket.on("data", read);
    else socket.resume();
    socket.on("drain", () => this.#flush());
    socket.on("error", (error: Error) => (this.#error = error));
    socket.on("close", () => handler.onClose(this.#error));
  }

  /** Bytes that wait: here, and in Node's buffers of the socket. */
  get queueBytes(): number {
    return this.#queueBytes + this.#writer.heldBytes + this.#socket.writableLength;
  }

  /** Queues what must arrive, whatever the bound. */
  send(header: object, body?: Buffer): void {
    this.#keep(encodeFrame(header, body));
    this.#schedule();
  }

  /** Queues a message unless the bound is reached; false: it was dropped, the caller counts it. */
  offer(frame: readonly Buffer[]): boolean {
    const isQueued = this.hold(frame);
    if (isQueued) this.#schedule();
    return isQueued;
  }

  /** The same, of a message that may wait: for {@link flush}, or until something else leaves. */
  hold(frame: readonly Buffer[]): boolean {
    if (this.queueBytes >= this.#maxQueueBytes) return false;
    this.#keep(frame);
    return true;
  }

  /** Lets what is queued leave now, as far as the peer reads, and not only at the turn's end. */
  flush(): void {
    if (this.#queue.length > 0) this.#flush();
  }

  /** Lets what is queued leave, then closes. */
  end(): void {
    this.#ending = true;
    this.#flush();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  endTurn(): void {
    this.#flushing = false;
    this.#flush();
  }

  #read(chunk: Buffer): void {
    this.#turn.begin();
    try {
      this.#reader.push(chunk, this.#onFrame);
    } catch (error) {
      this.#socket.destroy(new Error("the peer sent bytes that are no frames", { cause: error }));
    }
    this.#turn.done();
  }

  #keep(frame: readonly Buffer[]): void {
    for (const buffer of frame) {
      this.#queue.push(buffer);
      this.#queueBytes += buffer.length;
    }
  }

  #schedule(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#turn.add(this);
  }

  #flush(): void {
    if (this.#socket.destroyed) {
      this.#queue = [];
      this.#queueBytes = 0;
      return;
    }
    let next = 0;
    while (next < this.#queue.length && !this.#socket.writableNeedDrain) {
      const batch: Buffer[] = [];
      let bytes = 0;
      for (let buffer = this.#queue[next]; buffer !== undefined && bytes < WRITE_BYTES; buffer = this.#queue[next]) {
        batch.push(buffer);
        bytes += buffer.length;
        next++;
      }
      this.#queueBytes -= bytes;
      const whole = batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch, bytes);
      this.#writer.write(whole, onWritten);
    }
    this.#queue = next === this.#queue.length ? [] : this.#queue.slice(next);
    if (this.#ending && this.#queue.length === 0) this.#socket.end();
  }
}
