/** A process of stock clients that speak in rooms and write down everything they see. Started by swarm.ts. */
import { io, type Socket } from "socket.io-client";
import { RequestLog } from "./request-log.js";
import type { ClientReport, SwarmCommand, SwarmEvent, SwarmOptions } from "./swarm-messages.js";

const ACK_TIMEOUT_MS = 5_000;
const STATUS_MS = 100;

const now = (): number => performance.timeOrigin + performance.now();
const options = JSON.parse(process.argv[2] ?? "") as SwarmOptions;
const requests = new RequestLog(now);
const tell = (event: SwarmEvent): void => void process.send?.(event);

class Client {
  readonly #id: number;
  readonly #room: string;
  readonly #socket: Socket;
  readonly #homes: { atMs: number; pid: number; sid: string }[] = [];
  readonly #disconnects: { atMs: number; reason: string }[] = [];
  readonly #said: { n: number; atMs: number; acked: boolean }[] = [];
  readonly #heard: string[] = [];
  #n = 0;
  joined = false;
  /** Acks that are due. */
  waiting = 0;

  constructor(id: number) {
    this.#id = id;
    this.#room = `room-${id % options.rooms}`;
    const { url, transports } = options;
    this.#socket = io(url, { forceNew: true, ...(transports && { transports: [...transports] }) });
    this.#socket.on("connect", () => {
      this.#socket.emit("join", this.#room, (pid: number) => {
        this.joined = true;
        this.#homes.push({ atMs: now(), pid, sid: this.#socket.io.engine.id });
      });
    });
    this.#socket.on("disconnect", (reason) => {
      this.joined = false;
      this.#disconnects.push({ atMs: now(), reason });
    });
    this.#socket.on("said", (from: number, n: number) => this.#heard.push(`${from}:${n}`));
  }

  speak(): void {
    if (!this.joined) return;
    const entry = { n: this.#n++, atMs: now(), acked: false };
    this.#said.push(entry);
    this.waiting++;
    this.#socket.timeout(ACK_TIMEOUT_MS).emit("say", this.#room, this.#id, entry.n, (error: Error | null) => {
      this.waiting--;
      entry.acked = error === null;
    });
  }

  report(): ClientReport {
    return {
      id: this.#id,
      transport: this.#socket.io.engine.transport.name,
      homes: this.#homes,
      disconnects: this.#disconnects,
      said: this.#said,
      heard: this.#heard,
    };
  }
}

const clients = Array.from({ length: options.count }, (_, i) => new Client(options.first + i));
setInterval(() => {
  const joined = clients.filter((client) => client.joined).length;
  tell({ is: "status", joined, waiting: clients.reduce((sum, { waiting }) => sum + waiting, 0) });
}, STATUS_MS);

// The clients take turns, so that the interval holds no burst.
let turn = 0;
let speaking: NodeJS.Timeout | undefined;
process.on("message", (command: SwarmCommand) => {
  if (command.do === "speak") {
    requests.spoken();
    speaking = setInterval(() => clients[turn++ % clients.length]?.speak(), options.intervalMs / options.count);
  } else if (command.do === "hush") {
    clearInterval(speaking);
  } else {
    tell({ is: "report", report: { clients: clients.map((client) => client.report()), requests: requests.report() } });
  }
});
process.on("disconnect", () => process.exit());
