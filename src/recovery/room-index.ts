/**
 * Where in the log the messages for a room stand: positions by namespace and room, in growing order. Rooms with one message, such as those of single
 * clients, hold its position alone.
 */
import { Fifo } from "./fifo.js";

type Positions = number | Fifo<number>;

interface NamespaceIndex {
  readonly rooms: Map<string, Positions>;
  /** Of messages to everyone. */
  readonly everyone: Fifo<number>;
}

export class RoomIndex {
  readonly #namespaces = new Map<string, NamespaceIndex>();

  get roomCount(): number {
    let count = 0;
    for (const { rooms } of this.#namespaces.values()) count += rooms.size;
    return count;
  }

  /** @param pos larger than any before */
  add(nsp: string, rooms: readonly string[], pos: number): void {
    let index = this.#namespaces.get(nsp);
    if (index === undefined) this.#namespaces.set(nsp, (index = { rooms: new Map(), everyone: new Fifo() }));
    if (rooms.length === 0) index.everyone.push(pos);
    for (const room of rooms) addTo(index.rooms, room, pos);
  }

  /** Of the oldest message there is. */
  removeOldest(nsp: string, rooms: readonly string[], pos: number): void {
    const index = this.#namespaces.get(nsp);
    if (index === undefined) return;
    if (rooms.length === 0) index.everyone.shift();
    for (const room of rooms) removeFrom(index.rooms, room, pos);
    if (index.rooms.size === 0 && index.everyone.length === 0) this.#namespaces.delete(nsp);
  }

  /** Positions behind `after` of messages to the room; `undefined`: of those to everyone. */
  *behind(nsp: string, room: string | undefined, after: number): Iterable<number> {
    const index = this.#namespaces.get(nsp);
    const positions = room === undefined ? index?.everyone : index?.rooms.get(room);
    if (positions === undefined) return;
    if (typeof positions === "number") {
      if (positions > after) yield positions;
      return;
    }
    for (let i = positions.firstIndex((pos) => pos > after); i < positions.length; i++) yield positions.at(i) as number;
  }
}

function addTo(rooms: Map<string, Positions>, room: string, pos: number): void {
  const present = rooms.get(room);
  if (present === undefined) {
    rooms.set(room, pos);
  } else if (typeof present === "number") {
    // The same room twice in one message.
    if (present === pos) return;
    const positions = new Fifo<number>();
    positions.push(present);
    positions.push(pos);
    rooms.set(room, positions);
  } else if (present.at(present.length - 1) !== pos) {
    present.push(pos);
  }
}

function removeFrom(rooms: Map<string, Positions>, room: string, pos: number): void {
  const present = rooms.get(room);
  if (present === pos) rooms.delete(room);
  else if (present instanceof Fifo && present.at(0) === pos && present.shift() !== undefined && present.length === 0)
    rooms.delete(room);
}
