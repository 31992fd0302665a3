/** Where the log stood when the hub learned of each of a worker's batches of interest, as far back as joins refer to them. */
import { Fifo } from "../recovery/fifo.js";

export interface LogPosition {
  readonly pos: number;
  readonly streamId: string | undefined;
}

/** A worker hears of each batch within a turn or two of the event loop; so many changes of the position are far more than that. */
const MAX_KEPT = 4_096;

export class BatchPositions {
  /** One for each change of the position, with the first batch that had it. */
  readonly #changes = new Fifo<LogPosition & { readonly batch: number }>();

  /** @param batch larger than any before */
  add(batch: number, { pos, streamId }: LogPosition): void {
    const last = this.#changes.at(this.#changes.length - 1);
    if (last?.pos === pos && last.streamId === streamId) return;
    this.#changes.push({ batch, pos, streamId });
    if (this.#changes.length > MAX_KEPT) this.#changes.shift();
  }

  /** @returns undefined where there was none so far; the oldest known where it is older than that */
  at(batch: number): LogPosition | undefined {
    const next = this.#changes.firstIndex((change) => change.batch > batch);
    return this.#changes.at(Math.max(0, next - 1));
  }
}
