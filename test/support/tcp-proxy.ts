/** A network between a node and Redis, or between clients and nodes, that a test can break: cut it, let it hang, slow it down, lose a reply. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Scope } from "./children.js";
import { ProxyLink, type LinkRules } from "./proxy-link.js";
import type { RedisCommand } from "./redis-commands.js";

/** A connection through the proxy, as the test sees it. */
export interface Link {
  /** Names of the commands it has sent, in capitals. */
  readonly commands: ReadonlySet<string>;
  readonly toServerBytes: number;
  readonly toClientBytes: number;
  readonly open: boolean;
  /** As CLIENT LIST has it, while it is open. */
  readonly addressAtServer: string;
}

/** Which connections are meant. One that comes to fit later is treated from then on, before the chunk that makes it fit is passed on. */
export type Select = (link: Link) => boolean;

/** Connections that have sent this command, and those that will. */
export const sends =
  (command: string): Select =>
  ({ commands }) =>
    commands.has(command);

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** `redis://` to the proxy. */
  readonly url: string;
  /** Resets the connections, and each new one, until `heal`. */
  cut(select?: Select): void;
  /** Lets everything pass again: ends `cut` and `stall`, `delay` and a `swallowReplies` that has not happened. */
  heal(): void;
  /** Passes nothing on, either way, while connections stay open and new ones are taken; until `resume`. */
  stall(select?: Select): void;
  resume(): void;
  /** From here on every byte takes this long, each way. */
  delay(ms: number): void;
  /**
   * Passes the first command that fits on to the server (the whole transaction, where it stands in one), waits until the server has worked
   * it off, and closes the connection; no reply to it reaches the client.
   *
   * @returns a promise that resolves when this has happened
   */
  swallowReplies(match: (command: RedisCommand) => boolean): Promise<void>;
  /** All connections so far, closed ones included. */
  links(): readonly Link[];
  /** Bytes passed on so far. */
  readonly toServerBytes: number;
  readonly toClientBytes: number;
  stop(): Promise<void>;
}

const NONE: Select = () => false;
const ALL: Select = () => true;

/** @param target the port behind it; a function is asked for each connection */
export async function startProxy(target: number | (() => number), scope?: Scope): Promise<TcpProxy> {
  const links: ProxyLink[] = [];
  let cut = NONE;
  let stalled = NONE;
  let delayMs = 0;
  let swallow: { match: (command: RedisCommand) => boolean; done: () => void } | undefined;

  const rules: LinkRules = {
    isCut: (link) => cut(link),
    isStalled: (link) => stalled(link),
    delayMs: () => delayMs,
    takeSwallow: (command) => {
      if (swallow === undefined || !swallow.match(command)) return undefined;
      const { done } = swallow;
      swallow = undefined;
      return done;
    },
  };
  const apply = (): void => {
    for (const link of links) link.apply();
  };
  const server = createServer({ noDelay: true }, (client: Socket) => {
    if (cut === ALL) client.resetAndDestroy();
    else links.push(new ProxyLink(client, typeof target === "number" ? target : target(), rules));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sum = (bytes: (link: Link) => number): number => links.reduce((total, link) => total + bytes(link), 0);
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const link of links) link.destroy();
    await closed;
  };
  scope?.after(stop);
  return {
    host: "127.0.0.1",
    port,
    url: `redis://127.0.0.1:${port}`,
    cut: (select = ALL) => {
      cut = select;
      apply();
    },
    heal: () => {
      [cut, stalled, delayMs, swallow] = [NONE, NONE, 0, undefined];
      apply();
    },
    stall: (select = ALL) => {
      stalled = select;
      apply();
    },
    resume: () => {
      stalled = NONE;
      apply();
    },
    delay: (ms) => {
      delayMs = ms;
    },
    swallowReplies: (match) => new Promise((done) => (swallow = { match, done })),
    links: () => links,
    get toServerBytes() {
      return sum((link) => link.toServerBytes);
    },
    get toClientBytes() {
      return sum((link) => link.toClientBytes);
    },
    stop,
  };
}
