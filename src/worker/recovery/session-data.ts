/** `socket.data` as bytes. */
import { deserialize, serialize } from "node:v8";

/** Of a socket whose data was never set. */
export const NO_DATA = serialize({});

export class TooLargeError extends Error {}

/**
 * @throws TooLargeError beyond `maxBytes`; whatever else a value brings up that cannot be serialised: a function, say, or a getter that throws
 */
export function toBytes(data: unknown, maxBytes: number): Buffer {
  const bytes = serialize(data);
  if (bytes.length > maxBytes) throw new TooLargeError(`${bytes.length} bytes, where ${maxBytes} are allowed`);
  return bytes;
}

/** @throws Error where another version of Node wrote what this one cannot read */
export function fromBytes(bytes: Buffer): unknown {
  return deserialize(bytes);
}
