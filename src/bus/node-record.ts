/** What a node says of itself to its fleet, and how that is written in Redis. */

export interface NodeRecord {
  /** Random, for its process's life. */
  readonly uid: string;
  /** HOST:PORT where its siblings reach it; null until it listens. */
  readonly address: string | null;
  readonly version: string;
  readonly workers: number;
  readonly sessions: number;
  /** How far it is behind the stream; null where it does not know. */
  readonly lagSeconds: number | null;
  /** By its own wall clock. */
  readonly startedAtMs: number;
  /** Whether its id was given to it, and not leased. */
  readonly fixed: boolean;
}

export interface FleetNode extends NodeRecord {
  readonly id: number;
}

/** @returns undefined where the text is no record: somebody else wrote it */
export function parseNodeRecord(text: string): NodeRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { uid, address, version, workers, sessions, lagSeconds, startedAtMs, fixed } = value as Record<string, unknown>;
  if (typeof uid !== "string" || typeof version !== "string" || typeof fixed !== "boolean") return undefined;
  if (typeof workers !== "number" || typeof sessions !== "number" || typeof startedAtMs !== "number") return undefined;
  if (address !== null && typeof address !== "string") return undefined;
  if (lagSeconds !== null && typeof lagSeconds !== "number") return undefined;
  return { uid, address, version, workers, sessions, lagSeconds, startedAtMs, fixed };
}

export function formatNodeRecord(record: NodeRecord): string {
  return JSON.stringify(record);
}
