/**
 * Writes to a connection past Node's stream, as {@link ./read-directly.ts} reads. The kernel takes nearly every small write at once; the stream still keeps an
 * account of it and calls back in a later tick, which costs a process that was asleep 75 µs a write more.
 *
 * There is no public call for it. What the kernel does not take at once, and all that follows it until it has, goes in the order in which it was written;
 * where a version of Node has other names inside, everything goes through the stream, as ever.
 */
import { Socket } from "node:net";
import { getSystemErrorName } from "node:util";

/** Called once the kernel has the bytes, or with what stood in the way. */
export type OnWritten = (error?: Error | null) => void;

/** TLS encrypts first, and is done later. */
const PLAIN = ["TCP", "Pipe"];

/** Whatever `write` of the connection itself has become: that may lead here. */
function writeByStream(socket: Socket, bytes: Buffer, onWritten: OnWritten): void {
  Socket.prototype.write.call(socket, bytes, undefined, onWritten);
}

export class DirectWriter {
  readonly #socket: Socket;
  readonly #isPlain: boolean;
  #heldBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    const handle = handleOf(socket);
    this.#isPlain = handle !== undefined && PLAIN.includes(handle.constructor.name);
  }

  /** Bytes that the stream knows nothing of and the kernel has not taken. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * @param bytes not to be changed before they are written
   * @param onWritten not called where this returns true
   * @returns whether the kernel has it all already
   */
  write(bytes: Buffer, onWritten: OnWritten): boolean {
    const socket = this.#socket;
    const handle = handleOf(socket);
    if (handle === undefined || !this.#isPlain || !this.#isFree()) {
      writeByStream(socket, bytes, onWritten);
      return false;
    }
    if (WriteRequest === undefined) {
      learnRequest(handle);
      writeByStream(socket, bytes, onWritten);
      return false;
    }
    const request = (unused ??= new WriteRequest());
    // What goes wrong here goes wrong there, and is reported as ever.
    if (handle.writeBuffer(request, bytes) !== 0) {
      unused = undefined;
      writeByStream(socket, bytes, onWritten);
      return false;
    }
    // Not by what waits with the handle: of a write that the kernel took in two goes nothing may be left, and its request is in use all the same.
    if (request.getAsyncId() === UNUSED) return true;
    unused = undefined;
    this.#heldBytes = bytes.length;
    request.buffer = bytes;
    request.oncomplete = (status): void => {
      this.#heldBytes = 0;
      const error = status < 0 ? new Error(`write ${getSystemErrorName(status)}`) : null;
      if (error !== null) socket.destroy(error);
      onWritten(error);
    };
    return false;
  }

  /** Nothing is before the next write, and the connection would take one. */
  #isFree(): boolean {
    const { writable, writableLength, writableCorked, connecting } = this.#socket;
    return this.#heldBytes === 0 && writableLength === 0 && writableCorked === 0 && writable && !connecting;
  }
}

/** Node's own request of a write, in which the result of one that takes longer is reported. */
interface WriteRequest {
  /** Of the write that it is in use for, or {@link UNUSED}. */
  getAsyncId(): number;
  oncomplete: (status: number) => void;
  /** Kept from the garbage collector meanwhile. */
  buffer: Buffer;
}

const UNUSED = -1;

interface Handle {
  writeBuffer(request: object, bytes: Buffer): number;
}

let WriteRequest: (new () => WriteRequest) | undefined;
/** Node leaves alone the one of a write that was done at once. One that is in use must not be used for another: Node would end the process. */
let unused: WriteRequest | undefined;

/** Of the next write of the stream. */
function learnRequest(handle: Handle): void {
  const writeBuffer = handle.writeBuffer.bind(handle);
  handle.writeBuffer = (request, bytes) => {
    if ("getAsyncId" in request) WriteRequest = request.constructor as new () => WriteRequest;
    handle.writeBuffer = writeBuffer;
    return writeBuffer(request, bytes);
  };
}

const handleOf = (socket: Socket): Handle | undefined =>
  (socket as unknown as { readonly _handle?: Handle | null })._handle ?? undefined;
