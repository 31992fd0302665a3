/** What servers say to each other by pub/sub. */
import { unpackMessage } from "../link/payload.js";

export interface ServerMessage {
  readonly uid: string;
  readonly nsp: string;
  readonly type: number;
  readonly data: object;
  /** 1: a limpet node's request, which other limpet nodes read in the stream. */
  readonly l?: unknown;
}

/** @throws Error where the bytes are none */
export function serverMessageOf(bytes: Buffer): ServerMessage {
  const { uid, nsp, type, data, l } = unpackMessage(bytes) as Record<string, unknown>;
  if (typeof uid !== "string" || typeof nsp !== "string" || typeof data !== "object" || data === null)
    throw new Error("a message without uid, namespace or data");
  return { uid, nsp, type: Number(type), data, l };
}
