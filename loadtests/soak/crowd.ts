/** The soak's clients, of each kind, on each node and by way of the balancer, and what they say to their rooms. */
import { setTimeout as delay } from "node:timers/promises";
import { stockClient, type Client, type ClientOptions } from "./client.js";
import type { Ledger } from "./ledger.js";
import { rawClient } from "./raw-client.js";

const CLIENTS = 60;
const ROOM_SIZE = 6;
const SAY_EVERY_MS = 20;
const BALANCED_EACH = 5;
/** Every so many messages of the stock client carry binary. */
const BINARY_EACH = 10;
const TEXT = "x".repeat(200);
const BYTES = Buffer.alloc(100, 7);

const KINDS: readonly { readonly name: string; readonly start: (options: ClientOptions) => Client }[] = [
  { name: "stock client", start: (options) => stockClient(options) },
  { name: "stock client, polling", start: (options) => stockClient(options, ["polling"]) },
  { name: "stock client, WebSocket", start: (options) => stockClient(options, ["websocket"]) },
  { name: "raw client, polling", start: (options) => rawClient(options, "polling") },
  { name: "raw client, WebSocket", start: (options) => rawClient(options, "websocket") },
];

export interface CrowdOptions {
  readonly ledger: Ledger;
  readonly nodePorts: readonly number[];
  readonly balancerPort: number;
  /** Whether there is a known reason for a cut; the place is undefined behind the balancer. */
  readonly mayCut: (place: number | undefined) => boolean;
}

export class Crowd {
  readonly size = CLIENTS;
  readonly #options: CrowdOptions;
  readonly #clients: { readonly client: Client; joined: boolean }[] = [];
  readonly #faults: string[] = [];
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: CrowdOptions) {
    this.#options = options;
    for (let id = 0; id < CLIENTS; id++) this.#clients.push(this.#start(id));
  }

  get joined(): number {
    return this.#clients.filter(({ joined }) => joined).length;
  }

  /** Cuts that nothing explains, in words. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  /** Whoever has joined speaks in turn. */
  speak(): void {
    this.#timer = setInterval(() => this.#say(), SAY_EVERY_MS);
  }

  /** Nobody speaks, and what was said is heard, or the time is over. */
  async hush(timeoutMs: number): Promise<void> {
    clearInterval(this.#timer);
    const deadline = performance.now() + timeoutMs;
    while (this.#options.ledger.pending > 0 && performance.now() < deadline) await delay(20);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping = true;
    await Promise.all(this.#clients.map(({ client }) => client.stop()));
  }

  #start(id: number): { readonly client: Client; joined: boolean } {
    const { ledger, nodePorts, balancerPort, mayCut } = this.#options;
    const place = id % BALANCED_EACH === BALANCED_EACH - 1 ? undefined : id % nodePorts.length;
    const kind = KINDS[(id + Math.floor(id / KINDS.length)) % KINDS.length] ?? KINDS[0];
    const port = place === undefined ? balancerPort : nodePorts[place];
    if (kind === undefined || port === undefined) throw new Error("a client without a kind or a place");
    const room = `room ${Math.floor(id / ROOM_SIZE)}`;
    const where = place === undefined ? "behind the balancer" : `at node ${place + 1}`;
    ledger.add(id, room);
    const client = kind.start({
      port,
      room,
      ears: {
        joined: (node) => {
          state.joined = true;
          ledger.joined(id, node);
        },
        cut: (reason) => {
          state.joined = false;
          if (this.#stopping) return;
          ledger.cut(id, Date.now());
          if (!mayCut(place))
            this.#faults.push(`client ${id} (${kind.name}, ${where}) was cut, and no node was down: ${reason}`);
        },
        heard: ({ from, n }) => ledger.heard(id, from, n, Date.now()),
      },
    });
    const state = { client, joined: false };
    return state;
  }

  #say(): void {
    const from = this.#turn++ % CLIENTS;
    const speaker = this.#clients[from];
    if (speaker?.joined !== true) return;
    const n = this.#options.ledger.said(from, Date.now());
    speaker.client.say({ from, n, text: TEXT, ...(n % BINARY_EACH === 0 && { bytes: BYTES }) });
  }
}
