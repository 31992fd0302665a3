/** Stock clients that go away and come back when a test says so, on a node with recovery, with a publisher that stays. */
import assert from "node:assert/strict";
import { connect, connectTo, type ClientOptions, type Member } from "../hub/fleet.js";
import type { Scope } from "../support/children.js";
import { within } from "../support/wait.js";

/** A text like `ZrzFk28p.5.1.2`. */
export const CLAIM = /^[\w-]{8}(\.[0-9a-z]+){3}$/;

/** A member that stays away after its connection broke, until {@link comeBack}. */
export function visitor(scope: Scope, url: string, options: ClientOptions = {}): Promise<Member> {
  return connect(scope, url, { reconnection: false, ...options });
}

export const publisherOn = (scope: Scope, url: string, worker: number): Promise<Member> =>
  connectTo(scope, url, worker);

/** Its connection ends as when the network went, and it knows. */
export async function leave({ client }: Member): Promise<void> {
  const gone = new Promise((resolve) => client.once("disconnect", resolve));
  client.io.engine.close();
  await within(gone, 5_000, "the client to be disconnected");
}

/** @returns whether it was recovered */
export async function comeBack({ client }: Member): Promise<boolean> {
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  client.connect();
  await within(connected, 10_000, "the client to be connected again");
  return client.recovered;
}

/** Takes the claims off events; each must carry exactly one. */
export function withoutClaims(events: readonly [string, ...unknown[]][]): [string, ...unknown[]][] {
  return events.map(([name, ...args]) => {
    const claim = args.pop();
    assert.ok(typeof claim === "string" && CLAIM.test(claim), `${name} ends in ${String(claim)}`);
    return [name, ...args];
  });
}
