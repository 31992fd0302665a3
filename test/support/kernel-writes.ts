/** What a connection hands to the kernel, call by call: past Node's stream or by way of it. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";

const CALLS = ["writeBuffer", "writev", "writeUtf8String", "writeLatin1String", "writeAsciiString", "writeUcs2String"];

/** @param onWrite called before each write */
export function onKernelWrite(socket: Socket, onWrite: () => void): void {
  const { _handle: handle } = socket as unknown as {
    readonly _handle: Record<string, (...args: unknown[]) => unknown> | null;
  };
  assert.ok(handle !== null);
  for (const name of CALLS) {
    const call = handle[name];
    assert.ok(call !== undefined, `the handle has no ${name}`);
    handle[name] = (...args) => {
      onWrite();
      return call.apply(handle, args);
    };
  }
}

/** @returns what counts them from now on */
export function countKernelWrites(socket: Socket): () => number {
  let writes = 0;
  onKernelWrite(socket, () => writes++);
  return () => writes;
}
