/** What no key can say alone. Each check names the key to change, and the keys it reads: it is left out when one of those is wrong itself. */
import { isAnyHost } from "../lib/any-host.js";
import { slotPortCount } from "../routing/slot-ports.js";
import type { Config } from "./config.js";

interface CrossCheck {
  readonly key: string;
  readonly reads: readonly string[];
  /** What is wrong, or undefined. */
  readonly complain: (config: Config) => string | undefined;
}

export const crossChecks: readonly CrossCheck[] = [
  {
    key: "opsPort",
    reads: ["port", "host", "opsHost"],
    complain: ({ port, host, opsPort, opsHost }) =>
      port === opsPort && port !== 0 && (host === opsHost || isAnyHost(host) || isAnyHost(opsHost))
        ? `must differ from port, which is ${port} on ${host} too`
        : undefined,
  },
  {
    key: "slotPorts",
    reads: ["workers", "port", "opsPort"],
    complain: ({ slotPorts, workers, port, opsPort }: Config): string | undefined => {
      if (slotPorts === null) return undefined;
      const last = slotPorts + slotPortCount(workers) - 1;
      if (last > 65_535) return `must leave room for a port for each slot: ${workers} workers need ports up to ${last}`;
      const taken = Object.entries({ port, opsPort }).find(([, own]) => own >= slotPorts && own <= last);
      return (
        taken && `must leave out ${taken[0]}, which is ${taken[1]}: ${workers} workers take the ports up to ${last}`
      );
    },
  },
  {
    key: "http.headersTimeoutMs",
    reads: ["http.requestTimeoutMs"],
    complain: ({ http }) =>
      http.headersTimeoutMs > http.requestTimeoutMs
        ? `must not exceed http.requestTimeoutMs, which is ${http.requestTimeoutMs}: the head is a part of the request`
        : undefined,
  },
  {
    key: "redis.tlsKeyFile",
    reads: ["redis.tlsCertFile"],
    complain: ({ redis: { tlsCertFile, tlsKeyFile } }) =>
      (tlsCertFile === null) === (tlsKeyFile === null)
        ? undefined
        : "must be set together with redis.tlsCertFile: neither is of use alone",
  },
  {
    key: "client.maxBufferedBytes",
    reads: ["socketio.maxHttpBufferSize"],
    complain: ({ client: { maxBufferedBytes }, socketio: { maxHttpBufferSize } }) =>
      maxBufferedBytes < maxHttpBufferSize
        ? `must be at least socketio.maxHttpBufferSize, which is ${maxHttpBufferSize}: what a client may send, others may be sent`
        : undefined,
  },
  {
    key: "supervisor.hangTimeoutMs",
    reads: ["socketio.pingInterval", "socketio.pingTimeout"],
    complain: ({ supervisor: { hangTimeoutMs }, socketio: { pingInterval, pingTimeout } }) =>
      hangTimeoutMs !== null && hangTimeoutMs < pingInterval + pingTimeout
        ? `must be at least socketio.pingInterval + socketio.pingTimeout, which is ${pingInterval + pingTimeout}: its clients wait that long`
        : undefined,
  },
  {
    key: "bus.retentionMs",
    reads: [
      "recovery.enabled",
      "redis.url",
      "socketio.connectionStateRecovery",
      "socketio.pingInterval",
      "socketio.pingTimeout",
    ],
    complain: ({ bus: { retentionMs }, recovery, redis, socketio }: Config): string | undefined => {
      const { pingInterval, pingTimeout, connectionStateRecovery } = socketio;
      const neededMs = connectionStateRecovery.maxDisconnectionDuration + pingInterval + pingTimeout;
      return recovery.enabled && redis.url !== null && retentionMs < neededMs
        ? `must be at least the ${neededMs} that recovery looks back: maxDisconnectionDuration + pingInterval + pingTimeout`
        : undefined;
    },
  },
];
