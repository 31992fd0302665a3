/**
 * Messages of one namespace that travel as one entry of the stream, where all who read it are limpet nodes: an entry costs its writer, Redis and every reader
 * more than a small message in it does.
 *
 * The entry's fields are `uid`, `s` (the namespace), `b` (the messages) and `l` (with the number of the last one); without `nsp` stock readers pass over it.
 * A message is `TYPE BYTES_OF_L BYTES_OF_DATA\n`, then what stands in the fields `l` and `data` of an entry of its own, as text.
 */
import { numbered } from "../link/entry-header.js";
import { parseHeader, type Entry, type StreamEntry } from "./entry.js";

/** Of this form: servers that read another do not count as readers of this one. */
export const BUNDLE_VERSION = 1;
/** A message with more data travels alone: what it costs is its bytes. */
const MAX_DATA_LENGTH = 4096;
/** A reader takes some hundred entries at once, and all that is in them. */
const MAX_BUNDLED = 64;
const MAX_BUNDLE_LENGTH = 32_768;

const [SPACE, NEWLINE, DIGIT_0, DIGIT_9] = [0x20, 0x0a, 0x30, 0x39];

export interface Bundle {
  readonly nsp: string;
  readonly messages: string;
  /** Of the entry. */
  readonly header: string;
}

/** @returns how many of them, from `from` on, can travel in one entry */
export function bundledFrom(entries: readonly StreamEntry[], from: number): number {
  const nsp = entries[from]?.nsp;
  let [at, length] = [from, 0];
  for (; nsp !== undefined && at - from < MAX_BUNDLED; at++) {
    const entry = entries[at];
    if (entry?.nsp !== nsp || typeof entry.data !== "string" || entry.data.length > MAX_DATA_LENGTH) break;
    length += entry.data.length + entry.header.length;
    if (length > MAX_BUNDLE_LENGTH && at > from) break;
  }
  return at - from;
}

/** @param entries of one namespace, with data that is text */
export function bundleOf(entries: readonly StreamEntry[]): Bundle {
  let messages = "";
  for (const { type, header, data } of entries) {
    const text = data as string;
    messages += `${type} ${Buffer.byteLength(header)} ${Buffer.byteLength(text)}\n${header}${text}`;
  }
  const { nsp = "", n = 0 } = entries.at(-1) ?? {};
  return { nsp, messages, header: numbered("{}", n) };
}

/**
 * @param onMessage is handed views over `messages`
 * @throws Error where it is no bundle, after those messages that could be read
 */
export function readBundle(messages: Buffer, onMessage: (type: number, header: Buffer, data: Buffer) => void): void {
  let at = 0;
  const number = (end: number): number => {
    const from = at;
    let value = 0;
    for (let byte = messages[at]; byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_9; byte = messages[++at])
      value = value * 10 + byte - DIGIT_0;
    if (at === from || messages[at++] !== end) throw new Error("a bundle that cannot be read");
    return value;
  };
  while (at < messages.length) {
    const type = number(SPACE);
    const headerBytes = number(SPACE);
    const dataBytes = number(NEWLINE);
    const dataAt = at + headerBytes;
    const end = dataAt + dataBytes;
    if (end > messages.length) throw new Error("a bundle that is cut off");
    onMessage(type, messages.subarray(at, dataAt), messages.subarray(dataAt, end));
    at = end;
  }
}

/**
 * Hands on the messages of an entry: those of a bundle, or the one that it is.
 * @param onUnreadable a message of the bundle; it does not take the others with it
 * @throws what `onMessage` throws of a message that is an entry; Error where a bundle cannot be read any further
 */
export function eachMessage(
  entry: Entry,
  onMessage: (message: Entry) => void,
  onUnreadable: (error: unknown) => void,
): void {
  const { uid, nsp, bundle } = entry;
  if (bundle === undefined) {
    onMessage(entry);
    return;
  }
  readBundle(bundle, (type, header, data) => {
    try {
      onMessage({ uid, nsp, type, data, header: parseHeader(header) });
    } catch (error) {
      onUnreadable(error);
    }
  });
}
