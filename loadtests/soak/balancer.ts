/** A balancer that knows nothing: each TCP connection goes to the next node that takes it, whatever its bytes say. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Balancer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;

  const track = (socket: Socket): void => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  };

  const connectNext = (client: Socket, attempts: number): void => {
    const port = ports[turn++ % ports.length];
    if (port === undefined || attempts === 0 || client.destroyed) {
      client.destroy();
      return;
    }
    const node = connect(port, "127.0.0.1");
    track(node);
    let connected = false;
    node.once("connect", () => {
      connected = true;
      client.pipe(node);
      node.pipe(client);
    });
    // A node that is down is passed over; one that ends takes the connection with it.
    node.once("error", () => (connected ? client.destroy() : connectNext(client, attempts - 1)));
    node.once("close", () => connected && client.destroy());
    client.once("close", () => node.destroy());
  };

  const server = createServer((client) => {
    track(client);
    client.on("error", () => client.destroy());
    connectNext(client, ports.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };
}
