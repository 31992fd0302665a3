/** Socket.IO 5 packets: text with placeholders, and the binary attachments that follow it. Pure, as engine-codec is. */
import { ProtocolError } from "./engine-codec.ts";

export type Frame = string | ArrayBuffer;
export type Json = Record<string, unknown>;

export type Packet =
  | { readonly type: "connect"; readonly nsp: string; readonly data?: Json }
  | { readonly type: "disconnect"; readonly nsp: string }
  | { readonly type: "event"; readonly nsp: string; readonly id?: number; readonly data: readonly unknown[] }
  | { readonly type: "ack"; readonly nsp: string; readonly id: number; readonly data: readonly unknown[] }
  | { readonly type: "connect_error"; readonly nsp: string; readonly data: Json };

const CODES = { connect: 0, disconnect: 1, event: 2, ack: 3, connect_error: 4 } as const;
/** Added to the code of an event or an ack that has attachments. */
const BINARY = 3;
/** As servers have it: a text that announces more is an attack or a mistake. */
const MAX_ATTACHMENTS = 10;
/** Names that no event may have: the library emits them itself. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

interface Placeholder {
  readonly _placeholder: true;
  readonly num: number;
}

/** The frames of a packet: its text first, then its attachments. Typed arrays are sent as the bytes they show. */
export function encodePacket(packet: Packet): Frame[] {
  const attachments: ArrayBuffer[] = [];
  const data = "data" in packet ? packet.data : undefined;
  const json = data === undefined ? "" : JSON.stringify(Array.isArray(data) ? pullOut(data, attachments) : data);
  const code = CODES[packet.type] + (attachments.length > 0 ? BINARY : 0);
  const count = attachments.length > 0 ? `${attachments.length}-` : "";
  const nsp = packet.nsp === "/" ? "" : `${packet.nsp},`;
  const id = "id" in packet && packet.id !== undefined ? packet.id : "";
  return [`${code}${count}${nsp}${id}${json}`, ...attachments];
}

/** Puts packets together from frames in the order they came. One per connection: it remembers a packet begun. */
export class PacketDecoder {
  #begun: { readonly packet: Packet; readonly attachments: ArrayBuffer[]; readonly expected: number } | undefined;

  /**
   * @returns the packet that this frame completes, undefined while attachments are still to come
   * @throws ProtocolError when the frame cannot follow what came before, or is no packet
   */
  add(frame: Frame): Packet | undefined {
    return typeof frame === "string" ? this.#addText(frame) : this.#addAttachment(frame);
  }

  #addText(text: string): Packet | undefined {
    if (this.#begun !== undefined) throw new ProtocolError("text instead of an attachment");
    const { packet, attachments } = parse(text);
    if (attachments === 0) return packet;
    this.#begun = { packet, attachments: [], expected: attachments };
    return undefined;
  }

  #addAttachment(bytes: ArrayBuffer): Packet | undefined {
    if (this.#begun === undefined) throw new ProtocolError("an attachment without its packet");
    const { packet, attachments, expected } = this.#begun;
    attachments.push(bytes);
    if (attachments.length < expected) return undefined;
    this.#begun = undefined;
    return { ...packet, data: putBack((packet as { data: unknown }).data, attachments) } as Packet;
  }
}

/** type [attachments "-"] [namespace ","] [id] [JSON]; a namespace begins with "/", so the parts tell themselves apart. */
const HEAD = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?/;

function parse(text: string): { packet: Packet; attachments: number } {
  const head = HEAD.exec(text);
  if (head === null) throw unreadable(text);
  const code = Number(head[1]);
  const binary = code >= CODES.event + BINARY;
  const attachments = Number(head[2] ?? 0);
  if (binary ? attachments < 1 || attachments > MAX_ATTACHMENTS : head[2] !== undefined) throw unreadable(text);
  const nsp = head[3] ?? "/";
  const id = head[4] === undefined ? undefined : Number(head[4]);
  const data = readJson(text, head[0].length);
  const packet = build(binary ? code - BINARY : code, nsp, id, data);
  if (packet === undefined) throw unreadable(text);
  return { packet, attachments };
}

function build(code: number, nsp: string, id: number | undefined, data: unknown): Packet | undefined {
  switch (code) {
    case CODES.connect:
      if (data === undefined) return { type: "connect", nsp };
      return isJson(data) ? { type: "connect", nsp, data } : undefined;
    case CODES.disconnect:
      return data === undefined ? { type: "disconnect", nsp } : undefined;
    case CODES.event:
      if (!Array.isArray(data) || !isEventName(data[0])) return undefined;
      return id === undefined ? { type: "event", nsp, data } : { type: "event", nsp, id, data };
    case CODES.ack:
      return Array.isArray(data) && id !== undefined ? { type: "ack", nsp, id, data } : undefined;
    case CODES.connect_error:
      if (typeof data === "string") return { type: "connect_error", nsp, data: { message: data } };
      return isJson(data) ? { type: "connect_error", nsp, data } : undefined;
    default:
      return undefined;
  }
}

function readJson(text: string, from: number): unknown {
  if (from === text.length) return undefined;
  try {
    return JSON.parse(text.slice(from));
  } catch (cause) {
    throw new ProtocolError("a Socket.IO packet whose payload is not JSON", { cause });
  }
}

function pullOut(value: unknown, attachments: ArrayBuffer[]): unknown {
  const bytes = asBytes(value);
  if (bytes !== undefined) return { _placeholder: true, num: attachments.push(bytes) - 1 } satisfies Placeholder;
  if (Array.isArray(value)) return value.map((item) => pullOut(item, attachments));
  if (!isJson(value) || typeof value["toJSON"] === "function") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pullOut(item, attachments)]));
}

function putBack(value: unknown, attachments: readonly ArrayBuffer[]): unknown {
  if (Array.isArray(value)) return value.map((item) => putBack(item, attachments));
  if (!isJson(value)) return value;
  if (value["_placeholder"] === true) {
    const bytes = attachments[Number(value["num"])];
    if (bytes === undefined) throw new ProtocolError("a placeholder without an attachment");
    return bytes;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, putBack(item, attachments)]));
}

function asBytes(value: unknown): ArrayBuffer | undefined {
  if (value instanceof ArrayBuffer) return value;
  if (!ArrayBuffer.isView(value)) return undefined;
  return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) as ArrayBuffer;
}

function isEventName(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && !RESERVED_EVENTS.has(value));
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(text: string): ProtocolError {
  return new ProtocolError(`unreadable Socket.IO packet: ${JSON.stringify(text.slice(0, 40))}`);
}
