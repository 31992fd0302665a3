/** What the cases of the check say it with. */
import type { Socket } from "./lib/socket.ts";

export const PATIENCE_MS = 8_000;

/** The arguments of the next such event; the trigger runs once the listener is in place. */
export function next(socket: Socket, event: string, trigger: () => void): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no "${event}" within ${PATIENCE_MS} ms`));
    }, PATIENCE_MS);
    const listener = (...args: unknown[]): void => {
      clearTimeout(timer);
      socket.off(event, listener);
      resolve(args);
    };
    socket.on(event, listener);
    trigger();
  });
}

export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it should have failed");
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`no ${what} within ${PATIENCE_MS} ms`);
    await delay(10);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function expect(actual: unknown, expected: unknown): void {
  const [got, wantedText] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wantedText) throw new Error(`got ${got?.slice(0, 200)}, wanted ${wantedText?.slice(0, 200)}`);
}

export function expectBytes(actual: unknown, expected: Uint8Array): void {
  if (!(actual instanceof ArrayBuffer)) throw new Error(`got ${JSON.stringify(actual)}, wanted bytes`);
  expect([...new Uint8Array(actual)], [...expected]);
}
