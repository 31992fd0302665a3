/** A worker's part in what workers say to each other past the primary: its inlet, and the way to those of the others. */
import { FifoReader, FifoWriter, makeFifo } from "../lib/fifo.js";
import { MaskReader } from "../lib/mask-reader.js";
import type { Turn } from "../lib/turn.js";
import { BoardReader } from "../link/board.js";
import { Inlet } from "../link/inlet.js";
import { inletOf, type Direct, type DownMessage } from "../link/messages.js";
import { DirectRoute, type DirectRouteOptions } from "./direct-route.js";
import type { WriteTurn } from "./write-turn.js";

export interface DirectHubOptions extends Pick<
  DirectRouteOptions,
  "wid" | "prefix" | "maxQueueBytes" | "tally" | "siblingCount" | "tellPrimary"
> {
  readonly direct: Direct;
  readonly turn: Turn;
  /** When clients are written to, where that is limpet's to say. */
  readonly writes: WriteTurn | undefined;
  readonly onMessage: (message: DownMessage, body: Buffer) => void;
}

export interface DirectHub {
  readonly route: DirectRoute;
  /** Nothing is said or heard any more. */
  readonly close: () => void;
}

/** Call before the primary hears of this worker: the others write to its inlet from then on. @throws Error where it cannot be made */
export function openDirectHub({ direct, turn, writes, onMessage, ...options }: DirectHubOptions): DirectHub {
  const { folder, boardPath, boardKey } = direct;
  const inlet = new Inlet((header, body) => {
    const message = header as DownMessage;
    if (message.t === "gone") inlet.forget(message.wid);
    onMessage(message, body);
  });
  const path = inletOf(folder, options.wid);
  makeFifo(path);
  const pipe = new FifoReader(path, (bytes) => {
    turn.begin();
    try {
      inlet.push(bytes);
    } finally {
      turn.done();
    }
  });
  const ending = { write: () => route.flush(), endTurn: () => route.flush() };
  const route: DirectRoute = new DirectRoute({
    ...options,
    board: new BoardReader(new MaskReader(boardPath, boardKey)),
    hasOutside: direct.hasOutside,
    open: (wid) => new FifoWriter(inletOf(folder, wid)),
    schedule: () => {
      if (writes === undefined) turn.add(ending);
      else writes.add(ending);
    },
  });
  return {
    route,
    close: () => {
      pipe.close();
      route.close();
    },
  };
}
