/** A client that stays connected as the stock one does: it comes back by itself, with its pauses, and asks for its session to be recovered. */
import type { ClientReport, Failure, Transport } from "./messages.js";
import { openSession, type Session } from "./session.js";

/** Of the stock client: the first pause, which doubles with each refusal, and what chance makes of it. */
const DELAY_MS = 1_000;
const MAX_DELAY_MS = 5_000;
const RANDOMIZATION = 0.5;

interface Joined {
  readonly sid: string;
  readonly pid?: string;
}

export class Client {
  readonly #transport: Transport;
  readonly #port: number;
  readonly #now: () => number;
  readonly #onConnected: () => void;
  readonly #dropsMs: number[] = [];
  readonly #returnsMs: number[] = [];
  readonly #awayMs: number[] = [];
  readonly #failures: Failure[] = [];
  #attempts = 0;
  #recovered = 0;
  #last: Joined | undefined;
  connected = false;

  constructor(transport: Transport, port: number, now: () => number, onConnected: () => void) {
    this.#transport = transport;
    this.#port = port;
    this.#now = now;
    this.#onConnected = onConnected;
    this.#connect();
  }

  get drops(): number {
    return this.#dropsMs.length;
  }

  report(): ClientReport {
    return {
      transport: this.#transport,
      connected: this.connected,
      dropsMs: this.#dropsMs,
      returnsMs: this.#returnsMs,
      awayMs: this.#awayMs,
      recovered: this.#recovered,
      failures: this.#failures,
    };
  }

  #connect(): void {
    let closed = false;
    const session: Session = openSession(this.#transport, this.#port, {
      onOpen: () => session.send(`0${this.#last?.pid === undefined ? "" : JSON.stringify({ pid: this.#last.pid })}`),
      onMessage: (packet) => {
        if (packet.startsWith("0{")) this.#joined(JSON.parse(packet.slice(1)) as Joined);
      },
      onFailure: (what, outcome, retryAfter) => this.#failures.push({ what, outcome, retryAfter, atMs: this.#now() }),
      onClose: () => {
        if (closed) return;
        closed = true;
        this.#closed();
      },
    });
  }

  #joined(joined: Joined): void {
    const dropMs = this.#dropsMs.at(-1);
    if (dropMs !== undefined) this.#awayMs.push(this.#now() - dropMs);
    if (joined.sid === this.#last?.sid) this.#recovered++;
    this.#last = joined;
    this.#attempts = 0;
    this.connected = true;
    this.#onConnected();
  }

  #closed(): void {
    const wasConnected = this.connected;
    this.connected = false;
    if (wasConnected) this.#dropsMs.push(this.#now());
    const delayMs = Math.min(DELAY_MS * 2 ** this.#attempts++, MAX_DELAY_MS);
    const chance = 1 + RANDOMIZATION * (2 * Math.random() - 1);
    setTimeout(() => {
      if (wasConnected) this.#returnsMs.push(this.#now());
      this.#connect();
    }, delayMs * chance);
  }
}
