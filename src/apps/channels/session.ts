/**
 * One socket of the channels app. Nothing a client sends can throw: inputs are checked first, and what fails later is
 * logged and answered as `internal`.
 */
import { randomUUID } from "node:crypto";
import type { Counter } from "prom-client";
import type { Socket } from "socket.io";
import type { Limpet } from "../contract.js";
import { channelsOf, toSocketRoom, type Directory } from "./directory.js";
import { imageType } from "./image-type.js";
import {
  describeProblem,
  failure,
  INPUTS,
  isEventName,
  LIMITS,
  type Answer,
  type EventName,
  type Failure,
  type Input,
  type Member,
} from "./protocol.js";

export type EventCounter = Counter<"event" | "outcome">;
type Handlers = { readonly [E in EventName]: (input: Input<E>) => Answer | Promise<Answer> };

export interface SessionContext {
  readonly limpet: Limpet;
  readonly directory: Directory;
  readonly events: EventCounter;
  readonly maxImageBytes: number;
}

export class Session {
  readonly #socket: Socket;
  readonly #context: SessionContext;
  readonly #handlers: Handlers = {
    whoami: () => this.#whoami(),
    rtt: () => ({ ok: true }),
    "room:list": async () => ({ ok: true, ...(await this.#context.directory.rooms()) }),
    "room:join": (input) => this.#join(input),
    "room:leave": (input) => this.#leave(input),
    "room:members": (input) => this.#members(input),
    "room:publish": (input) => this.#publish(input),
    "room:image": (input) => this.#image(input),
    "room:typing": (input) => this.#typing(input),
  };

  constructor(socket: Socket, context: SessionContext) {
    this.#socket = socket;
    this.#context = context;
    socket.onAny((event: unknown, ...args: unknown[]) => {
      void this.#dispatch(String(event), args);
    });
    socket.on("disconnecting", () => {
      for (const room of channelsOf(socket.rooms)) this.#announce("member:left", room);
    });
    if (socket.recovered) this.#returned();
  }

  /** In its rooms again, perhaps on another worker: the others were told that it left, or its worker died without a word. */
  #returned(): void {
    const { node, worker } = this.#context.limpet;
    if (this.#member === undefined) return;
    (this.#socket.data as { member?: Member }).member = { ...this.#member, node: node.id, worker: worker.slot };
    this.#keep();
    for (const room of channelsOf(this.#socket.rooms)) this.#announce("member:joined", room);
  }

  /** A worker that dies must not leave somebody in a room without a name. Nobody waits for it: it goes with the join. */
  #keep(): void {
    const { limpet } = this.#context;
    limpet.checkpoint(this.#socket).catch((error: unknown) => {
      limpet.log.debug({ err: error }, "who a socket is could not be kept");
    });
  }

  /** Never rejects. */
  async #dispatch(event: string, args: readonly unknown[]): Promise<void> {
    const known = isEventName(event);
    const answer = known
      ? await this.#answer(event, args[0])
      : failure("unknown_event", `there is no such event; there are ${Object.keys(INPUTS).join(", ")}`);
    this.#context.events.inc({
      event: known ? event : "unknown",
      outcome: answer.ok ? "ok" : answer.error.code,
    });
    const acknowledge = args.at(-1);
    if (typeof acknowledge === "function") (acknowledge as (answer: Answer) => void)(answer);
  }

  async #answer<E extends EventName>(event: E, payload: unknown): Promise<Answer> {
    const parsed = INPUTS[event].safeParse(payload);
    if (!parsed.success) return failure("invalid", describeProblem(parsed.error));
    try {
      return await this.#handlers[event](parsed.data as Input<E>);
    } catch (error) {
      this.#context.limpet.log.error({ err: error, event }, "a channels event failed");
      return failure("internal", "the server could not do this; its log says why");
    }
  }

  #whoami(): Answer {
    const { node, worker } = this.#context.limpet;
    return {
      ok: true,
      id: this.#socket.id,
      node: node.id,
      worker: worker.slot,
      pid: worker.pid,
      transport: this.#socket.conn.transport.name,
      limits: { ...LIMITS, imageBytes: this.#context.maxImageBytes },
    };
  }

  async #join({ room, name }: Input<"room:join">): Promise<Answer> {
    const joined = channelsOf(this.#socket.rooms);
    if (!joined.includes(room) && joined.length >= LIMITS.roomsPerSocket) {
      return failure("too_many_rooms", `one connection can be in ${LIMITS.roomsPerSocket} rooms`);
    }
    const renamed = this.#member?.name !== name;
    const { node, worker } = this.#context.limpet;
    const member: Member = { id: this.#socket.id, name, node: node.id, worker: worker.slot };
    (this.#socket.data as { member?: Member }).member = member;
    this.#keep();
    await this.#socket.join(toSocketRoom(room));
    // Gone meanwhile: its leaving was announced, and nothing may follow that.
    if (!this.#socket.connected) return notAMember;
    for (const told of new Set(renamed ? [...joined, room] : [room])) this.#announce("member:joined", told);
    return { ok: true, room, member };
  }

  async #leave({ room }: Input<"room:leave">): Promise<Answer> {
    return this.#asMember(room, async () => {
      this.#announce("member:left", room);
      await this.#socket.leave(toSocketRoom(room));
      return { ok: true, room };
    });
  }

  #members({ room }: Input<"room:members">): Promise<Answer> {
    return this.#asMember(room, async () => ({ ok: true, room, ...(await this.#context.directory.members(room)) }));
  }

  #publish({ room, text }: Input<"room:publish">): Promise<Answer> {
    return this.#asMember(room, (from) => {
      const sent = { room, id: randomUUID(), at: Date.now() };
      this.#others(room).emit("message", { ...sent, from, text });
      return { ok: true, ...sent };
    });
  }

  #image({ room, image }: Input<"room:image">): Promise<Answer> {
    return this.#asMember(room, (from) => {
      const { maxImageBytes } = this.#context;
      if (image.byteLength > maxImageBytes) {
        return failure("image_too_large", `an image can have ${maxImageBytes} bytes, this one has ${image.byteLength}`);
      }
      const type = imageType(image);
      if (type === undefined) return failure("image_type", "an image must be PNG, JPEG, GIF or WebP");
      const sent = { room, id: randomUUID(), at: Date.now(), type };
      this.#others(room).emit("image", { ...sent, from, image });
      return { ok: true, ...sent };
    });
  }

  #typing({ room, typing }: Input<"room:typing">): Promise<Answer> {
    return this.#asMember(room, (from) => {
      this.#others(room).volatile.emit("typing", { room, from, typing });
      return { ok: true };
    });
  }

  async #asMember(room: string, action: (from: Member) => Answer | Promise<Answer>): Promise<Answer> {
    const member = this.#member;
    if (member === undefined || !this.#socket.rooms.has(toSocketRoom(room))) return notAMember;
    return action(member);
  }

  #announce(event: "member:joined" | "member:left", room: string): void {
    this.#others(room).emit(event, { room, member: this.#member });
  }

  #others(room: string): ReturnType<Socket["to"]> {
    return this.#socket.to(toSocketRoom(room));
  }

  get #member(): Member | undefined {
    return (this.#socket.data as { member?: Member }).member;
  }
}

const notAMember: Failure = failure("not_a_member", "join the room first");
