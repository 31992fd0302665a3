/**
 * Who wants which room: for each namespace the members that have it open, those that have sockets in it, and those that have sockets in a room.
 * The hub asks it where a message must go; it holds no wire and no clock.
 *
 * Every socket is in a room of its own id. That names the member it is with, which need not report it: it counts as a member of every room that it may have
 * named. Most other rooms have one member, so a room holds the member itself until a second one joins.
 */
import { namedBy } from "./address.js";

export class Interest<Member extends object> {
  readonly #namespaces = new Map<string, NamespaceInterest<Member>>();
  /** By what the ids of their sockets begin with. */
  readonly #named = new Map<string, Member>();

  get namespaceCount(): number {
    return this.#namespaces.size;
  }

  /** @param prefix what the ids of its sockets begin with: rooms named so are its own, wherever it has sockets */
  name(prefix: string, member: Member): void {
    this.#named.set(prefix, member);
  }

  /** @returns whether it is the first that has it open */
  open(nsp: string, member: Member): boolean {
    let entry = this.#namespaces.get(nsp);
    const isFirst = entry === undefined;
    if (entry === undefined)
      this.#namespaces.set(nsp, (entry = { open: new Set(), occupied: new Set(), rooms: new Map() }));
    entry.open.add(member);
    return isFirst;
  }

  /**
   * Forgets the member's rooms of that namespace too; the namespace itself goes with its last member.
   * @returns whether it was the last
   */
  close(nsp: string, member: Member): boolean {
    const entry = this.#namespaces.get(nsp);
    if (entry === undefined) return false;
    entry.open.delete(member);
    entry.occupied.delete(member);
    if (entry.open.size === 0) {
      this.#namespaces.delete(nsp);
      return true;
    }
    for (const room of [...entry.rooms.keys()]) removeFrom(entry.rooms, room, member);
    return false;
  }

  occupy(nsp: string, member: Member): void {
    this.#namespaces.get(nsp)?.occupied.add(member);
  }

  vacate(nsp: string, member: Member): void {
    this.#namespaces.get(nsp)?.occupied.delete(member);
  }

  join(nsp: string, room: string, member: Member): void {
    const rooms = this.#namespaces.get(nsp)?.rooms;
    if (rooms === undefined) return;
    const present = rooms.get(room);
    if (present === undefined) rooms.set(room, member);
    else if (present instanceof Set) present.add(member);
    else if (present !== member) rooms.set(room, new Set([present, member]));
  }

  leave(nsp: string, room: string, member: Member): void {
    const rooms = this.#namespaces.get(nsp)?.rooms;
    if (rooms !== undefined) removeFrom(rooms, room, member);
  }

  /** The rooms of that namespace in which it has reported members. */
  roomsOf(nsp: string, member: Member): string[] {
    const rooms = this.#namespaces.get(nsp)?.rooms ?? [];
    return [...rooms].flatMap(([room, present]) =>
      present === member || (present instanceof Set && present.has(member)) ? [room] : [],
    );
  }

  /** Forgets a member everywhere. @returns the namespaces that went with it */
  remove(member: Member): string[] {
    for (const [prefix, named] of this.#named) if (named === member) this.#named.delete(prefix);
    return [...this.#namespaces.keys()].filter((nsp) => this.close(nsp, member));
  }

  /** Members that have the namespace open, with sockets in it or not. */
  opened(nsp: string): ReadonlySet<Member> {
    return this.#namespaces.get(nsp)?.open ?? NOBODY;
  }

  /** Whether there are {@link members}. */
  hasMembers(nsp: string, rooms: readonly string[]): boolean {
    const entry = this.#namespaces.get(nsp);
    if (entry === undefined) return false;
    if (rooms.length === 0) return entry.occupied.size > 0;
    for (const room of rooms) if (entry.rooms.has(room) || this.#ownerOf(room, entry) !== undefined) return true;
    return false;
  }

  /** Members with at least one socket in one of the rooms; in the namespace, where `rooms` is empty. The set is the caller's. */
  members(nsp: string, rooms: readonly string[]): Set<Member> {
    const entry = this.#namespaces.get(nsp);
    if (entry === undefined || rooms.length === 0) return new Set(entry?.occupied);
    const found = new Set<Member>();
    for (const room of rooms) {
      const owner = this.#ownerOf(room, entry);
      if (owner !== undefined) found.add(owner);
      const present = entry.rooms.get(room);
      if (present === undefined) continue;
      if (present instanceof Set) for (const member of present) found.add(member);
      else found.add(present);
    }
    return found;
  }

  #ownerOf(room: string, { occupied }: NamespaceInterest<Member>): Member | undefined {
    const prefix = namedBy(room);
    const owner = prefix === undefined ? undefined : this.#named.get(prefix);
    return owner !== undefined && occupied.has(owner) ? owner : undefined;
  }

  /** Rooms known over all namespaces. */
  get roomCount(): number {
    let count = 0;
    for (const { rooms } of this.#namespaces.values()) count += rooms.size;
    return count;
  }
}

interface NamespaceInterest<Member> {
  readonly open: Set<Member>;
  readonly occupied: Set<Member>;
  readonly rooms: Map<string, Member | Set<Member>>;
}

const NOBODY: ReadonlySet<never> = new Set();

function removeFrom<Member>(rooms: Map<string, Member | Set<Member>>, room: string, member: Member): void {
  const present = rooms.get(room);
  if (present === member) rooms.delete(room);
  else if (present instanceof Set && present.delete(member) && present.size === 0) rooms.delete(room);
}
