/** Who may speak with Redis, and over what: passwords and users, TLS, and what a node says where either is wrong. */
import assert from "node:assert/strict";
import test from "node:test";
import { makeCertificates } from "../support/redis-tls.js";
import { startRedis } from "../support/redis.js";
import { assertEverythingCrosses, type Reach } from "./kinds.js";
import { startPost, waitForReason } from "./posts.js";
import type { Scope } from "../support/children.js";
import type { Post } from "./traffic.js";

const startTwo = (scope: Scope, reach: Reach): Promise<[Post, Post]> =>
  Promise.all([startPost(scope, { ...reach, id: 1 }), startPost(scope, { ...reach, id: 2 })]);

/** As docs/fleet.md has them. */
const RIGHTS = [
  ...["+xadd", "+xread", "+xrange", "+xtrim", "+xinfo|stream", "+multi", "+exec", "+exists", "+time"],
  ...["+eval", "+evalsha", "+del", "+pexpire"],
  ...["+hget", "+hmget", "+hset", "+hdel", "+zadd", "+zrange", "+zrangebyscore", "+zscore"],
  ...["+publish", "+subscribe", "+unsubscribe", "+pubsub|numsub", "+ping", "+info", "+client|setname"],
];

test("everything works with a password, by a name that has several addresses", async (t) => {
  const redis = await startRedis(t, { password: "p@ss/w:rd" });
  const reach = { url: `redis://localhost:${redis.port}`, env: { LIMPET_REDIS_PASSWORD: "p@ss/w:rd" } };
  await assertEverythingCrosses(await startTwo(t, reach), reach);
});

test("a user needs no more rights than those that the documentation names", async (t) => {
  const redis = await startRedis(t);
  await redis
    .client()
    .call(
      ...["ACL", "SETUSER", "limpet", "on", ">secret", "resetchannels", "&socket.io#*", "~socket.io", "~limpet:*"],
      ...["-@all", ...RIGHTS],
    );
  const reach = { url: `redis://limpet:secret@127.0.0.1:${redis.port}` };
  await assertEverythingCrosses(await startTwo(t, reach), reach);
});

test("everything works over TLS with a password", async (t) => {
  const certificates = await makeCertificates(t);
  const redis = await startRedis(t, { tls: certificates, password: "secret" });
  const reach = { url: redis.url, env: { LIMPET_REDIS_TLS_CA_FILE: certificates.caFile } };
  await assertEverythingCrosses(await startTwo(t, reach), reach);
});

interface Wrong {
  readonly name: string;
  readonly env: (caFile: string, otherCaFile: string) => Record<string, string>;
  readonly reason: RegExp;
}

const WRONG: readonly Wrong[] = [
  {
    name: "an authority that did not sign Redis' certificate",
    env: (_, otherCaFile) => ({ LIMPET_REDIS_TLS_CA_FILE: otherCaFile, LIMPET_REDIS_PASSWORD: "secret" }),
    reason: /certificate/,
  },
  {
    name: "no authority for Redis' certificate",
    env: () => ({ LIMPET_REDIS_PASSWORD: "secret" }),
    reason: /certificate/,
  },
  {
    name: "a wrong password",
    env: (caFile) => ({ LIMPET_REDIS_TLS_CA_FILE: caFile, LIMPET_REDIS_PASSWORD: "other" }),
    reason: /WRONGPASS/,
  },
  {
    name: "no password where Redis wants one",
    env: (caFile) => ({ LIMPET_REDIS_TLS_CA_FILE: caFile }),
    reason: /NOAUTH/,
  },
];

test("a node that Redis does not let in is ready without it, and says why", async (t) => {
  const [certificates, others] = await Promise.all([makeCertificates(t), makeCertificates(t)]);
  const redis = await startRedis(t, { tls: certificates, password: "secret" });
  const url = redis.url.replace(/\/\/.*@/, "//");
  const check = async ({ name, env, reason }: Wrong, id: number): Promise<void> => {
    const settings = { LIMPET_BUS_START_TIMEOUT_MS: "1500", ...env(certificates.caFile, others.caFile) };
    const post = await startPost(t, { url, id, env: settings });
    const ready = await post.node.waitForLog(({ msg }) => msg === "ready");
    const told = await post.node.waitForLog(({ msg }) => msg.startsWith("bus down"));
    assert.deepEqual(
      [name, ready["bus"], reason.test(String(told["reason"]))],
      [name, "down", true],
      String(told["reason"]),
    );
    await waitForReason(reason, [post]);
    assert.equal(await post.member.run(({ io }) => io.fetchSockets().then((found) => found.length)), 1, name);
  };
  await Promise.all(WRONG.map((wrong, i) => check(wrong, i + 1)));
});
