/** Where the other nodes of the fleet reach this one. */
import { isIPv6 } from "node:net";
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";
import { isAnyHost } from "../lib/any-host.js";

const PORT_BEHIND = /^(?:\[[^\]]*\]|[^:]*):\d+$/;

/**
 * @param advertise HOST or HOST:PORT, as configured
 * @param host what the node is bound to: where that is one address, it is the answer unless another is configured
 * @param port what it is bound to
 * @returns HOST:PORT
 */
export function nodeAddress(
  { advertise, host, port }: { advertise: string | null; host: string; port: number },
  interfaces = networkInterfaces(),
): string {
  if (advertise !== null) return PORT_BEHIND.test(advertise) ? advertise : `${advertise}:${port}`;
  const reached = isAnyHost(host) ? (firstOutside(interfaces) ?? "127.0.0.1") : host;
  return isIPv6(reached) ? `[${reached}]:${port}` : `${reached}:${port}`;
}

/** IPv4 first; addresses of one link alone are of no use without its name. */
function firstOutside(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string | undefined {
  const outside = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:169\.254\.|fe[89ab])/i.test(address));
  return (outside.find(({ family }) => family === "IPv4") ?? outside[0])?.address;
}
