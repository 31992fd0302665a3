/**
 * Writes nginx's configuration for a fleet of nodes. A pure function: what is decided here is how nginx and the gateway fit together, and each
 * decision stands as a comment in the text it makes, for those who run it.
 */
import { nodePrefix, sidPrefix } from "../routing/address.js";
import { slotPortCount, slotPortOf } from "../routing/slot-ports.js";

export interface FleetNode {
  /** The node's number, as in `--node-id`. */
  readonly id: number;
  /** `host:port` of its clients' port. */
  readonly address: string;
}

export interface NginxOptions {
  /** At least one; no two with the same number. */
  readonly nodes: readonly FleetNode[];
  /** Workers of a node. */
  readonly workers: number;
  /** First of the ports at which each worker of a node can be reached by itself; null where there are none. */
  readonly slotPorts: number | null;
  /** As behind nginx's `listen`. */
  readonly listen: string;
  /** As behind nginx's `server_name`. */
  readonly serverName: string;
  /** Socket.IO's path with its trailing slash. */
  readonly enginePath: string;
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly maxHttpBufferBytes: number;
  /** How long the gateway keeps an idle connection. */
  readonly gatewayKeepAliveMs: number;
  /** Whether to write a whole nginx.conf rather than a file for its `http` block. */
  readonly full: boolean;
}

/** Idle connections that each nginx process keeps for one worker of the gateway. */
const IDLE_CONNECTIONS = 128;
/** The pools close their idle connections this much earlier than the gateway does. */
const POOL_SHARE = 0.8;
/** On top of the longest silence of a healthy session. */
const READ_SLACK_MS = 15_000;
const WORKER_CONNECTIONS = 16_384;

export function nginxConfig(options: NginxOptions): string {
  const slots = slotPortCount(options.workers);
  const http = [routing(options, slots), newSessions(options), nodes(options), pools(options, slots), server(options)];
  const text = http.join("\n");
  return options.full ? standalone(text) : `${HEADER}\n${text}`;
}

/** The time after which a pool closes an idle connection: well before the gateway does. */
export function poolIdleMs(gatewayKeepAliveMs: number): number {
  return Math.max(1, Math.floor(gatewayKeepAliveMs * POOL_SHARE));
}

const HEADER = `# Made by \`limpet nginx\`: make it anew rather than edit it.
# It belongs inside the http block of nginx.conf, as in /etc/nginx/conf.d/limpet.conf.
`;

function standalone(http: string): string {
  return `# Made by \`limpet nginx --full\`: make it anew rather than edit it.

worker_processes auto;
# Two descriptors for each client: one to it, one to the gateway.
worker_rlimit_nofile ${2 * WORKER_CONNECTIONS + 1024};

events {
  worker_connections ${WORKER_CONNECTIONS};
}

http {
  server_tokens off;

${indent(http)}}
`;
}

function routing({ nodes }: NginxOptions, slots: number): string {
  const rules = nodes.flatMap(({ id }) => [
    ...range(slots).map((slot) => rule(sidPrefix({ node: id, slot }), 17, poolName(id, slot))),
    rule(nodePrefix(id), 18, nodeName(id)),
  ]);
  return `# A session id begins with the address of its owner: two characters for the node, one for the worker. These are regular expressions
# because ids are case-sensitive, and plain strings in a map are not. What is no id of this fleet goes where new sessions go, and the
# gateway answers it. nginx takes the first parameter named sid, in any case; a client that sends several reaches its session through the
# gateway's own forwarding.
map $arg_sid $limpet_upstream {
  default limpet_new;
${rules.join("\n")}
}

# Upgrade is a header of one hop: it is passed on for WebSocket and nothing else. An empty Connection keeps connections of the pools alive.
map $http_upgrade $limpet_upgrade {
  default "";
  "~*^websocket$" websocket;
}
map $limpet_upgrade $limpet_connection {
  default "";
  websocket upgrade;
}

# The request that opens a session: a GET without an id. Nothing else is ever sent twice.
map $request_method:$arg_sid $limpet_is_new {
  default 0;
  "GET:" 1;
}
`;
}

/** @param rest characters of a session id behind the prefix */
function rule(prefix: string, rest: number, upstream: string): string {
  return `  "~^${prefix}[A-Za-z0-9_-]{${rest}}$" ${upstream};`;
}

function newSessions({ nodes }: NginxOptions): string {
  return `# New sessions, and everything that is not Socket.IO's. No connection is kept alive here: the gateway chooses a worker for each
# connection, and a handshake on a used one would go to the worker of the handshake before it.
upstream limpet_new {
  zone limpet_new 256k;
  least_conn;
${nodes.map(({ address }) => `  server ${address} max_fails=3 fail_timeout=5s;`).join("\n")}
}

# New sessions that one node has refused. A refusal counts as a failure where the next node is tried for it: nobody is left out here for that.
upstream limpet_again {
  zone limpet_again 256k;
  random two least_conn;
${nodes.map(({ address }) => `  server ${address} max_fails=0;`).join("\n")}
}
`;
}

function nodes({ nodes }: NginxOptions): string {
  const upstreams = nodes.map(({ id, address }) => `upstream ${nodeName(id)} { server ${address}; }`);
  return `# Sessions of a worker that has no pool below: the right node, by connections of one request.
${upstreams.join("\n")}
`;
}

function pools(options: NginxOptions, slots: number): string {
  const { nodes, gatewayKeepAliveMs, slotPorts } = options;
  const idle = nginxTime(poolIdleMs(gatewayKeepAliveMs));
  const upstreams = nodes.flatMap((node) =>
    range(slots).map((slot) => {
      const keep = `keepalive ${IDLE_CONNECTIONS}; keepalive_timeout ${idle};`;
      return `upstream ${poolName(node.id, slot)} { ${wayTo(node, slot, options)} ${keep} }`;
    }),
  );
  const direct =
    slotPorts === null
      ? ""
      : `# Each worker is reached at a port of its own, past the process that accepts for all of them. Where it cannot be, because it drains or has just been
# started, the node's port is the way: it knows every worker.
`;
  return `# One pool of connections for each worker, twice as many as there are workers at a time: a reload starts the new ones beside the old.
# A pool closes idle connections before the gateway does (after ${nginxTime(gatewayKeepAliveMs)}): the other way round, a POST would meet a
# connection that is just being closed, and nginx must not send it twice.
${direct}${upstreams.join("\n")}
`;
}

function wayTo({ address }: FleetNode, slot: number, options: NginxOptions): string {
  const port = slotPortOf(options, slot);
  if (port === null) return `server ${address};`;
  const host = address.slice(0, address.lastIndexOf(":"));
  return `server ${host}:${port} max_fails=1 fail_timeout=1s; server ${address} backup;`;
}

function server(options: NginxOptions): string {
  const { listen, serverName, enginePath, tls, pingIntervalMs, pingTimeoutMs, maxHttpBufferBytes } = options;
  const silence = nginxTime(pingIntervalMs + pingTimeoutMs + READ_SLACK_MS);
  return `server {
  listen ${listen}${tls === undefined ? "" : " ssl"};
  server_name ${serverName};
${tls === undefined ? "" : certificate(tls)}
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $limpet_upgrade;
  proxy_set_header Connection $limpet_connection;
  proxy_connect_timeout 3s;
  # Silence of a healthy session, WebSocket included, lasts at most pingInterval + pingTimeout (${nginxTime(pingIntervalMs + pingTimeoutMs)}).
  proxy_read_timeout ${silence};
  proxy_send_timeout ${silence};
  proxy_socket_keepalive on;

  location ${quote(enginePath)} {
    proxy_pass http://$limpet_upstream;
    # Answers pass as they come, so that the gateway sees how fast a client reads.
    proxy_buffering off;
    # Bodies are taken in whole first: a client that sends slowly holds no connection to the gateway, and a body that never
    # ends never gets there.
    proxy_request_buffering on;
    # maxHttpBufferSize, above which the gateway refuses as well.
    client_max_body_size ${Math.ceil(maxHttpBufferBytes / 1024)}k;
    client_body_buffer_size 64k;
    # A node that cannot be reached loses requests to the others, and is left out for a while.
    proxy_next_upstream error timeout;
    proxy_next_upstream_timeout 10s;
    # One that refuses a new session, because it drains or has enough to do, is not left out: in the next moment it may take one. Up to three
    # others are asked, and what the last one answers, 503 perhaps, is the client's.
    proxy_intercept_errors on;
    if ($limpet_is_new) {
      error_page 503 = @limpet_again;
      proxy_pass http://limpet_new;
    }
  }

  location @limpet_again {
    proxy_pass http://limpet_again;
    proxy_buffering off;
    proxy_next_upstream error timeout http_503;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 10s;
  }

  location / {
    proxy_pass http://limpet_new;
    proxy_next_upstream error timeout;
    proxy_next_upstream_timeout 10s;
  }
}
`;
}

function certificate({ certificate, key }: NonNullable<NginxOptions["tls"]>): string {
  return `
  ssl_certificate ${quote(certificate)};
  ssl_certificate_key ${quote(key)};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:limpet:10m;
`;
}

const nodeName = (node: number): string => `limpet_node_${node}`;
const poolName = (node: number, slot: number): string => `limpet_${node}_${slot}`;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const indent = (text: string): string => text.replace(/^(?=.)/gm, "  ");

/** In seconds where they are whole ones. */
function nginxTime(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
