import assert from "node:assert/strict";
import test from "node:test";
import { compare, handshake, seen, upgradeRequest, type Seen, type Site } from "./sites.js";

const ALLOWED = "https://app.limpet.test";
const STRANGER = "https://stranger.test";
const UNKNOWN = "AAAaaaaaaaaaaaaaaaaa";

/** Everything a browser asks for in the life of a page of that origin. */
async function visit(site: Site, origin: string): Promise<Record<string, Seen>> {
  const headers = { Origin: origin };
  const asks = { ...headers, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-token" };
  const { response, sid, target } = await handshake(site, { headers });
  const ask = async (method: string, where: string, body?: string): Promise<Seen> => {
    const connection = await site.connect(/sid=(.*)/.exec(where)?.[1]);
    const sent = method === "OPTIONS" ? asks : headers;
    const answer = await connection.request({
      method,
      target: where,
      headers: sent,
      ...(body === undefined ? {} : { body }),
    });
    return seen({ ...answer, text: answer.text.replace(/^40\{.*/, "joined") }, sid);
  };
  const opening = "/socket.io/?EIO=4&transport=polling";
  const upgrading = await site.connect(sid);
  return {
    "the preflight of a handshake": await ask("OPTIONS", opening),
    handshake: seen(response, sid),
    "the preflight of a request": await ask("OPTIONS", target),
    "a POST": await ask("POST", target, "40"),
    "a poll": await ask("GET", target),
    "a POST for a session nobody knows": await ask("POST", `${opening}&sid=${UNKNOWN}`, "40"),
    "a poll for a session nobody knows": await ask("GET", `${opening}&sid=${UNKNOWN}`),
    "a sid that is none": await ask("GET", `${opening}&sid=x`),
    "a refused handshake": await ask("GET", "/socket.io/?EIO=4&transport=pigeon"),
    "a method nobody knows": await ask("DELETE", target),
    "a handshake by WebSocket": seen(await (await site.connect()).request(upgradeRequest(opening, headers))),
    "an upgrade": seen(await upgrading.request(upgradeRequest(target, headers))),
    "a path of the app": await ask("GET", "/page"),
  };
}

const originIn = ({ headers }: Seen): string | undefined => headers["access-control-allow-origin"];

test("a page of an allowed origin may do everything, once per header, and another one nothing", async (t) => {
  const cors = {
    origin: ["https://other.limpet.test", ALLOWED],
    credentials: true,
    allowedHeaders: ["x-token"],
    exposedHeaders: "x-seen",
    maxAge: 600,
  };
  const pages = await compare(t, { cors }, async (site) => ({
    allowed: await visit(site, ALLOWED),
    stranger: await visit(site, STRANGER),
  }));
  for (const [what, answer] of Object.entries(pages.allowed)) {
    if (what === "a path of the app") assert.equal(originIn(answer), undefined);
    else assert.deepEqual([what, originIn(answer)], [what, ALLOWED]);
  }
  for (const [what, answer] of Object.entries(pages.stranger))
    assert.deepEqual([what, originIn(answer)], [what, undefined]);
  const statuses = Object.fromEntries(Object.entries(pages.allowed).map(([what, { status }]) => [what, status]));
  assert.deepEqual(statuses, {
    "the preflight of a handshake": 204,
    handshake: 200,
    "the preflight of a request": 204,
    "a POST": 200,
    "a poll": 200,
    "a POST for a session nobody knows": 400,
    "a poll for a session nobody knows": 400,
    "a sid that is none": 400,
    "a refused handshake": 400,
    "a method nobody knows": 500,
    "a handshake by WebSocket": 101,
    "an upgrade": 101,
    "a path of the app": 200,
  });
  const preflight = pages.allowed["the preflight of a request"];
  assert.equal(preflight?.headers["access-control-max-age"], "600");
  assert.equal(preflight.headers["access-control-allow-headers"], "x-token");
});

test("without an origin every page is allowed, and a preflight may be left to Engine.IO", async (t) => {
  const { preflight, opened } = await compare(t, { cors: { preflightContinue: true } }, async (site) => {
    const headers = { Origin: STRANGER, "Access-Control-Request-Method": "GET" };
    const { response, sid, target } = await handshake(site, { headers });
    const connection = await site.connect(sid);
    return {
      opened: seen(response, sid),
      preflight: seen(await connection.request({ method: "OPTIONS", target, headers })),
    };
  });
  assert.equal(originIn(opened), "*");
  assert.deepEqual([preflight.status, originIn(preflight)], [500, "*"]);
});

test("without CORS no answer carries its headers", async (t) => {
  const answers = await compare(t, {}, (site) => visit(site, ALLOWED));
  for (const { headers } of Object.values(answers))
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith("access-control")),
      [],
    );
});
