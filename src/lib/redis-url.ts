/** Reads where Redis is from one URL: one server, a master behind Sentinel, or a cluster. */

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

export interface RedisPlace {
  readonly kind: "standalone" | "sentinel" | "cluster";
  /** Of the server, the sentinels, or some of the cluster's nodes; at least one. */
  readonly hosts: readonly [RedisHost, ...RedisHost[]];
  /** Name of the master, behind Sentinel. */
  readonly master: string | undefined;
  readonly database: number;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

export const REDIS_URL_FORMS =
  "redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://[USER:PASSWORD@]HOST:PORT,…/MASTER[/DB] or redis+cluster://[USER:PASSWORD@]HOST:PORT,…, with rediss for TLS";

const SCHEME = /^redis(s?)(?:\+(sentinel|cluster))?:\/\//;
const DEFAULT_PORTS = { standalone: 6379, sentinel: 26_379, cluster: 6379 } as const;
const HOST = /^(?:([A-Za-z0-9_.-]+)|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/;

/** @returns undefined where the text has none of {@link REDIS_URL_FORMS} */
export function parseRedisUrl(text: string): RedisPlace | undefined {
  const scheme = SCHEME.exec(text);
  if (scheme === null) return undefined;
  const kind = (scheme[2] ?? "standalone") as RedisPlace["kind"];
  const [authority = "", ...path] = text.slice(scheme[0].length).split("/");
  const at = authority.lastIndexOf("@");
  const login = at < 0 ? [] : authority.slice(0, at).split(/:(.*)/s, 2);
  const hosts = authority
    .slice(at + 1)
    .split(",")
    .map((host) => parseHost(host, DEFAULT_PORTS[kind]));
  const [first, ...others] = hosts;
  const [username, password] = login.map(decode);
  const master = kind === "sentinel" ? decode(path.shift() ?? "") : undefined;
  const database = path.shift() ?? "";
  if (first === undefined || others.includes(undefined) || (kind === "standalone" && others.length > 0))
    return undefined;
  if (master === "" || path.length > 0 || !/^\d{0,5}$/.test(database)) return undefined;
  if (kind === "cluster" && database !== "" && database !== "0") return undefined;
  return {
    kind,
    hosts: [first, ...(others as RedisHost[])],
    master,
    database: Number(database),
    tls: scheme[1] === "s",
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password,
  };
}

/** The URL as it may be shown: without its password. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z+]+:\/\/[^:@/]*):.*@/s, "$1:***@");
}

function parseHost(text: string, defaultPort: number): RedisHost | undefined {
  const [, name, ipv6, port] = HOST.exec(text) ?? [];
  const host = name ?? ipv6;
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  return { host, port: port === undefined ? defaultPort : Number(port) };
}

/** Text that is no valid percent-encoding is taken as it is. */
function decode(text: string): string {
  return /%(?![0-9A-Fa-f]{2})/.test(text) ? text : decodeURIComponent(text);
}
