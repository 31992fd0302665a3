/** A process of stock clients that listen in rooms and write down all that comes. Started by crowd.ts. */
import { io, type Socket } from "socket.io-client";
import { RequestLog } from "../../faults/request-log.js";
import {
  roomsOf,
  type ClientReport,
  type CrowdCommand,
  type CrowdEvent,
  type CrowdOptions,
  type Return,
} from "./crowd-messages.js";

const STATUS_MS = 100;
/** Connected in small steps: a storm at the start is not what is looked at. */
const STEP = 10;
const STEP_MS = 50;

const now = (): number => performance.timeOrigin + performance.now();
const options = JSON.parse(process.argv[2] ?? "") as CrowdOptions;
const requests = new RequestLog(now);
const tell = (event: CrowdEvent): void => void process.send?.(event);

interface Answer {
  readonly pid: number;
  readonly mark: unknown;
  readonly rooms: readonly string[];
}

class Client {
  readonly #id: number;
  readonly #rooms: readonly string[];
  readonly #socket: Socket;
  readonly #socketIds: string[] = [];
  readonly #disconnects: { atMs: number; reason: string }[] = [];
  readonly #returns: Return[] = [];
  readonly #gapsMs: number[] = [];
  readonly #heard: Record<string, number[]> = {};
  readonly #unicasts: Record<string, number[]> = {};
  #connects = 0;
  #lastHeardMs: number | undefined;
  #isGap = false;
  /** The process that serves it, once it is in its rooms. */
  home: number | undefined;
  heardAtHome = 0;

  constructor(id: number) {
    this.#id = id;
    this.#rooms = roomsOf(id, options.spread);
    const transports = options.transports[id % options.transports.length];
    const { reconnectionDelayMs: delay } = options;
    this.#socket = io(options.url, {
      forceNew: true,
      ...(transports && { transports: [...transports] }),
      ...(delay !== undefined && { reconnectionDelay: delay, reconnectionDelayMax: 10 * delay }),
    });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", (reason) => {
      this.home = undefined;
      this.#isGap = this.#lastHeardMs !== undefined;
      this.#disconnects.push({ atMs: now(), reason });
    });
    this.#socket.on("message", (publisher: string, room: string, n: number) => {
      const atMs = now();
      if (this.#isGap) this.#gapsMs.push(atMs - (this.#lastHeardMs ?? atMs));
      this.#isGap = false;
      this.#lastHeardMs = atMs;
      this.heardAtHome++;
      (this.#heard[`${publisher} ${room}`] ??= []).push(n);
      // Not before what was decoded with it is out: what a stock client has not handed out when it is closed it keeps, and hands out when it is back.
      if (breaking && this.home !== undefined) process.nextTick(() => this.#break());
    });
    this.#socket.on("unicast", (pid: number, n: number) => (this.#unicasts[pid] ??= []).push(n));
  }

  get disconnects(): number {
    return this.#disconnects.length;
  }

  /** In turns so that the server sees it, and as if the network had gone. */
  #break(): void {
    if (!this.#socket.connected) return;
    const { transport } = this.#socket.io.engine as unknown as { transport: { ws?: { terminate(): void } } };
    if (transport.ws !== undefined && this.disconnects % 2 === 0) transport.ws.terminate();
    else this.giveUp();
  }

  /** As its own timer does, save that no goodbye leaves: the network is gone, and so would that be. */
  giveUp(): void {
    const { engine } = this.#socket.io as unknown as {
      engine: { transport: { doClose: () => void }; _onClose: (reason: string) => void };
    };
    engine.transport.doClose = () => undefined;
    engine._onClose("ping timeout");
  }

  report(): ClientReport {
    return {
      id: this.#id,
      rooms: this.#rooms,
      transport: this.#socket.io.engine.transport.name,
      socketIds: this.#socketIds,
      disconnects: this.#disconnects,
      returns: this.#returns,
      gapsMs: this.#gapsMs,
      heard: this.#heard,
      unicasts: this.#unicasts,
    };
  }

  #connected(): void {
    const { recovered, id = "" } = this.#socket;
    const isFirst = this.#connects++ === 0;
    const isSame = this.#socketIds.at(-1) === id;
    if (!isSame) this.#socketIds.push(id);
    const atMs = now();
    if (recovered) {
      this.#socket.emit("who", ({ pid, mark, rooms }: Answer) => {
        const isWhole = [id, ...this.#rooms].every((room) => rooms.includes(room)) && rooms.length === 3;
        this.#returns.push({ atMs, recovered, intact: isSame && isWhole && mark === this.#id });
        this.#settle(pid);
      });
    } else {
      this.#socket.emit("join", this.#id, this.#rooms, (pid: number) => {
        if (!isFirst) this.#returns.push({ atMs, recovered, intact: false });
        this.#settle(pid);
      });
    }
  }

  #settle(pid: number): void {
    this.home = pid;
    this.heardAtHome = 0;
  }
}

let breaking = false;
const clients: Client[] = [];
const growing = setInterval(() => {
  for (let i = 0; i < STEP && clients.length < options.count; i++) clients.push(new Client(clients.length));
  if (clients.length === options.count) clearInterval(growing);
}, STEP_MS);

setInterval(() => {
  const homes: Record<string, number> = {};
  for (const { home } of clients) if (home !== undefined) homes[home] = (homes[home] ?? 0) + 1;
  tell({
    is: "status",
    status: {
      home: clients.filter(({ home }) => home !== undefined).length,
      struck: clients.filter(({ disconnects }) => disconnects > 0).length,
      disconnects: clients.reduce((sum, { disconnects }) => sum + disconnects, 0),
      heardByAll: Math.min(...clients.filter(({ home }) => home !== undefined).map(({ heardAtHome }) => heardAtHome)),
      homes,
    },
  });
}, STATUS_MS);

process.on("message", (command: CrowdCommand) => {
  if (command.do === "report")
    tell({ is: "report", report: { clients: clients.map((client) => client.report()), requests: requests.report() } });
  else if (command.do === "give up") for (const client of clients) client.giveUp();
  else breaking = command.do === "break at every message";
});
process.on("disconnect", () => process.exit());
