/** limpet nodes and stock servers on one Redis, as during a migration. */
import assert from "node:assert/strict";
import { connect, type Member } from "../hub/fleet.js";
import type { Scope } from "../support/children.js";
import { joined, startStockServer, type StockServer } from "../support/stock-server.js";
import { startNodes, type Nodes, type NodesOptions } from "./fleet.js";

export interface MixedFleet extends Nodes {
  readonly servers: readonly StockServer[];
  /** One on each stock server; the first server's number is 800, the second's 900. */
  readonly stockMembers: readonly Member[];
}

const FIRST_ID = 8;

/** Starts 2 nodes of 2 workers and 2 stock servers, unless told, all with the same app. */
export async function startMixedFleet(
  scope: Scope,
  { servers: count = 2, ...options }: NodesOptions & { readonly servers?: number } = {},
): Promise<MixedFleet> {
  const fleet = await startNodes(scope, options);
  const ids = Array.from({ length: count }, (_, n) => FIRST_ID + n);
  const servers = await Promise.all(
    ids.map((id) => startStockServer(scope, { app: "test/hub/app.mjs", id, redis: { port: fleet.redis.port } })),
  );
  await joined(fleet.client, ...ids);
  const stockMembers = await Promise.all(servers.map(({ url }) => connect(scope, url)));
  return { ...fleet, servers, stockMembers };
}

/** A stock server gives up after 5 s; what waits for nobody takes far less. */
export async function promptly<T>(what: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const value = await what;
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 2_500, `it took ${Math.round(tookMs)} ms`);
  return value;
}
