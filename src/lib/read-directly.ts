/**
 * Hands what a connection receives to a function as it comes, past Node's stream: what `onread` does for connections that are made with it, for those that
 * exist already. Reading through the stream costs a process that was asleep 75 µs a message more, and a buffer of 64 KiB.
 *
 * There is no public call for it. Where a version of Node has other names inside, connections are read through the stream, as ever.
 */
import type { Socket } from "node:net";
import { copyOf } from "./copy-of.js";

const BUFFER_BYTES = 64 * 1024;

/** One for all: it is read into and handed on without a pause between. */
const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/**
 * Call before anything has been read. Ending, pausing and closing stay as they are.
 * @param onBytes gets bytes that are its own
 * @returns false: it cannot be had for this connection, which emits `data`
 */
export function readDirectly(socket: Socket, onBytes: (bytes: Buffer) => void): boolean {
  const inner = socket as unknown as Record<symbol, unknown> & { readonly _handle?: Handle | null };
  const handle = inner._handle;
  buffer ??= symbolOf(socket, "kBuffer");
  callback ??= symbolOf(socket, "kBufferCb");
  if (typeof handle?.useUserBuffer !== "function" || buffer === undefined || callback === undefined) return false;
  inner[buffer] = shared;
  inner[callback] = (length: number): boolean => {
    onBytes(copyOf(shared, length));
    return true;
  };
  handle.useUserBuffer(shared);
  return true;
}

/** The same of every socket. */
let buffer: symbol | undefined;
let callback: symbol | undefined;

interface Handle {
  readonly useUserBuffer?: (buffer: Uint8Array) => void;
}

function symbolOf(socket: Socket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
}
