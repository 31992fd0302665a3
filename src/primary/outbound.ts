/**
 * The primary's inlet: what workers say to servers outside of the node. Where there is much of it, it is looked at from time to time and wakes nobody as it
 * comes: being woken costs the primary more than a message does.
 */
import { FifoReader } from "../lib/fifo.js";
import { MIN_WAIT_MS, type Pace } from "../lib/pace.js";
import type { Outgoing } from "../link/entry-frame.js";
import { Inlet } from "../link/inlet.js";
import type { Publish } from "../link/messages.js";

export type OnOutbound = (wid: number, message: Publish | Outgoing, body: Buffer) => void;

/** Of the 64 KiB that a pipe holds on Linux: where so much has come at once, the next look would find it full, and those who write waiting. */
const MANY_BYTES = 32 * 1024;

export class Outbound {
  readonly #inlet: Inlet;
  readonly #pipe: FifoReader;
  readonly #pace: Pick<Pace, "note" | "waitMs">;
  #count = 0;
  #bytes = 0;
  /** The next look; undefined: what comes wakes the process. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param path of its pipe
   * @param pace how long to wait between two looks
   */
  constructor(path: string, pace: Pick<Pace, "note" | "waitMs">, onMessage: OnOutbound) {
    this.#pace = pace;
    this.#inlet = new Inlet((header, body, wid) => {
      this.#count++;
      onMessage(wid, header as Publish | Outgoing, body);
    });
    this.#pipe = new FifoReader(path, (bytes) => {
      this.#bytes += bytes.length;
      this.#inlet.push(bytes);
      if (this.#timer === undefined) this.#next();
    });
  }

  /** Takes what is there now. */
  look(): void {
    this.#pipe.read();
  }

  /** That worker has ended: takes all that it has said. */
  end(wid: number): void {
    this.#pipe.read();
    this.#inlet.forget(wid);
  }

  /** Takes what is left. */
  close(): void {
    this.#pipe.read();
    clearTimeout(this.#timer);
    this.#pipe.close();
  }

  #next(): void {
    this.#pace.note(this.#count);
    const waitMs = this.#bytes < MANY_BYTES ? this.#pace.waitMs : 0;
    this.#count = 0;
    this.#bytes = 0;
    const isWoken = this.#timer === undefined;
    if (waitMs < MIN_WAIT_MS) {
      this.#timer = undefined;
      if (!isWoken) this.#pipe.resume();
      return;
    }
    if (isWoken && !this.#pipe.pause()) return;
    this.#timer = setTimeout(() => {
      this.#pipe.read();
      this.#next();
    }, waitMs);
  }
}
