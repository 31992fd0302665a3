/** Sessions on workers a test chooses. */
import { parseSid } from "../../src/routing/address.js";
import type { Scope } from "../support/children.js";
import { PollingSession, WebSocketSession, type EngineOptions } from "../support/engine-client.js";

/** The slot of the worker that holds a session. */
export function slotOf({ sid }: { readonly sid: string }): number {
  const address = parseSid(sid);
  if (address === undefined) throw new Error(`${sid} is no session id of limpet's`);
  return address.slot;
}

/** A polling session on each of the first `workers` slots, by slot. */
export function sessionOnEach(scope: Scope, options: EngineOptions, workers = 2): Promise<PollingSession[]> {
  return onEach(() => PollingSession.open(scope, options), workers);
}

/** The same with WebSockets. */
export function webSocketOnEach(scope: Scope, options: EngineOptions, workers = 2): Promise<WebSocketSession[]> {
  return onEach(() => WebSocketSession.open(scope, options), workers);
}

async function onEach<S extends { readonly sid: string }>(open: () => Promise<S>, workers: number): Promise<S[]> {
  const bySlot = new Map<number, S>();
  for (let tries = 0; bySlot.size < workers; tries++) {
    if (tries > workers * 20) throw new Error(`${tries} sessions were opened, and none is on some of the workers`);
    const session = await open();
    bySlot.set(slotOf(session), session);
  }
  return [...bySlot].sort(([a], [b]) => a - b).map(([, session]) => session);
}
