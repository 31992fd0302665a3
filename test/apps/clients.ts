/** Stock Socket.IO clients for the tests of apps. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

const DEADLINE_MS = 10_000;

export type Answer = { ok: boolean; error?: { code: string; message: string } } & Record<string, unknown>;

/** Connected; closed when the test ends. */
export async function connect(
  t: TestContext,
  url: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<Socket> {
  const client = io(url, { forceNew: true, reconnection: false, ...options });
  t.after(() => client.disconnect());
  await next(client, "connect");
  return client;
}

/** The answer to an event; fails when there is none in time. */
export async function ask(client: Socket, event: string, ...payload: unknown[]): Promise<Answer> {
  return (await client.timeout(DEADLINE_MS).emitWithAck(event, ...payload)) as Answer;
}

/** The first argument of the next event of that name; fails when none comes in time. Ask for it before causing it. */
export function next<T = Record<string, unknown>>(client: Socket, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      client.off(event, received);
      reject(new Error(`no ${event} within ${DEADLINE_MS} ms`));
    }, DEADLINE_MS);
    const received = (payload: T): void => {
      clearTimeout(timer);
      resolve(payload);
    };
    client.once(event, received);
  });
}

/** Two clients for which `workerOf` says two different workers. */
export async function connectToTwoWorkers(
  t: TestContext,
  url: string,
  workerOf: (client: Socket) => Promise<number>,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<[Socket, Socket]> {
  const first = await connect(t, url, options);
  const worker = await workerOf(first);
  for (let attempt = 0; attempt < 8; attempt++) {
    const second = await connect(t, url, options);
    if ((await workerOf(second)) !== worker) return [first, second];
  }
  return assert.fail("eight clients in a row came to the same worker");
}
