/**
 * Whose connection it is: the address behind as many proxies as are known and trusted. For limits it is shortened to what one customer of a network
 * provider has: of IPv6 a /64.
 */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

const IPV6_CUSTOMER_BITS = 64;

export class ClientAddresses {
  readonly #trusted: readonly Network[];

  /** @param trusted addresses and networks (ADDRESS/BITS) of the proxies whose X-Forwarded-For is believed */
  constructor(trusted: readonly string[]) {
    this.#trusted = trusted.map((text) => {
      const network: Network = text.includes("/") ? ipaddr.parseCIDR(text) : [ipaddr.parse(text), -1];
      const [address, bits] = network;
      return bits === -1 ? [address, address.kind() === "ipv4" ? 32 : 128] : network;
    });
  }

  /** Whether X-Forwarded-For of this peer is believed. */
  trusts(remoteAddress: string | undefined): boolean {
    const address = parse(remoteAddress);
    return address !== undefined && this.#isTrusted(address);
  }

  /**
   * Goes from the connection backwards through X-Forwarded-For, as long as who has written an entry is trusted; what a client has written by itself is
   * never reached.
   *
   * @param remoteAddress of the connection
   * @returns what the limits count by; undefined where the connection has no address
   */
  of(remoteAddress: string | undefined, forwardedFor: string | readonly string[] | undefined): string | undefined {
    let client = parse(remoteAddress);
    if (client === undefined) return undefined;
    if (forwardedFor !== undefined && this.#trusted.length > 0) {
      const hops = [forwardedFor].flat().join(",").split(",");
      for (let hop = hops.pop(); hop !== undefined && this.#isTrusted(client); hop = hops.pop()) {
        const before = parse(withoutPort(hop.trim()));
        // What is no address says nothing: it counts as its writer's.
        if (before === undefined) break;
        client = before;
      }
    }
    return keyOf(client);
  }

  #isTrusted(address: Address): boolean {
    return this.#trusted.some(
      ([network, bits]) => network.kind() === address.kind() && address.match([network, bits] as never),
    );
  }
}

function parse(text: string | undefined): Address | undefined {
  // ipaddr.js takes shortened forms, too: "1.2.3" is none that a proxy writes.
  if (text === undefined || isIP(text) === 0) return undefined;
  // Of ::ffff:1.2.3.4 it is 1.2.3.4.
  return ipaddr.process(text);
}

/** Some proxies write the client's port behind its address. */
function withoutPort(hop: string): string {
  const match = /^(?:(\d+\.\d+\.\d+\.\d+):\d+|\[([0-9a-fA-F:.]+)\](?::\d+)?)$/.exec(hop);
  return match?.[1] ?? match?.[2] ?? hop;
}

function keyOf(address: Address): string {
  if (address.kind() === "ipv4") return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${IPV6_CUSTOMER_BITS}`).toString()}/${IPV6_CUSTOMER_BITS}`;
}
