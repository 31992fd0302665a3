/**
 * Who a forwarded request came from. It carries the node that has forwarded it, which ends its way at the next one, and the address of the client's
 * connection there.
 *
 * Anybody can write these headers. The first one needs no trust, for it can only have a request refused. An address is believed from a sibling, whose
 * Unix socket nobody else reaches, and from a node that proves by the fleet's secret that it has written it.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP, isIPv6, type Socket } from "node:net";
import type { Restamp } from "./forward.js";
import { changeHeaders, without } from "./raw-headers.js";

/** Number of the node that has forwarded the request. */
export const FORWARDED_HEADER = "x-limpet-forwarded";
/** Address of the client's connection, as the forwarding worker saw it. */
export const CLIENT_HEADER = "x-limpet-client-address";
/** HMAC-SHA256 with the fleet's secret over the request line's method and target and the two above, in hex. */
export const PROOF_HEADER = "x-limpet-proof";
const VIA_HEADER = "x-forwarded-for";

const OWN: ReadonlySet<string> = new Set([FORWARDED_HEADER, CLIENT_HEADER, PROOF_HEADER]);
const OWN_AND_VIA: ReadonlySet<string> = new Set([...OWN, VIA_HEADER]);

export class Provenance {
  readonly #node: string;
  readonly #secret: string | null;

  /**
   * @param nodeId of this node
   * @param secret of the fleet; null where it has none
   */
  constructor(nodeId: number, secret: string | null) {
    this.#node = String(nodeId);
    this.#secret = secret;
  }

  /** Headers for a worker of this node. */
  forSibling({ socket }: IncomingMessage): Restamp {
    const { remoteAddress } = socket;
    return (rawHeaders) => [
      ...without(rawHeaders, OWN),
      ...(remoteAddress === undefined ? [] : [CLIENT_HEADER, remoteAddress]),
    ];
  }

  /** Headers for another node: those of a proxy, and the proof where there is a secret. */
  forNode(request: IncomingMessage): Restamp {
    const { remoteAddress } = request.socket;
    return (rawHeaders) => {
      const headers = [...without(rawHeaders, OWN_AND_VIA), FORWARDED_HEADER, this.#node];
      const via = request.headers[VIA_HEADER];
      const hops = [
        ...(via === undefined ? [] : [via].flat()),
        ...(remoteAddress === undefined ? [] : [remoteAddress]),
      ];
      if (hops.length > 0) headers.push(VIA_HEADER, hops.join(", "));
      if (remoteAddress === undefined || this.#secret === null) return headers;
      const proof = proofOf(this.#secret, request, this.#node, remoteAddress).toString("hex");
      return [...headers, CLIENT_HEADER, remoteAddress, PROOF_HEADER, proof];
    };
  }

  /**
   * Reads and takes away what {@link forSibling} or {@link forNode} has added. Where it is believed, the request's socket shows the client's address until
   * its next request.
   *
   * @param bySibling whether it came over the Unix socket
   * @returns whether it was forwarded by a node, or says so
   */
  receive(request: IncomingMessage, bySibling: boolean): boolean {
    const { headers, socket } = request;
    const node = headers[FORWARDED_HEADER];
    const client = headers[CLIENT_HEADER];
    hideAddress(socket);
    if (typeof client !== "string" || isIP(client) === 0) return node !== undefined;
    if (bySibling) {
      showAddress(socket, client);
      changeHeaders(request, new Map([[CLIENT_HEADER, undefined]]));
    } else if (typeof node === "string" && this.#isProven(request, node, client)) {
      showAddress(socket, client);
      const gone = [...OWN].map((name) => [name, undefined] as const);
      changeHeaders(request, new Map([...gone, [VIA_HEADER, withoutLast(headers[VIA_HEADER])]]));
    }
    return node !== undefined;
  }

  #isProven(request: IncomingMessage, node: string, client: string): boolean {
    const proof = request.headers[PROOF_HEADER];
    if (this.#secret === null || typeof proof !== "string") return false;
    const given = Buffer.from(proof, "hex");
    const wanted = proofOf(this.#secret, request, node, client);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}

function proofOf(secret: string, { method, url }: IncomingMessage, node: string, client: string): Buffer {
  return createHmac("sha256", secret).update(`${method} ${url}\n${node}\n${client}`).digest();
}

/** What the forwarding node has appended goes: its peer is shown as the socket's. */
function withoutLast(via: string | string[] | undefined): string | undefined {
  const hops = [via ?? []].flat().join(",").split(",");
  return hops.slice(0, -1).join(",").trim() || undefined;
}

/**
 * Engine.IO and apps read a client's address from the connection; this one carries requests of one client after another. Prototypes' getters are
 * covered by properties of its own, and seen again without them.
 */
function showAddress(socket: Socket, remoteAddress: string): void {
  const shown = { remoteAddress, remoteFamily: isIPv6(remoteAddress) ? "IPv6" : "IPv4" };
  for (const [name, value] of Object.entries(shown))
    Object.defineProperty(socket, name, { value, configurable: true, enumerable: true });
}

function hideAddress(socket: Socket): void {
  if (!Object.hasOwn(socket, "remoteAddress")) return;
  for (const name of ["remoteAddress", "remoteFamily"] as const) Reflect.deleteProperty(socket, name);
}
