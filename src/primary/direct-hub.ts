/** The primary's part in what workers say to each other past it: the board, and a way into each worker's inlet for what must come behind all that. */
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import type { Logger } from "pino";
import type { Config } from "../config/config.js";
import { FifoWriter, makeFifo } from "../lib/fifo.js";
import type { HashKey } from "../lib/half-siphash.js";
import { MaskTable } from "../lib/mask-table.js";
import { Board } from "../link/board.js";
import { inletOf, OUTSIDE_WID, type Direct } from "../link/messages.js";
import { Outlet } from "../link/outlet.js";

const NUMBERS = 2 ** 32;

export class DirectHub {
  readonly board: Board;
  /** What workers are told of it. */
  readonly boot: Direct;
  readonly #maxQueueBytes: number;

  constructor(folder: string, maxQueueBytes: number) {
    const boardKey: HashKey = [randomInt(NUMBERS), randomInt(NUMBERS)];
    const boardPath = path.join(folder, "board");
    this.board = new Board(new MaskTable(boardPath, boardKey));
    this.boot = { folder, boardPath, boardKey };
    this.#maxQueueBytes = maxQueueBytes;
  }

  /** @param wid of a worker that has opened its inlet */
  outlet(wid: number): Outlet {
    return new Outlet(OUTSIDE_WID, new FifoWriter(inletOf(this.boot.folder, wid)), this.#maxQueueBytes);
  }

  /** That worker is no more. */
  remove(wid: number): void {
    rmSync(inletOf(this.boot.folder, wid), { force: true });
  }
}

/**
 * Whether workers can do without the primary: Redis and recovery need each message there, and only Linux writes enough to a pipe in one piece.
 * @returns undefined where they cannot
 */
export function openDirectHub(config: Config, folder: string, log: Logger): DirectHub | undefined {
  const isPossible = process.platform === "linux" && config.redis.url === null && !config.recovery.enabled;
  if (config.hub.path !== "direct" || !isPossible) return undefined;
  try {
    // Of no worker.
    const probe = inletOf(folder, 0);
    makeFifo(probe);
    rmSync(probe);
  } catch (error) {
    log.warn({ err: error }, "no named pipes: what workers say to each other goes by way of the primary");
    return undefined;
  }
  return new DirectHub(folder, config.hub.maxQueueBytes);
}
