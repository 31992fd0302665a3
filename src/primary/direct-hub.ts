/** The primary's part in what workers say to each other past it: the board, a way into each worker's inlet for what must come behind all that, and an inlet of its own. */
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import type { Logger } from "pino";
import { gatherPace } from "../bus/gathering.js";
import type { Config } from "../config/config.js";
import { FifoWriter, makeFifo } from "../lib/fifo.js";
import type { HashKey } from "../lib/half-siphash.js";
import { MaskTable } from "../lib/mask-table.js";
import { Board } from "../link/board.js";
import { inletOf, OUTSIDE_WID, type Direct } from "../link/messages.js";
import { Outlet } from "../link/outlet.js";
import { Outbound, type OnOutbound } from "./outbound.js";

const NUMBERS = 2 ** 32;

export interface DirectHubOptions {
  readonly config: Config;
  /** Of the node's sockets and pipes. */
  readonly folder: string;
  readonly log: Logger;
  readonly now: () => number;
  /** A worker says something to servers outside of the node. */
  readonly onOutbound: OnOutbound;
}

export class DirectHub {
  readonly board: Board;
  /** What workers are told of it. */
  readonly boot: Direct;
  /** Where workers say what is for servers outside of the node; undefined where there are none. */
  readonly outbound: Outbound | undefined;
  readonly #maxQueueBytes: number;

  /** @param inlet a named pipe in the folder: the primary's own, where it needs one */
  constructor(inlet: string, { config, folder, now, onOutbound }: DirectHubOptions) {
    const { hub, redis, bus } = config;
    const boardKey: HashKey = [randomInt(NUMBERS), randomInt(NUMBERS)];
    const boardPath = path.join(folder, "board");
    this.board = new Board(new MaskTable(boardPath, boardKey));
    const hasOutside = redis.url !== null;
    if (hasOutside) this.outbound = new Outbound(inlet, gatherPace(bus.gatherMs, now), onOutbound);
    else rmSync(inlet);
    this.boot = { folder, boardPath, boardKey, hasOutside };
    this.#maxQueueBytes = hub.maxQueueBytes;
  }

  /** @param wid of a worker that has opened its inlet */
  outlet(wid: number): Outlet {
    return new Outlet(OUTSIDE_WID, new FifoWriter(inletOf(this.boot.folder, wid)), this.#maxQueueBytes);
  }

  /** That worker is no more. */
  remove(wid: number): void {
    rmSync(inletOf(this.boot.folder, wid), { force: true });
  }

  close(): void {
    this.outbound?.close();
    this.board.close();
  }
}

/**
 * Whether workers can do without the primary: recovery needs each message there, and only Linux writes enough to a pipe in one piece.
 * @returns undefined where they cannot
 */
export function openDirectHub(options: DirectHubOptions): DirectHub | undefined {
  const { config, folder, log } = options;
  if (config.hub.path !== "direct" || process.platform !== "linux" || config.recovery.enabled) return undefined;
  const inlet = inletOf(folder, OUTSIDE_WID);
  try {
    makeFifo(inlet);
  } catch (error) {
    log.warn({ err: error }, "no named pipes: what workers say to each other goes by way of the primary");
    return undefined;
  }
  return new DirectHub(inlet, options);
}
