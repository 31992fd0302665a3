/** Sessions where Redis is more than one server: they go from node to node before a fail-over and after it, behind Sentinel and on a cluster. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { startNode, type TestNode } from "../support/node.js";
import { startRedisCluster } from "../support/redis-cluster.js";
import type { TestRedis } from "../support/redis.js";
import { startSentinel } from "../support/sentinel.js";
import { waitFor } from "../support/wait.js";
import { connected, numbers, said, untilSaid, who } from "./pair.js";
import type { RawClient } from "./raw-client.js";

const APP = "test/recovery/app.ts";
const STREAM = "socket.io";

const startPlaced = (scope: TestContext, url: string, id: number): Promise<TestNode> =>
  startNode({ app: APP, workers: 2, args: ["--recovery", "--redis", url, "--node-id", String(id)] }, scope);

const keyOf = ({ pid }: RawClient): string => `limpet:session:${pid}`;

/** Waits until the fleet knows of a client's room. */
async function untilSaved(master: TestRedis, client: RawClient, room: string): Promise<void> {
  const redis = master.client();
  let said = "nothing";
  const isSaved = async (): Promise<boolean> => {
    const record = await redis.hgetBuffer(keyOf(client), "r");
    said = String(record?.toString("latin1").replace(/[^ -~]+/g, "."));
    return record?.includes(room) === true;
  };
  await waitFor(isSaved, { timeoutMs: 30_000, message: () => `${room} in the session's record; there is ${said}` });
  redis.disconnect();
}

async function untilBus(nodes: readonly TestNode[]): Promise<void> {
  const isUp = async (): Promise<boolean> =>
    (await Promise.all(nodes.map((node) => node.metric("limpet_bus_up")))).every((up) => up === 1);
  await waitFor(isUp, { timeoutMs: 30_000, message: "both buses to be up" });
}

interface Place {
  readonly url: string;
  /** Serves the stream, until it goes. */
  readonly master: TestRedis;
  /** Whether it serves that key. */
  readonly fits: (key: string) => Promise<boolean>;
  /** @returns who serves what it has served */
  readonly failOver: () => Promise<TestRedis>;
}

/** A session goes from node to node, before the master goes and after it, and at last its node is killed; another one stays. */
async function assertSessionsTravel(t: TestContext, { url, master, fits, failOver }: Place): Promise<void> {
  const [a, b] = await Promise.all([startPlaced(t, url, 1), startPlaced(t, url, 2)]);
  const guest = async (node: TestNode): Promise<RawClient> => {
    for (let i = 0; i < 40; i++) {
      const client = await connected(t, node);
      if (await fits(keyOf(client))) return client;
      client.cut();
    }
    return assert.fail("no session whose key the master serves that is to go");
  };
  const [traveller, resident, publisher] = [await guest(a), await guest(b), await connected(t, b, 1)];
  const { id } = traveller;
  const joinAll = async (room: string, at: TestRedis): Promise<void> => {
    for (const client of [traveller, resident]) {
      await client.call("join", room);
      await untilSaved(at, client, room);
    }
  };
  let sent = 0;
  const travel = async (to: TestNode): Promise<void> => {
    traveller.cut();
    await publisher.call("publish", "red", numbers(sent, (sent += 3)));
    await traveller.connect({ port: to.port });
    assert.equal(traveller.recovered, true);
    await untilSaid(traveller, sent);
    await publisher.call("publish", "red", numbers(sent, ++sent));
    await untilSaid(traveller, sent);
    const { data, rooms } = await who(traveller);
    assert.deepEqual([traveller.id, data, rooms.includes("red")], [id, { name: "Ada" }, true]);
  };

  await joinAll("red", master);
  await traveller.call("set", "name", "Ada");
  await traveller.call("checkpoint");
  for (const node of [b, a]) await travel(node);
  const next = await failOver();
  await untilBus([a, b]);
  await joinAll("blue", next);
  for (const node of [b, a]) await travel(node);
  // Nobody answers for it, so the stream's end is asked for.
  await traveller.call("checkpoint");
  await a.kill();
  await travel(b);
  assert.deepEqual(said(traveller), numbers(0, sent));
  assert.match(await next.client().info("errorstats"), /errorstat_NOSCRIPT:/, "the new master knew no script");
}

/** Until then everything that this master has taken is with its replica. */
async function replicated(master: TestRedis, key: string): Promise<void> {
  const client = master.client();
  await client.set(key, "");
  assert.equal(await client.wait(1, 10_000), 1, "the replica has it");
  client.disconnect();
}

for (const how of ["ordered", "killed"] as const)
  test(`sessions go from node to node behind Sentinel, before a master is ${how === "ordered" ? "told to go" : "killed"} and after it`, async (t) => {
    const rig = await startSentinel(t);
    const { url } = rig;
    const master = await rig.master();
    await assertSessionsTravel(t, {
      url,
      master,
      fits: () => Promise.resolve(true),
      failOver: async () => {
        await replicated(master, "last");
        return rig.failover(how);
      },
    });
  });

test("sessions go from node to node on a cluster, before the master of the stream and of their keys is killed and after it", async (t) => {
  const rig = await startRedisCluster(t);
  const master = await rig.masterOf(STREAM);
  await assertSessionsTravel(t, {
    url: rig.url,
    master,
    fits: async (key) => (await rig.masterOf(key)) === master,
    failOver: async () => {
      await replicated(master, `{${STREAM}}`);
      return (await rig.killMaster(STREAM)).next;
    },
  });
});
