/**
 * Requests for a session that another worker holds, of this node or of another: they come on a connection that was handed here for an earlier
 * request, from a balancer that knows nothing of sessions, or in the moment in which the front did not know better. They are forwarded to the owner:
 * to a sibling over its Unix socket, to another node by its address.
 *
 * Nothing goes round in circles: what came over the Unix socket is not forwarded again, and what came from another node, or says so, is passed on
 * inside this one only.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { parseSid, type Address } from "../routing/address.js";
import { sidOf } from "../routing/request-line.js";
import type { Engine } from "./engine.js";
import { forward, forwardUpgrade, type ForwardHandler, type Restamp } from "./forward.js";
import type { Provenance } from "./provenance.js";
import type { RemoteNodes, RemoteOwner } from "./remote-nodes.js";
import type { Route } from "./route.js";
import type { Siblings } from "./siblings.js";

export type RescueTarget = "worker" | "node";
export type RescueOutcome = "forwarded" | "gone" | "unknown" | "loop" | "failed";

export interface RescueOptions {
  /** Of this worker. */
  readonly address: Address;
  readonly engine: Engine;
  readonly siblings: Siblings;
  readonly nodes: RemoteNodes;
  readonly provenance: Provenance;
  readonly onRescue: (target: RescueTarget, outcome: RescueOutcome) => void;
}

/** What becomes of a request that is for another worker: it takes the route to its owner, or is answered here. */
type Verdict = { readonly target: RescueTarget; readonly owner: Address } & (
  | { readonly route: Route; readonly outcome?: never }
  | { readonly route?: never; readonly outcome: RescueOutcome; readonly isGone: boolean }
);

/** A request or an upgrade: what can be done with it. */
interface Exchange {
  readonly request: IncomingMessage;
  /** Ends with it. */
  readonly end: ServerResponse | Duplex;
  /** Lets Engine.IO answer. Where it does not know the session it answers 400 "Session ID unknown", and the client starts anew. */
  serve(): void;
  /** Answers 503. */
  refuse(): void;
  forward(route: Route, restamp: Restamp, handler: ForwardHandler): void;
}

export class Rescue {
  readonly #options: RescueOptions;

  constructor(options: RescueOptions) {
    this.#options = options;
  }

  /** @param bySibling whether the request came over the Unix socket */
  handle(request: IncomingMessage, response: ServerResponse, bySibling: boolean): void {
    const { engine } = this.#options;
    this.#handle(bySibling, {
      request,
      end: response,
      serve: () => engine.handleRequest(request, response),
      refuse: () => engine.refuse(request, response, "The worker that holds this session cannot be reached."),
      forward: (route, restamp, handler) => forward(route, restamp, request, response, handler),
    });
  }

  /** The same for an upgrade. @param socket with a listener for its errors */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, bySibling: boolean): void {
    const { engine } = this.#options;
    this.#handle(bySibling, {
      request,
      end: socket,
      serve: () => engine.handleUpgrade(request, socket, head),
      refuse: () => socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
      forward: (route, restamp, handler) => forwardUpgrade(route, restamp, request, socket, head, handler),
    });
  }

  #handle(bySibling: boolean, exchange: Exchange): void {
    const { provenance } = this.#options;
    const { request } = exchange;
    const byNode = provenance.receive(request, bySibling);
    const verdict = bySibling ? undefined : this.#judge(request, byNode);
    if (verdict === undefined) exchange.serve();
    else if (verdict.target === "node" && verdict.route === undefined && verdict.outcome !== "loop")
      void this.#seek(verdict.owner, exchange);
    else this.#carryOut(verdict, exchange);
  }

  /** The owner's node is not in the table: it may have come a moment ago. */
  async #seek(owner: Address, exchange: Exchange): Promise<void> {
    const found = await this.#options.nodes.soughtOwner(owner);
    // A client that has given up in the meantime has no use for an answer.
    if (!exchange.end.destroyed) this.#carryOut(verdictOn(owner, found), exchange);
  }

  #carryOut(verdict: Verdict, exchange: Exchange): void {
    const { provenance, onRescue } = this.#options;
    const { request } = exchange;
    const { target, owner } = verdict;
    const answer = (outcome: RescueOutcome, isGone: boolean): void => {
      onRescue(target, outcome);
      if (isGone) exchange.serve();
      else exchange.refuse();
    };
    const { route } = verdict;
    if (route === undefined) {
      answer(verdict.outcome, verdict.isGone);
      return;
    }
    if (!route.enter()) {
      answer("failed", false);
      return;
    }
    exchange.end.once("close", () => route.leave());
    exchange.forward(route, target === "node" ? provenance.forNode(request) : provenance.forSibling(request), {
      onForwarded: () => onRescue(target, "forwarded"),
      onFailed: () => onRescue(target, "failed"),
      onUnanswered: (wasReached) => {
        void this.#isGone(target, owner, route, wasReached).then((isGone) => {
          if (!exchange.end.destroyed) answer(isGone ? "gone" : "unknown", isGone);
        });
      },
    });
  }

  /** @returns undefined where this worker is the owner, or there is no session to find one by */
  #judge(request: IncomingMessage, byNode: boolean): Verdict | undefined {
    const { address: own, siblings, nodes } = this.#options;
    const sid = sidOf(request.url ?? "");
    const owner = sid === undefined ? undefined : parseSid(sid);
    if (owner === undefined) return undefined;
    if (owner.node === own.node) {
      if (owner.slot === own.slot) return undefined;
      const route = siblings.route(owner.slot);
      return route === undefined
        ? { target: "worker", owner, outcome: "gone", isGone: true }
        : { target: "worker", owner, route };
    }
    const found = nodes.owner(owner);
    // The node that sent it here takes this one for another: what is true of the owner only a table can say, and this node's is as good as any.
    if (byNode) return { target: "node", owner, outcome: "loop", isGone: found.kind === "gone" };
    return verdictOn(owner, found);
  }

  async #isGone(target: RescueTarget, owner: Address, route: Route, wasReached: boolean): Promise<boolean> {
    const { siblings, nodes } = this.#options;
    if (target === "worker") return siblings.route(owner.slot) === undefined;
    return !wasReached && nodes.isGone(owner, route);
  }
}

function verdictOn(owner: Address, found: RemoteOwner): Verdict {
  if (found.kind === "at") return { target: "node", owner, route: found.route };
  return { target: "node", owner, outcome: found.kind, isGone: found.kind === "gone" };
}
