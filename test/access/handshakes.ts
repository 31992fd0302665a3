/** Handshakes as the tests of entry make them. */
import type { Scope } from "../support/children.js";
import type { TestNode } from "../support/node.js";
import { RawConnection, rawRequest, type RawResponse } from "../support/raw-http.js";

export const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
export const APP = "test/access/app.ts";

export const UPGRADE_HEADERS = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
} as const;

/** So many at once, each on a connection of its own. */
export function handshakes(
  scope: Scope,
  node: TestNode,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawResponse[]> {
  return Promise.all(Array.from({ length: count }, () => rawRequest(scope, node.port, { target: HANDSHAKE, headers })));
}

/** One after another on one connection, as a proxy sends those of its clients; the first request on it is none. */
export async function handshakesOnOne(scope: Scope, node: TestNode, count: number): Promise<RawResponse[]> {
  const connection = await RawConnection.open(scope, node.port);
  await connection.request({ target: "/app" });
  const answers: RawResponse[] = [];
  for (let i = 0; i < count; i++) answers.push(await connection.request({ target: HANDSHAKE }));
  return answers;
}

export const statuses = (answers: readonly RawResponse[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

export const reasonOf = ({ text }: RawResponse): string => {
  const { error, code } = JSON.parse(text) as { error?: string; code?: string };
  return error ?? code ?? "";
};
