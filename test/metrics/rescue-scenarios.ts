/** Requests for sessions of other nodes, and what becomes of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { freePort } from "../support/free-port.js";
import { sessionOnEach } from "../front/sessions.js";
import { requestBytes, RawConnection } from "../support/raw-http.js";
import { LEASE_MS, startMember, stray, strangerOf, tableIsComplete } from "../rescue/fleet.js";
import { answerHalf, startStandIn } from "../rescue/stand-in.js";
import { pidOf } from "./clients.js";
import type { Group, Move, Scenario } from "./scenario.js";

const APP = "test/rescue/app.ts";
const rescue = (target: string, outcome: string): Move => ({
  name: "limpet_rescues_total",
  labels: { target, outcome },
  by: 1,
});

const scenarios = (redis: { readonly url: string }): readonly Scenario[] => [
  {
    name: "a request comes for a session of a node that does not exist",
    moves: [{ name: "limpet_rescues_total", labels: { target: "node", outcome: "gone" } }],
    run: (node, t) => tableIsComplete(t, node),
  },
  {
    name: "a request comes for a session of another node",
    moves: [rescue("node", "forwarded")],
    run: async (node, t) => {
      const { post } = await stray(t, await startMember(t, redis, 1), node);
      assert.equal((await post("3")).text, "ok");
    },
  },
  {
    name: "a request comes for a session of a node at whose address nobody is",
    moves: [rescue("node", "unknown")],
    run: async (node, t) => {
      const advertise = `127.0.0.1:${await freePort()}`;
      const { poll } = await stray(t, await startMember(t, redis, 2, { advertise }), node);
      assert.equal((await poll()).status, 503);
    },
  },
  {
    name: "another node forwards a request for a session of a third one",
    moves: [rescue("node", "loop")],
    run: async (node, t) => {
      const connection = await RawConnection.open(t, node.port);
      await connection.request({ target: strangerOf(9), headers: { "X-Limpet-Forwarded": "8" } });
    },
  },
  {
    name: "another node breaks off in the middle of its answer",
    moves: [rescue("node", "forwarded"), rescue("node", "failed")],
    run: async (node, t) => {
      const advertise = await startStandIn(t, answerHalf);
      const { poll } = await stray(t, await startMember(t, redis, 3, { advertise }), node);
      await assert.rejects(poll());
    },
  },
  {
    name: "another worker is killed in the middle of its answer",
    moves: [rescue("worker", "forwarded"), rescue("worker", "failed")],
    run: async (node, t) => {
      const [zero, one] = await sessionOnEach(t, { port: node.port });
      assert.ok(zero !== undefined && one !== undefined);
      await one.joinMain();
      await one.post('42["bytes",30000000]');
      const { socket } = zero.pollConnection;
      const begun = once(socket, "data").then(() => socket.pause());
      await zero.pollConnection.write(requestBytes({ target: one.target }));
      await begun;
      process.kill(await pidOf(node, 1), "SIGKILL");
      socket.resume();
    },
  },
];

/** @param redisUrl where the fleet meets */
export const rescueGroup = (redisUrl: string): Group => ({
  node: {
    app: APP,
    workers: 2,
    args: ["--redis", redisUrl, "--node-id", "0"],
    env: { LIMPET_FLEET_LEASE_MS: String(LEASE_MS) },
  },
  scenarios: scenarios({ url: redisUrl }),
});
