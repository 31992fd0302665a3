/** A free port, for programs that cannot be asked which one they took. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** Free a moment ago; who takes it must expect to try again. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
