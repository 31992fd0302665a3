import assert from "node:assert/strict";
import test from "node:test";
import { io, type Socket } from "socket.io-client";
import { within } from "../support/wait.js";
import { compare, handshake, seen, startWith, upgradeRequest, type Site } from "./sites.js";

const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";

/** Asks for a session by each transport, and for a WebSocket without saying so. */
async function visit(site: Site) {
  const ask = async (request: { target: string }) => {
    const connection = await site.connect();
    const { text, ...answer } = seen(await connection.request(request, 3_000));
    return { ...answer, text: text.replace(/"sid":"[^"]*"/, '"sid":"SID"') };
  };
  return {
    polling: await ask({ target: POLLING }),
    webSocket: await ask(upgradeRequest(WEBSOCKET)),
    plain: await ask({ target: WEBSOCKET }),
    webTransport: await ask({ target: "/socket.io/?EIO=4&transport=webtransport" }),
    upgradeOfPolling: await ask({ ...upgradeRequest(WEBSOCKET), target: POLLING }),
    none: await ask({ target: "/socket.io/?EIO=4" }),
  };
}

async function outcomeOf(client: Socket): Promise<string> {
  const outcome = new Promise<string>((resolve) => {
    client.once("connect", () => resolve(`connected by ${client.io.engine.transport.name}`));
    client.once("connect_error", ({ message }) => resolve(message));
  });
  return within(outcome, 10_000, "the client to connect or to fail");
}

test("with WebSocket alone, polling is refused and stock clients connect by WebSocket", async (t) => {
  const { polling, webSocket } = await compare(t, { transports: ["websocket"] }, visit);
  assert.deepEqual([polling.status, polling.text], [400, '{"code":0,"message":"Transport unknown"}']);
  assert.equal(webSocket.status, 101);
  const node = await startWith(t, { transports: ["websocket"] });
  const outcomes = [];
  for (const transports of [["websocket"], ["polling"], ["websocket", "polling"]]) {
    const client = io(node.url, { transports, forceNew: true, reconnection: false });
    t.after(() => void client.disconnect());
    outcomes.push(await outcomeOf(client));
  }
  assert.deepEqual(outcomes, ["connected by websocket", "xhr poll error", "connected by websocket"]);
});

test("with both, stock clients may begin with either and go from polling to WebSocket", async (t) => {
  const { polling, webSocket } = await compare(t, { transports: ["websocket", "polling"] }, visit);
  assert.deepEqual([polling.status, webSocket.status], [200, 101]);
});

test("without upgrades none is offered, and one is answered as a stock server answers it", async (t) => {
  const { offered, upgrade } = await compare(t, { allowUpgrades: false }, async (site) => {
    const { response, sid, target } = await handshake(site);
    const offered = (JSON.parse(response.text.slice(1)) as { upgrades: string[] }).upgrades;
    return { offered, upgrade: seen(await (await site.connect(sid)).request(upgradeRequest(target))) };
  });
  assert.deepEqual(offered, []);
  assert.equal(upgrade.status, 101);
  const node = await startWith(t, { allowUpgrades: false });
  const client = io(node.url, { forceNew: true, reconnection: false });
  t.after(() => void client.disconnect());
  assert.equal(await outcomeOf(client), "connected by polling");
  for (let i = 0; i < 5; i++) await client.timeout(10_000).emitWithAck("echo", i);
  assert.equal(client.io.engine.transport.name, "polling");
});
