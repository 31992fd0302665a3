/** Frames that show by themselves whether they are whole, and the chunks that they travel in. */
import { encodeFrame } from "../../src/link/frame.js";
import { CHUNK_HEAD_BYTES, Inlet } from "../../src/link/inlet.js";

export interface Got {
  readonly wid: number;
  readonly n: number;
  /** Of the body, where each of its bytes is what it was. */
  readonly bytes: number;
}

export const frame = (wid: number, n: number, bytes = 10): Buffer[] =>
  encodeFrame({ wid, n }, Buffer.alloc(bytes, n % 251));

export function collector(): { got: Got[]; inlet: Inlet } {
  const got: Got[] = [];
  const inlet = new Inlet((header, body) => {
    const { wid, n } = header as { wid: number; n: number };
    got.push({ wid, n, bytes: body.every((byte) => byte === n % 251) ? body.length : NaN });
  });
  return { got, inlet };
}

/** The writes that a stream consists of. */
export function chunksOf(stream: Buffer): { wid: number; length: number }[] {
  const chunks: { wid: number; length: number }[] = [];
  for (let at = 0; at < stream.length; at += CHUNK_HEAD_BYTES + stream.readUInt16BE(at + 4))
    chunks.push({ wid: stream.readUInt32BE(at), length: CHUNK_HEAD_BYTES + stream.readUInt16BE(at + 4) });
  return chunks;
}

export function chunk(wid: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(CHUNK_HEAD_BYTES);
  head.writeUInt32BE(wid, 0);
  head.writeUInt16BE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
export const numbers = (got: readonly Got[], wid: number): number[] =>
  got.filter((one) => one.wid === wid).map(({ n }) => n);
