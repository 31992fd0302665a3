/** What Redis says of a stream, and its replies with entries, as this project reads them. */
import { FIRST_ID } from "../lib/stream-id.js";

export type RawEntry = readonly [id: Buffer | string, fields: readonly (Buffer | string)[]];

export interface StreamInfo {
  readonly lastId: string;
  /** Entries ever added; Redis 7 and later. */
  readonly added: number | undefined;
  /** Entries in it now. */
  readonly length: number;
  readonly firstId: string | undefined;
}

export const NO_STREAM: StreamInfo = { lastId: FIRST_ID, added: 0, length: 0, firstId: undefined };

/** What XINFO and others say of a key that is not there. */
export const isNoStream = (error: unknown): boolean => error instanceof Error && /no such key/i.test(error.message);

/** @param reply of XINFO STREAM: names and values in turn */
export function infoOf(reply: unknown): StreamInfo {
  const fields = reply as readonly unknown[];
  const valueOf = (name: string): unknown => {
    const at = fields.indexOf(name);
    return at < 0 ? undefined : fields[at + 1];
  };
  const added = valueOf("entries-added");
  const first = valueOf("first-entry");
  return {
    lastId: String(valueOf("last-generated-id")),
    added: added === undefined ? undefined : Number(added),
    length: Number(valueOf("length")),
    firstId: Array.isArray(first) ? String(first[0]) : undefined,
  };
}

/** @param reply of XREAD of one stream */
export function entriesOf(reply: unknown): readonly RawEntry[] {
  if (reply === null) return [];
  const [stream] = reply as [readonly [unknown, readonly RawEntry[]]];
  return stream[1];
}

/** Names and values in turn. */
export function fieldsOf([, fields]: RawEntry): readonly Buffer[] {
  return typeof fields[0] === "string" ? fields.map(toBuffer) : (fields as readonly Buffer[]);
}

const toBuffer = (field: Buffer | string): Buffer => (typeof field === "string" ? Buffer.from(field) : field);
