/** How many rooms a socket may be in. */
import type { Room, SocketId } from "socket.io-adapter";

/** What a join that was refused rejects with. */
export class TooManyRoomsError extends Error {
  override readonly name = "TooManyRoomsError";
  readonly code = "LIMPET_TOO_MANY_ROOMS";
}

export class RoomBound {
  readonly #maxRooms: number;
  readonly #onRefused: (id: SocketId) => void;

  constructor(maxRooms: number, onRefused: (id: SocketId) => void) {
    this.#maxRooms = maxRooms;
    this.#onRefused = onRefused;
  }

  /**
   * @param joined rooms the socket is in; its own, which has its id, is not counted
   * @returns a rejected promise where these would be too many. Nobody need take notice of it: a join that is not awaited, as most are, must not end
   * the worker.
   */
  refuse(id: SocketId, joined: ReadonlySet<Room> | undefined, rooms: ReadonlySet<Room>): Promise<never> | undefined {
    let count = joined === undefined ? 0 : joined.size - (joined.has(id) ? 1 : 0);
    const before = count;
    for (const room of rooms) if (room !== id && joined?.has(room) !== true) count++;
    if (count <= this.#maxRooms || count === before) return undefined;
    this.#onRefused(id);
    const refusal = Promise.reject(
      new TooManyRoomsError(`the socket would be in ${count} rooms, and client.maxRooms is ${this.#maxRooms}`),
    );
    refusal.catch(() => undefined);
    return refusal;
  }
}
