/** Ids of stream entries: `MILLISECONDS-NUMBER`, both up to 64 bits. */
export const FIRST_ID = "0-0";

const STREAM_ID = /^\d{1,20}-\d{1,20}$/;

/** Whether the text has the form of an id. */
export function isStreamId(text: string): boolean {
  return STREAM_ID.test(text);
}

/** @returns below 0 where `a` is older */
export function compareIds(a: string, b: string): number {
  const [aMs, aNumber] = parts(a);
  const [bMs, bNumber] = parts(b);
  return aMs === bMs ? Number(aNumber - bNumber) : aMs < bMs ? -1 : 1;
}

/** Unix time in ms, by the clock of Redis. */
export function timeOf(id: string): number {
  return Number(id.split("-", 1)[0]);
}

export const idAt = (ms: number): string => `${Math.max(0, Math.floor(ms))}-0`;

function parts(id: string): readonly [bigint, bigint] {
  const [ms = "0", number = "0"] = id.split("-");
  return [BigInt(ms), BigInt(number)];
}
