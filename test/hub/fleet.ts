/** One stock client on each worker of a node, whose tests run functions in those workers. */
import assert from "node:assert/strict";
import { after } from "node:test";
import type { Server, Socket as ServerSocket } from "socket.io";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import type { Limpet } from "../../src/apps/contract.js";
import type { Scope } from "../support/children.js";
import { startNode, type NodeOptions, type TestNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";

export const APP = "test/hub/app.mjs";
const DEADLINE_MS = 20_000;

/** What a function that runs in a worker is given. It sees nothing of its test but its further arguments. */
export interface Inside {
  readonly io: Server;
  readonly socket: ServerSocket;
  readonly limpet: Limpet;
}

/** An error as a worker tells it. */
export class RemoteError extends Error {
  readonly responses: unknown[] | undefined;
  readonly missing: number | undefined;

  constructor({ name, message, responses, missing }: RemoteError) {
    super(message);
    this.name = name;
    this.responses = responses;
    this.missing = missing;
  }
}

export interface Member {
  readonly client: Socket;
  readonly id: string;
  /** Its worker's slot; in a fleet of several nodes 100 times the node's id and the slot. */
  readonly worker: number;
  /** Events so far, each with its arguments; acks are answered with the worker's number, `echo` with what came. */
  readonly received: [string, ...unknown[]][];
  /** Runs a function in the worker of this client. @throws RemoteError with what it throws */
  run<T, A extends unknown[]>(task: (inside: Inside, ...args: A) => T, ...args: A): Promise<Awaited<T>>;
}

export interface Fleet {
  readonly node: TestNode;
  /** One on each worker, by slot. */
  readonly members: readonly Member[];
}

/** The ways from worker to worker. What a file of tests shows of one, a file in `primary-path/` shows of the other. */
export type HubPath = "direct" | "primary";

/** Starts a node of 3 workers, unless told, and puts a client on each. */
export async function startFleet(scope: Scope, { workers = 3, env, ...options }: NodeOptions = {}): Promise<Fleet> {
  const hubPath: HubPath = process.env["TEST_HUB_PATH"] === "primary" ? "primary" : "direct";
  const node = await startNode({ app: APP, workers, env: { LIMPET_HUB_PATH: hubPath, ...env }, ...options }, scope);
  const found = new Map<number, Member>();
  await waitFor(
    async () => {
      const member = await connect(scope, node.url);
      if (found.has(member.worker)) member.client.disconnect();
      else found.set(member.worker, member);
      return found.size === workers;
    },
    { intervalMs: 0, message: "a client on each worker" },
  );
  return { node, members: [...found.values()].sort((a, b) => a.worker - b.worker) };
}

/** Undone after the last test of a file. Call it at the file's top. */
export function fileScope(): Scope {
  const undo: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const step of undo.reverse()) await step();
  });
  return { after: (step) => void undo.push(step) };
}

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/** A client of its own connection, closed with the scope. */
export async function connect(scope: Scope, url: string, options: ClientOptions = {}): Promise<Member> {
  const client = io(url, { forceNew: true, reconnection: false, transports: ["websocket"], ...options });
  scope.after(() => void client.disconnect());
  return memberOf(client);
}

/** A client on a certain worker: connects until one is there, then lets the others go. */
export async function connectTo(
  scope: Scope,
  url: string,
  worker: number,
  options: ClientOptions = {},
): Promise<Member> {
  const others: Member[] = [];
  const found = await waitFor(
    async () => {
      const member = await connect(scope, url, options);
      if (member.worker === worker) return member;
      others.push(member);
      return undefined;
    },
    { intervalMs: 0, message: `a client on worker ${worker}` },
  );
  for (const { client } of others) client.disconnect();
  return found as Member;
}

/** The same client in another namespace, on its connection. */
export async function enter(member: Member, nsp: string, auth: Record<string, unknown> = {}): Promise<Member> {
  return memberOf(member.client.io.socket(nsp, { auth }));
}

/** The reason why a client is refused. */
export async function refusal(client: Socket): Promise<string> {
  const refused = new Promise<Error>((resolve) => client.once("connect_error", resolve));
  return (await within(refused, DEADLINE_MS, "the refusal")).message;
}

async function memberOf(client: Socket): Promise<Member> {
  const received: [string, ...unknown[]][] = [];
  let worker = -1;
  client.onAny((event: string, ...args: unknown[]) => {
    const answer = args.at(-1);
    if (typeof answer === "function") (args.pop() as (value: unknown) => void)(event === "echo" ? args[0] : worker);
    received.push([event, ...args]);
  });
  await new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  const run = async <T, A extends unknown[]>(
    task: (inside: Inside, ...args: A) => T,
    ...args: A
  ): Promise<Awaited<T>> => {
    const answer = (await client.timeout(DEADLINE_MS).emitWithAck("run", task.toString(), args)) as {
      value: unknown;
      error?: RemoteError;
    };
    if (answer.error !== undefined) throw new RemoteError(answer.error);
    return answer.value as Awaited<T>;
  };
  worker = await run(({ limpet }) => 100 * limpet.node.id + limpet.worker.slot);
  const { id } = client;
  assert.ok(id !== undefined);
  return { client, id, worker, received, run };
}

/** Joins a room in the worker of each member. */
export async function join(room: string, ...members: Member[]): Promise<void> {
  await Promise.all(members.map((member) => member.run(({ socket }, name) => void socket.join(name), room)));
}

let blocks = 0;

/** Keeps a worker from doing anything else. @returns its process id, once it is busy */
export async function block(node: TestNode, member: Member, blockMs: number): Promise<number> {
  const name = `block ${++blocks}`;
  member
    .run(
      ({ limpet }, msg, durationMs) => {
        limpet.log.info({ pid: process.pid }, msg);
        const endMs = Date.now() + durationMs;
        while (Date.now() < endMs);
      },
      name,
      blockMs,
    )
    .catch(() => "the worker was ended");
  return Number((await node.waitForLog(({ msg }) => msg === name))["pid"]);
}

let marks = 0;

/** Through what fetchSockets finds under the guest's id: emits, joins the room, is reached there, leaves it, asks. @returns the answer */
export async function speakThroughFound(asker: Member, guest: Member, room: string): Promise<unknown> {
  return asker.run(
    async ({ io }, id, to) => {
      const [socket] = await io.in(id).fetchSockets();
      if (socket === undefined) throw new Error("not found");
      socket.emit("hello", 1);
      socket.join(to);
      io.to(to).emit("hello", 2);
      socket.leave(to);
      io.to(to).emit("hello", 3);
      return socket.timeout(5_000).emitWithAck("ask");
    },
    guest.id,
    room,
  );
}

/**
 * What each member has received since the last time, once everything that this publisher has sent to the namespace has arrived: messages of one
 * publisher keep their order, so a mark that it sends last is the last to come.
 */
export async function arrivals(publisher: Member, members: readonly Member[]): Promise<[string, ...unknown[]][][]> {
  const mark = `mark ${++marks}`;
  await publisher.run(({ socket }, name) => void socket.nsp.emit(name), mark);
  return Promise.all(
    members.map(async ({ received }) => {
      await waitFor(() => received.some(([event]) => event === mark), { intervalMs: 2, message: `the ${mark}` });
      return received.splice(0, received.length).filter(([event]) => !event.startsWith("mark "));
    }),
  );
}
