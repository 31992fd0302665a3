/** How what a worker says to the other workers of its node gets there. Whatever the way, what one worker says arrives in order. */
import type { Publish } from "../link/messages.js";
import type { EventOptions, Payload } from "../link/payload.js";

export type PublishHeader = Omit<Publish, "t" | "bin">;

export interface ReplyHeader {
  /** wid of the worker that asked. */
  readonly to: number;
  readonly nsp: string;
  readonly type: number;
}

/** What a way needs of the port. */
export interface RouteHost {
  /** Number of the last batch of changes that holds a join and that the hub has not confirmed; 0: it knows of every join. */
  readonly unknownJoins: number;
  /** Number that the next batch will carry. */
  readonly nextBatch: number;
  /** Nothing is written to any client before the hub has confirmed that batch. */
  holdEveryone(batch: number): void;
  /** The workers that a request went to. */
  expect(req: string, wids: readonly number[]): void;
}

export interface HubRoute {
  /** Call once, before anything is said. */
  attach(host: RouteHost): void;
  /** @param args name and arguments, as a JSON array @param seq its number, where clients that are away are to get it later */
  publishEvent(nsp: string, args: string, opts: EventOptions, seq?: number): void;
  /** @returns false where it went nowhere because too much waits; counted then */
  publish(header: PublishHeader, payload: Payload): boolean;
  reply(header: ReplyHeader, payload: Payload): void;
  /** Lets what was said leave now. */
  flush(): void;
  /** The hub has confirmed that batch: what is said now may be about it. Called before clients hear of it. */
  onKnown(batch: number): void;
  /** That worker is no more. */
  onGone(wid: number): void;
}
