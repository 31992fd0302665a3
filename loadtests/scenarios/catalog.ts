/** The scenarios as data: what each is for, the settings it has, and their defaults. Pure: Node and k6 both load it. */

export const TRANSPORTS = ["polling", "upgrade", "websocket", "mixed"] as const;
export type TransportChoice = (typeof TRANSPORTS)[number];

export interface Settings {
  readonly clients: number;
  readonly durationMs: number;
  readonly transport: TransportChoice;
  readonly roomSize: number;
  readonly intervalMs: number;
  readonly payloadBytes: number;
  readonly churnMs: number;
  readonly ratePerSecond: number;
  readonly connectP95Ms: number;
  readonly deliveryP99Ms: number;
}

type Key = keyof Settings;

interface Setting<K extends Key> {
  /** As a flag of the runner: `--clients`; as a variable of k6: `LOAD_CLIENTS`. */
  readonly name: string;
  readonly placeholder: string;
  readonly help: string;
  /** @throws Error saying what is allowed */
  readonly parse: (text: string) => Settings[K];
}

export const SETTINGS: { readonly [K in Key]: Setting<K> } = {
  clients: { name: "clients", placeholder: "<n>", help: "clients at a time", parse: count(1, 20_000) },
  durationMs: {
    name: "duration",
    placeholder: "<time>",
    help: "how long, such as 30s, 10m or 2h",
    parse: duration(1_000, 86_400_000),
  },
  transport: { name: "transport", placeholder: "<name>", help: TRANSPORTS.join(", "), parse: choice },
  roomSize: { name: "room-size", placeholder: "<n>", help: "members of a room", parse: count(2, 1_000) },
  intervalMs: {
    name: "interval",
    placeholder: "<time>",
    help: "between two messages in a room",
    parse: duration(5, 600_000),
  },
  payloadBytes: { name: "payload", placeholder: "<bytes>", help: "text in each message", parse: count(0, 500_000) },
  churnMs: {
    name: "churn",
    placeholder: "<time>",
    help: "between two members of a room being replaced",
    parse: duration(50, 3_600_000),
  },
  ratePerSecond: { name: "rate", placeholder: "<n>", help: "new sessions a second", parse: count(1, 5_000) },
  connectP95Ms: {
    name: "connect-p95",
    placeholder: "<time>",
    help: "95 % of the handshakes must be faster",
    parse: duration(1, 60_000),
  },
  deliveryP99Ms: {
    name: "delivery-p99",
    placeholder: "<time>",
    help: "99 % of the deliveries must be faster",
    parse: duration(1, 60_000),
  },
};

export interface Scenario {
  readonly summary: string;
  /** As a user would write them; a setting without a default is none of this scenario. */
  readonly defaults: { readonly [K in Key]?: string };
}

const ROOM = { interval: "500ms", payload: "100", connectP95: "1s", deliveryP99: "500ms" } as const;

export const SCENARIOS = {
  smoke: {
    summary: "a few clients of every transport in small rooms: does everything work at all?",
    defaults: room({ clients: "12", duration: "10s", transport: "mixed", roomSize: "3" }),
  },
  connect: {
    summary: "handshakes at a steady rate, each with one echo, then gone: how fast can clients come?",
    defaults: {
      clients: "50",
      durationMs: "20s",
      transport: "mixed",
      ratePerSecond: "50",
      connectP95Ms: "500ms",
    },
  },
  fanout: {
    summary: "large rooms over WebSocket: what does a message to many cost?",
    defaults: room({ clients: "200", duration: "30s", transport: "websocket", roomSize: "50", interval: "250ms" }),
  },
  polling: {
    summary: "HTTP long-polling only, with larger messages: the requests that need stickiness most",
    defaults: room({ clients: "60", duration: "30s", transport: "polling", roomSize: "5", payload: "2000" }),
  },
  soak: {
    summary: "mixed transports for long, while clients leave and others come: does anything leak or get lost?",
    defaults: {
      ...room({ clients: "60", duration: "5m", transport: "mixed", roomSize: "6", interval: "1s" }),
      churnMs: "2s",
    },
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

export function variableOf(key: Key): string {
  return `LOAD_${SETTINGS[key].name.toUpperCase().replaceAll("-", "_")}`;
}

/** The settings that a scenario has, in the order of the table. */
export function settingsOf(name: ScenarioName): Key[] {
  return (Object.keys(SETTINGS) as Key[]).filter((key) => key in SCENARIOS[name].defaults);
}

/**
 * What is not given stands at the scenario's default; what the scenario does not have, at a default that it ignores.
 * @throws Error naming the setting, the value and what is allowed
 */
export function readSettings(name: ScenarioName, given: Readonly<Record<string, string | undefined>>): Settings {
  const defaults: Scenario["defaults"] = SCENARIOS[name].defaults;
  const read = <K extends Key>(key: K, unused: Settings[K]): Settings[K] => {
    const text = given[variableOf(key)] ?? defaults[key];
    if (text === undefined || defaults[key] === undefined) return unused;
    try {
      return SETTINGS[key].parse(text);
    } catch (cause) {
      throw new Error(`${SETTINGS[key].name} is ${JSON.stringify(text)}: ${(cause as Error).message}`, { cause });
    }
  };
  return {
    clients: read("clients", 1),
    durationMs: read("durationMs", 1_000),
    transport: read("transport", "mixed"),
    roomSize: read("roomSize", 2),
    intervalMs: read("intervalMs", 1_000),
    payloadBytes: read("payloadBytes", 0),
    churnMs: read("churnMs", Infinity),
    ratePerSecond: read("ratePerSecond", 1),
    connectP95Ms: read("connectP95Ms", 1_000),
    deliveryP99Ms: read("deliveryP99Ms", 1_000),
  };
}

function room(given: {
  clients: string;
  duration: string;
  transport: TransportChoice;
  roomSize: string;
  interval?: string;
  payload?: string;
}): Scenario["defaults"] {
  return {
    clients: given.clients,
    durationMs: given.duration,
    transport: given.transport,
    roomSize: given.roomSize,
    intervalMs: given.interval ?? ROOM.interval,
    payloadBytes: given.payload ?? ROOM.payload,
    connectP95Ms: ROOM.connectP95,
    deliveryP99Ms: ROOM.deliveryP99,
  };
}

function count(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`a whole number from ${min} to ${max}`);
    return value;
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    const valueMs = Number(number) * (UNITS_MS[unit] ?? NaN);
    if (valueMs >= minMs && valueMs <= maxMs) return valueMs;
    throw new Error(`a time such as 500ms, 30s or 10m, from ${minMs} ms to ${maxMs} ms`);
  };
}

function choice(text: string): TransportChoice {
  const found = TRANSPORTS.find((name) => name === text);
  if (found === undefined) throw new Error(`one of ${TRANSPORTS.join(", ")}`);
  return found;
}
