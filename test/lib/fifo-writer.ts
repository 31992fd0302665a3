/** A process that writes numbered chunks into a fifo, once it is told over IPC to begin. It ends when all are written, or with whoever started it. */
import { ATOMIC_BYTES, FifoWriter } from "../../src/lib/fifo.js";

export interface WriterOptions {
  readonly path: string;
  readonly id: number;
  readonly count: number;
}

/** Says by each of its bytes whose it is and which. */
export function numberedChunk(id: number, n: number): Buffer {
  const chunk = Buffer.alloc(ATOMIC_BYTES, (id * 61 + n) % 251);
  chunk.writeUInt32BE(id, 0);
  chunk.writeUInt32BE(n, 4);
  return chunk;
}

if (process.send !== undefined) {
  const { path, id, count } = JSON.parse(process.argv[2] ?? "") as WriterOptions;
  const writer = new FifoWriter(path);
  process.once("message", () => write(writer, id, count, 0));
  process.on("disconnect", () => process.exit());
  process.send("ready");
}

function write(writer: FifoWriter, id: number, count: number, from: number): void {
  for (let n = from; n < count; n++) {
    const chunk = numberedChunk(id, n);
    const result = writer.write(chunk, chunk.length);
    if (result === "gone") throw new Error("nobody reads");
    if (result === "full") {
      writer.writeLater(chunk, (later) => {
        if (later === "gone") throw new Error("nobody reads any more");
        write(writer, id, count, n + 1);
      });
      return;
    }
  }
  writer.close();
  process.disconnect();
}
