/** What a load process does when it is told so, and what it answers. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Tasks {
  /** Fills rooms with members, which take turns on the ports. */
  openRooms(options: RoomsOptions): Promise<void>;
  /** Publishes to the rooms in turn, by each member in turn, and waits until every member of each has heard it. @throws Error where a message does not arrive */
  publish(options: PublishOptions): Promise<Latency>;
  /** Opens sessions and keeps them; the time is from the first byte to the namespace. */
  openSessions(options: OpenOptions): Promise<Latency>;
  /** The same with sessions that come back as soon as the server ends them, with what they know of themselves. */
  openReturning(options: OpenOptions): Promise<Latency>;
  /** Once each has come back; the time is from the end of its connection to the namespace. @throws Error where that takes too long */
  comeBack(): Promise<Return>;
  openPolling(options: { readonly port: number; readonly clients: number }): Promise<void>;
  /** Every polling client echoes that often; the time is that of one cycle. */
  echo(options: { readonly cycles: number }): Promise<Latency>;
  /** Closes everything it has opened. */
  closeAll(): Promise<void>;
}

export interface Return {
  /** Those that have the id they had before. */
  readonly recovered: number;
  /** Times that one had to try again. */
  readonly refused: number;
  readonly latency: Latency;
}

export interface RoomsOptions {
  readonly ports: readonly number[];
  readonly rooms: number;
  /** Of each room. */
  readonly members: number;
}

export interface PublishOptions {
  readonly publishes: number;
  readonly perSecond: number;
  /** Of a message, about. */
  readonly messageBytes: number;
}

export interface OpenOptions {
  /** They take turns on them. */
  readonly ports: readonly number[];
  readonly count: number;
  /** How many open at the same time. */
  readonly together: number;
  /** Addresses they come from, in turn. */
  readonly from?: readonly string[];
}

export type TaskName = keyof Tasks;
export interface Order {
  readonly task: TaskName;
  readonly options: unknown;
}
export type Answer = { readonly result: unknown } | { readonly error: string };
