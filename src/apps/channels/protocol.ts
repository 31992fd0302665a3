/**
 * What travels between a channels client and the app: limits, inputs and answers.
 *
 * Each event a client sends takes one object and an acknowledgement. The answer is `{ ok: true, … }` or
 * `{ ok: false, error: { code, message } }`; a client that sends no acknowledgement gets no answer.
 *
 *   whoami         ->  id, node, worker, pid, transport, limits
 *   rtt            ->  nothing: the time it takes is the point
 *   room:list      ->  rooms, partial
 *   room:join      { room, name }    ->  room, member
 *   room:leave     { room }          ->  room
 *   room:members   { room }          ->  room, members, count, partial
 *   room:publish   { room, text }    ->  room, id, at (ms since 1970)
 *   room:image     { room, image }   ->  room, id, at, type
 *   room:typing    { room, typing }  ->  nothing
 *
 * The other members of a room hear `member:joined` and `member:left` { room, member }, `message`
 * { room, id, at, from, text }, `image` { room, id, at, from, type, image } and `typing` { room, from, typing }.
 *
 * With recovery on each of these has one more argument, which only Socket.IO's client needs. A client that was recovered is in its rooms; the other
 * members hear `member:joined` of it, with the same id.
 */
import { z } from "zod";

export const LIMITS = {
  nameChars: 32,
  roomChars: 64,
  textChars: 4000,
  roomsPerSocket: 20,
  /** Over polling an image travels as base64: four thirds of this still fit Socket.IO's default maxHttpBufferSize. */
  imageBytes: 700_000,
  membersListed: 200,
  roomsListed: 100,
} as const;

/** Control characters, lone surrogates, and the marks that make text run backwards over its neighbours. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/u;
/** As above, but a text may have lines. */
const NOT_TEXT = /[\p{Cs}\u202A-\u202E\u2066-\u2069]|(?![\n\t])\p{Cc}/u;

/** The length is checked before anything else looks at the string, so a long one costs nothing. */
const label = (maxChars: number): z.ZodType<string> =>
  z
    .string()
    .max(maxChars)
    .transform((value) => value.trim().normalize("NFC"))
    .pipe(
      z
        .string()
        .min(1, "must not be empty")
        .refine((value) => !UNPRINTABLE.test(value), "must not have control characters"),
    );

const room = label(LIMITS.roomChars);

export const INPUTS = {
  whoami: z.unknown(),
  rtt: z.unknown(),
  "room:list": z.unknown(),
  "room:join": z.object({ room, name: label(LIMITS.nameChars) }),
  "room:leave": z.object({ room }),
  "room:members": z.object({ room }),
  "room:publish": z.object({
    room,
    text: z
      .string()
      .max(LIMITS.textChars)
      .refine((text) => text.trim() !== "", "must not be empty")
      .refine((text) => !NOT_TEXT.test(text), "must not have control characters"),
  }),
  "room:image": z.object({ room, image: z.instanceof(Uint8Array, { message: "must be binary" }) }),
  "room:typing": z.object({ room, typing: z.boolean() }),
} as const satisfies Record<string, z.ZodType>;

export type EventName = keyof typeof INPUTS;
export type Input<E extends EventName> = z.output<(typeof INPUTS)[E]>;

export type ErrorCode =
  "invalid" | "unknown_event" | "not_a_member" | "too_many_rooms" | "image_too_large" | "image_type" | "internal";

export interface Failure {
  readonly ok: false;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export type Success = { readonly ok: true } & Readonly<Record<string, unknown>>;
export type Answer = Success | Failure;

/** A member as others see it. `id` is the socket's, so a client that reconnects without being recovered is a new member. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly node: number;
  readonly worker: number;
}

/** `count` is that of the whole room; `partial` says that a worker did not answer and its members are missing. */
export interface MemberList {
  readonly members: readonly Member[];
  readonly count: number;
  readonly partial: boolean;
}

/** The busiest rooms, at most {@link LIMITS.roomsListed}; `partial` as in {@link MemberList}. */
export interface RoomList {
  readonly rooms: readonly { readonly room: string; readonly members: number }[];
  readonly partial: boolean;
}

export const failure = (code: ErrorCode, message: string): Failure => ({ ok: false, error: { code, message } });

export const isEventName = (event: string): event is EventName => Object.hasOwn(INPUTS, event);

/** One line for a client's developer: which key is wrong, and what is allowed. */
export function describeProblem(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => `${path.length === 0 ? "payload" : path.join(".")}: ${message}`)
    .join("; ");
}
