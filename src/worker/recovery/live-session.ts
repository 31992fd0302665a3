/** A session that is connected to this worker. */
import type { RecoverableSocket } from "../internals.js";

export interface LiveSession {
  readonly nsp: string;
  /** The client's secret. */
  readonly pid: string;
  /** `socket.id`. */
  readonly id: string;
  readonly generation: number;
  readonly socket: RecoverableSocket;
  /** Takes it out of its adapter's table. */
  readonly forget: () => void;
  /** `socket.data` as the primary has it. */
  data: Buffer;
  /** Its data may have changed since. */
  isMarked: boolean;
  /** That its data cannot be kept was said already. */
  hasComplained: boolean;
  /** A claim that a pong has proved, until it is reported. */
  life: string | undefined;
}
