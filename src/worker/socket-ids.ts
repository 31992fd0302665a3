/**
 * Ids of sockets that begin with their worker's address, as those of sessions do. Who sends to one by its id then finds its worker without a table that would
 * have to be told of each socket, and waited for, before its client may hear of its id.
 */
import { plain } from "../lib/plain.js";
import { createSid } from "../routing/address.js";
import type { NamingNamespace } from "./internals.js";

/** To be called before anybody joins it. @param prefix of this worker's ids */
export function nameSockets(nsp: NamingNamespace, prefix: string): void {
  nsp._createSocket = async (client, auth) => {
    const socket = await plain(nsp)._createSocket.call(nsp, client, auth);
    // One that is recovered keeps its id. Clients of protocol 3 make theirs from that of the session, which has the address.
    if (!socket.recovered && client.conn.protocol !== 3) socket.id = createSid(prefix);
    return socket;
  };
}
