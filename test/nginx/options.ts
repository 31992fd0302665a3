/** What the tests of nginx's configuration start from. */
import type { NginxOptions } from "../../src/cli/nginx-config.js";

/** One node with two workers and the gateway's defaults; `listen` is for the test to set. */
export const DEFAULTS: NginxOptions = {
  nodes: [{ id: 0, address: "127.0.0.1:3000" }],
  workers: 2,
  slotPorts: null,
  listen: "127.0.0.1:80",
  serverName: "_",
  enginePath: "/socket.io/",
  pingIntervalMs: 25_000,
  pingTimeoutMs: 20_000,
  maxHttpBufferBytes: 1_000_000,
  gatewayKeepAliveMs: 75_000,
  full: false,
};
