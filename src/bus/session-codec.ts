/** Session records as they travel between nodes and stand in Redis: MessagePack, with claims as their texts. */
import { packMessage, unpackMessage } from "../link/payload.js";
import { encodeClaim, parseClaim, type Claim, type Origin } from "../recovery/claim.js";
import type { LogEntry } from "../recovery/log-entry.js";
import type { SessionRecord, SessionRoom } from "../recovery/session-record.js";

/** Grows where an older version of limpet could not read what this one writes. */
const VERSION = 1;

export function encodeRecord(record: SessionRecord): Buffer {
  const { nsp, pid, id, generation, rooms, data, since, life, former, unicasts } = record;
  return packMessage({
    v: VERSION,
    nsp,
    pid,
    id,
    generation,
    rooms: rooms.map(([room, joined]) => [room, encodeClaim(joined)]),
    data,
    since: encodeClaim(since),
    life: life && encodeClaim(life),
    former: former.map(encodeClaim),
    unicasts: unicasts?.map(encodeUnicast),
  });
}

/** @throws Error where the bytes are no record, or one of a version that this one does not know */
export function decodeRecord(bytes: Buffer): SessionRecord {
  const value = fieldsOf(unpackMessage(bytes));
  if (value["v"] !== VERSION) throw new Error(`a session's record of version ${String(value["v"])}`);
  const { life, unicasts } = value;
  return {
    nsp: textOf(value["nsp"]),
    pid: textOf(value["pid"]),
    id: textOf(value["id"]),
    generation: numberOf(value["generation"]),
    rooms: listOf(value["rooms"]).map(roomOf),
    data: bytesOf(value["data"]),
    since: claimOf(value["since"]),
    life: life === undefined ? undefined : claimOf(life),
    former: listOf(value["former"]).map(claimOf),
    ...(unicasts === undefined ? {} : { unicasts: listOf(unicasts).map(unicastOf) }),
  };
}

const encodeUnicast = ({ nsp, rooms, except, bin, argsBytes, body, origin }: LogEntry): unknown[] => [
  nsp,
  rooms,
  except,
  bin,
  argsBytes ?? null,
  body,
  origin === undefined ? null : [origin.tag, origin.pos, origin.wid, origin.seq],
];

/** Its position was that of another log: here it has none that a claim could cover. */
function unicastOf(value: unknown): LogEntry {
  const [nsp, rooms, except, bin, argsBytes, body, origin] = listOf(value);
  return {
    nsp: textOf(nsp),
    rooms: listOf(rooms).map(textOf),
    except: listOf(except).map(textOf),
    bin: bin === true,
    argsBytes: argsBytes === null ? undefined : numberOf(argsBytes),
    body: bytesOf(body),
    origin: origin === null ? undefined : originOf(origin),
    streamId: undefined,
    unicast: true,
    pos: Number.MAX_SAFE_INTEGER,
    atMs: 0,
  };
}

function roomOf(value: unknown): SessionRoom {
  const [room, joined] = listOf(value);
  return [textOf(room), claimOf(joined)];
}

function originOf(value: unknown): Origin {
  const [tag, pos, wid, seq] = listOf(value);
  return { tag: textOf(tag), pos: numberOf(pos), wid: numberOf(wid), seq: numberOf(seq) };
}

function claimOf(value: unknown): Claim {
  const claim = typeof value === "string" ? parseClaim(value) : undefined;
  return claim ?? unreadable();
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : unreadable();
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : unreadable());
const textOf = (value: unknown): string => (typeof value === "string" ? value : unreadable());
const numberOf = (value: unknown): number => (Number.isSafeInteger(value) ? (value as number) : unreadable());
const bytesOf = (value: unknown): Buffer =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : unreadable();

function unreadable(): never {
  throw new Error("a session's record that cannot be read");
}
