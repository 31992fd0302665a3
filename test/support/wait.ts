/** Waiting for a condition, never for a fixed time. */
import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  /** 30 s unless told: a crowded machine takes its time. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What is waited for; a function is asked when the time is up, to tell what there was instead. */
  readonly message?: string | (() => string);
}

/**
 * Asks until the condition holds. One that throws does not hold yet; the last error is the cause of the final one.
 *
 * @returns the first truthy value
 * @throws Error with `message` when the time is up
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 20, message = "a condition" }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      cause = undefined;
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      const text = typeof message === "string" ? message : message();
      throw new Error(`waited ${timeoutMs} ms in vain for ${text}`, { cause });
    }
    await delay(intervalMs);
  }
}

/** @throws Error with `message` where the promise is not settled in time */
export async function within<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  const timer = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${timeoutMs} ms in vain for ${message}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    // The aborted delay rejects with nobody left to hear it.
    late.catch(() => undefined);
    timer.abort();
  }
}
