/** Says what is wrong with Redis as an operator can act on it: the cause, and not what ioredis makes of it. */

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/max retries per request|aborted due to connection close/, "the connection to Redis broke"],
  [/enableOfflineQueue|^Connection is closed/, "there is no connection to Redis"],
  [/^Socket timeout|^Command timed out|ETIMEDOUT/, "Redis does not answer"],
];

/** Rejects with {@link inPlainWords}. */
export async function explained<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    throw inPlainWords(error);
  }
}

export function inPlainWords(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error), { cause: error });
  const within = causeIn(error);
  if (within !== undefined) return inPlainWords(within);
  const words = WORDS.find(([pattern]) => pattern.test(error.message))?.[1];
  return words === undefined ? error : new Error(words, { cause: error });
}

/** Of the addresses of a name, the nodes of a cluster, or the commands of a transaction: what the first said. */
function causeIn(error: Error): unknown {
  const { errors, lastNodeError, previousErrors } = error as Partial<
    Record<"errors" | "previousErrors", readonly unknown[]> & { lastNodeError: unknown }
  >;
  return errors?.[0] ?? lastNodeError ?? previousErrors?.[0];
}
