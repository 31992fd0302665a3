/**
 * Who is where: the members of a room and the list of rooms, over all workers.
 *
 * Channels live in Socket.IO rooms of their own prefix, so that no channel can be named after somebody's socket id.
 * When a worker does not answer, the answer is what this worker knows, marked `partial`.
 */
import type { RemoteSocket, Server } from "socket.io";
import type { Logger } from "pino";
import { Coalescer } from "./coalescer.js";
import { LIMITS, type Member, type MemberList, type RoomList } from "./protocol.js";

const PREFIX = "channel:";
const ROOMS_EVENT = "channels:rooms";

type RoomCounts = readonly (readonly [room: string, members: number])[];

export const toSocketRoom = (channel: string): string => PREFIX + channel;

/** The channels among a socket's rooms. */
export const channelsOf = (rooms: Iterable<string>): string[] =>
  [...rooms].filter((room) => room.startsWith(PREFIX)).map((room) => room.slice(PREFIX.length));

export class Directory {
  readonly #io: Server;
  readonly #log: Logger;
  readonly #members = new Coalescer<MemberList>();
  readonly #rooms = new Coalescer<RoomList>();

  constructor(io: Server, log: Logger) {
    this.#io = io;
    this.#log = log;
    io.on(ROOMS_EVENT, (reply: (counts: RoomCounts) => void) => {
      reply(this.#localRooms());
    });
  }

  members(channel: string): Promise<MemberList> {
    return this.#members.run(channel, async () => {
      const members = this.#io.in(toSocketRoom(channel));
      try {
        return toMemberList(await members.fetchSockets(), false);
      } catch (error) {
        this.#log.warn({ err: error, channel }, "members of other workers are missing");
        return toMemberList(await members.local.fetchSockets(), true);
      }
    });
  }

  rooms(): Promise<RoomList> {
    return this.#rooms.run("", async () => {
      try {
        const others = (await this.#io.serverSideEmitWithAck(ROOMS_EVENT)) as RoomCounts[];
        return toRoomList([this.#localRooms(), ...others], false);
      } catch (error) {
        this.#log.warn({ err: error }, "rooms of other workers are missing");
        return toRoomList([this.#localRooms()], true);
      }
    });
  }

  /** The busiest of this worker, a few times more than are listed: a sum over workers may rank them differently. */
  #localRooms(): RoomCounts {
    const counts: (readonly [string, number])[] = [];
    for (const [room, sockets] of this.#io.of("/").adapter.rooms) {
      if (room.startsWith(PREFIX)) counts.push([room.slice(PREFIX.length), sockets.size]);
    }
    return counts.sort(byCount).slice(0, 4 * LIMITS.roomsListed);
  }
}

const byCount = (a: readonly [string, number], b: readonly [string, number]): number =>
  b[1] - a[1] || a[0].localeCompare(b[0]);

function toRoomList(answers: readonly RoomCounts[], partial: boolean): RoomList {
  const sums = new Map<string, number>();
  for (const [room, members] of answers.flat()) sums.set(room, (sums.get(room) ?? 0) + members);
  const busiest = [...sums].sort(byCount).slice(0, LIMITS.roomsListed);
  return { rooms: busiest.map(([room, members]) => ({ room, members })), partial };
}

type Listed = Pick<RemoteSocket<Record<string, never>, { member?: Member }>, "id" | "data">;

function toMemberList(sockets: readonly Listed[], partial: boolean): MemberList {
  const members = sockets.flatMap(({ data }) => (data.member === undefined ? [] : [data.member]));
  return { members: members.slice(0, LIMITS.membersListed), count: members.length, partial };
}
