/**
 * Named pipes, which many processes write to and one reads. The kernel keeps what they write in the order in which it was written, whoever wrote it, and never mixes
 * two writes of up to {@link ATOMIC_BYTES}: so what was written after something else was read, or after somebody was told of it, is read after it.
 */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { copyOf } from "./copy-of.js";
import { readDirectly } from "./read-directly.js";

/** PIPE_BUF of Linux. Elsewhere it is less. */
export const ATOMIC_BYTES = 4096;

/**
 * Node has no call for it.
 * @throws Error where it cannot be made, or `mkfifo` is not installed
 */
export function makeFifo(path: string): void {
  execFileSync("mkfifo", ["-m", "600", path], { stdio: ["ignore", "ignore", "pipe"] });
}

const READ_BYTES = 64 * 1024;
/** One for all: it is read into and copied without a pause between. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Reads what others write: as it comes, or when it is asked to. */
export class FifoReader {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #onBytes: (bytes: Buffer) => void;
  readonly #isDirect: boolean;

  /** @param onBytes gets bytes that are its own */
  constructor(path: string, onBytes: (bytes: Buffer) => void) {
    // For writing too: it does not end when the last writer does, and can be opened where there is none yet.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#onBytes = onBytes;
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false });
    this.#isDirect = readDirectly(this.#socket, onBytes);
    if (this.#isDirect) this.#socket.resume();
    else this.#socket.on("data", onBytes);
  }

  /**
   * What comes wakes the process no more, until {@link resume}: it waits for {@link read}.
   * @returns false where that cannot be: Node's stream would go on, and hold what it has read
   */
  pause(): boolean {
    if (this.#isDirect) this.#socket.pause();
    return this.#isDirect;
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Reads what there is now. */
  read(): void {
    if (this.#socket.destroyed || !this.#isDirect) return;
    let length;
    do {
      length = this.#readSome();
      if (length > 0) this.#onBytes(copyOf(readBuffer, length));
    } while (length === READ_BYTES);
  }

  close(): void {
    this.#socket.destroy();
  }

  #readSome(): number {
    try {
      return readSync(this.#fd, readBuffer, 0, READ_BYTES, null);
    } catch (error) {
      if (isOneOf(error, "EAGAIN")) return 0;
      throw error;
    }
  }
}

/** What became of a write: where the pipe is `full` nothing of it is written, and {@link FifoWriter.writeLater} is next; `gone`: nobody reads any more. */
export type Written = "written" | "full" | "gone";

export class FifoWriter {
  #fd: number | undefined;
  /** Waits for room; made when the pipe is full for the first time. */
  #socket: Socket | undefined;

  /** Where nobody reads it any more, or it is no more, every write is `gone`. @throws Error where it cannot be opened for another reason */
  constructor(path: string) {
    try {
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!isOneOf(error, "ENXIO", "ENOENT")) throw error;
    }
  }

  /** All of it or nothing. @param length up to {@link ATOMIC_BYTES} */
  write(bytes: Buffer, length: number): Written {
    if (this.#fd === undefined) return "gone";
    try {
      writeSync(this.#fd, bytes, 0, length);
      return "written";
    } catch (error) {
      if (isOneOf(error, "EAGAIN")) return "full";
      if (!isOneOf(error, "EPIPE")) throw error;
      this.close();
      return "gone";
    }
  }

  /**
   * Writes as soon as there is room. Nothing else may be written until then.
   * @param bytes up to {@link ATOMIC_BYTES}, not to be changed
   */
  writeLater(bytes: Buffer, onDone: (result: "written" | "gone") => void): void {
    const socket = (this.#socket ??= this.#waiting());
    socket.write(bytes, (error) => {
      if (error) this.close();
      // Node reports no error for what waited when it was closed.
      onDone(this.#fd === undefined ? "gone" : "written");
    });
  }

  close(): void {
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #waiting(): Socket {
    const socket = new Socket({ fd: this.#fd, readable: false, writable: true });
    // Whoever waits for the write is told.
    socket.on("error", () => undefined);
    return socket;
  }
}

const isOneOf = (error: unknown, ...codes: string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException).code ?? "");
