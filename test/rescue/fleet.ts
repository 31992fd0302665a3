/** Nodes of one fleet, on one Redis, that know of each other. */
import type { TestContext } from "node:test";
import { parseSid } from "../../src/routing/address.js";
import { PollingSession } from "../support/engine-client.js";
import { startNode, type NodeOptions, type TestNode } from "../support/node.js";
import { RawConnection, type RawResponse } from "../support/raw-http.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

export const SECRET = "a secret of this fleet";
/** Short, so that a node that ends is soon forgotten. */
export const LEASE_MS = 1_000;

export interface MemberOptions extends NodeOptions {
  /** Where it says that it is reached; where it is, unless told. */
  readonly advertise?: string;
  /** Of the fleet; {@link SECRET} unless told. */
  readonly secret?: string | null;
  /** Where it finds Redis, if not where the others do. */
  readonly redisUrl?: string;
}

/** Starts a node of the fleet. */
export function startMember(
  t: TestContext,
  redis: Pick<TestRedis, "url">,
  id: number,
  options: MemberOptions = {},
): Promise<TestNode> {
  const { advertise, secret = SECRET, redisUrl = redis.url, args = [], env = {}, ...rest } = options;
  return startNode(
    {
      app: "test/rescue/app.ts",
      ...rest,
      args: [
        ...["--redis", redisUrl, "--node-id", String(id)],
        ...(advertise === undefined ? [] : ["--advertise", advertise]),
        ...args,
      ],
      env: {
        LIMPET_FLEET_LEASE_MS: String(LEASE_MS),
        ...(secret === null ? {} : { LIMPET_FLEET_SECRET: secret }),
        ...env,
      },
    },
    t,
  );
}

export interface Fleet {
  readonly redis: TestRedis;
  readonly a: TestNode;
  readonly b: TestNode;
}

/** Two nodes, 0 and 1, whose tables are complete. */
export async function startFleet(
  t: TestContext,
  options: MemberOptions = {},
  optionsOfB: MemberOptions = options,
): Promise<Fleet> {
  const redis = await startRedis(t);
  const [a, b] = await Promise.all([startMember(t, redis, 0, options), startMember(t, redis, 1, optionsOfB)]);
  await tableIsComplete(t, a);
  await tableIsComplete(t, b);
  return { redis, a, b };
}

/** A request target for a session of that node that does not live. */
export const strangerOf = (node: number, slot = 0, transport = "polling"): string => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const prefix = [node >> 6, node & 63, slot].map((value) => letters[value]).join("");
  return `/socket.io/?EIO=4&transport=${transport}&sid=${prefix}${"x".repeat(17)}`;
};

/** Waits until a node knows that one it has never heard of does not exist. */
export async function tableIsComplete(t: TestContext, node: TestNode): Promise<void> {
  const connection = await RawConnection.open(t, node.port);
  await waitFor(async () => (await connection.request({ target: strangerOf(4000) })).status === 400, {
    message: "the table of nodes to be complete",
  });
}

/** A session of `owner` that has joined the main namespace, and how to ask another node for it. */
export interface Stray {
  readonly session: PollingSession;
  /** A keep-alive connection to the other node. */
  readonly connection: RawConnection;
  readonly poll: () => Promise<RawResponse>;
  readonly post: (body: string | Buffer) => Promise<RawResponse>;
}

export const TEXT = { "Content-Type": "text/plain;charset=UTF-8" };

export async function stray(t: TestContext, owner: TestNode, through: TestNode): Promise<Stray> {
  const session = await PollingSession.open(t, { port: owner.port });
  await session.joinMain();
  const connection = await RawConnection.open(t, through.port);
  return {
    session,
    connection,
    poll: () => connection.request({ target: session.target }),
    post: (body) => connection.request({ target: session.target, headers: TEXT, body }),
  };
}

/** The number of the node that a session is on. */
export const nodeOf = ({ sid }: { readonly sid: string }): number | undefined => parseSid(sid)?.node;

export const rescued = (node: TestNode, outcome: string): Promise<number> =>
  node.metric("limpet_rescues_total", { target: "node", outcome });
