/** A free port, for programs that cannot be asked which one they took. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that Linux gives to outgoing connections: what is free here stays so while nobody listens. */
const LISTENERS = [12_000, 32_000] as const;

/** The first of that many free ports in a row; free a moment ago. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = randomInt(...LISTENERS);
    const taken = await Promise.all(Array.from({ length: count }, (_, n) => isTaken(first + n)));
    if (!taken.includes(true)) return first;
  }
}

async function isTaken(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return true;
  } finally {
    server.close();
  }
}

/** Free a moment ago. */
export const freePort = (): Promise<number> => freePorts(1);
