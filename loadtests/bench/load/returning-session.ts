/** A session over WebSocket that comes back when the server has ended it, as stock clients with recovery do, but at once. */
import { setTimeout as delay } from "node:timers/promises";
import { Session, type SessionOptions } from "./session.js";

/** Between two attempts, as far as the second. */
const RETRY_MS = 500;

export class ReturningSession {
  readonly #options: Pick<SessionOptions, "port" | "from">;
  #session: Session | undefined;
  #id = "";
  /** The client's secret. */
  #pid = "";
  #firstId = "";
  #endedAt = NaN;
  #isClosed = false;
  /** Since it came back; NaN before. */
  awayMs = NaN;
  /** Attempts to come back that failed. */
  refused = 0;

  private constructor(options: Pick<SessionOptions, "port" | "from">) {
    this.#options = options;
  }

  static async open(options: Pick<SessionOptions, "port" | "from">): Promise<ReturningSession> {
    const session = new ReturningSession(options);
    await session.#connect();
    session.#firstId = session.#id;
    return session;
  }

  get isBack(): boolean {
    return !Number.isNaN(this.awayMs);
  }

  get isRecovered(): boolean {
    return this.isBack && this.#id === this.#firstId;
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }

  async #connect(): Promise<void> {
    let isIn = false;
    this.#session = await Session.open({
      ...this.#options,
      ...(this.#pid !== "" && { auth: JSON.stringify({ pid: this.#pid }) }),
      onConnected: (answer) => {
        isIn = true;
        const { sid, pid } = JSON.parse(answer) as { sid: string; pid: string };
        [this.#id, this.#pid] = [sid, pid];
      },
      onClose: () => {
        if (isIn && !this.#isClosed) void this.#return();
      },
    });
  }

  async #return(): Promise<void> {
    this.#endedAt = performance.now();
    for (;;) {
      try {
        await this.#connect();
        this.awayMs = performance.now() - this.#endedAt;
        return;
      } catch {
        // Counted; a refusal is not the end.
        this.refused++;
        await delay(RETRY_MS * Math.random());
      }
    }
  }
}
