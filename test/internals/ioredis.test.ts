/** ioredis 6.0.0: why `lib/redis-command.ts` makes commands of its own, and that these are what ioredis expects. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { Command } from "ioredis";
import { send } from "../../src/lib/redis-command.js";
import { startRedis } from "../support/redis.js";

const run = promisify(execFile);
const SCRIPT = path.join(import.meta.dirname, "collections.ts");

test("commands and their replies are collected while they are young; how many MiB of ioredis' own are not is printed", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  for (let n = 0; n < 24; n++)
    await client.xadd("s", "*", "uid", "0123456789abcdef", "type", "3", "data", "x".repeat(150));
  const grown = async (way: string): Promise<number> => {
    const { stdout } = await run(process.execPath, ["--import", "tsx", SCRIPT, String(redis.port), way]);
    return Number(stdout);
  };
  const [stock, own] = [await grown("stock"), await grown("own")];
  t.diagnostic(`old space has grown by ${stock} MiB with ioredis' own commands, by ${own} with limpet's`);
  assert.ok(own < 3, `${own} MiB were not collected`);
});

test("a command is made by the method that is replaced, with what that sets", () => {
  const prototype = Command.prototype as unknown as Record<string, unknown>;
  for (const name of ["initPromise", "stringifyArguments", "_convertValue", "_clearTimers"])
    assert.equal(typeof prototype[name], "function", name);
  const own = Object.keys(new Command("GET", ["key"], { replyEncoding: "utf8" }));
  assert.deepEqual(
    ["isResolved", "isSettled", "transformed", "promise", "resolve", "reject"].filter((name) => !own.includes(name)),
    [],
  );
});

test("replies, errors and lost connections reach who has sent the command", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client({
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  });
  await once(client, "ready");
  assert.equal(await send(client, "SET", ["key", Buffer.from("é\0")], "utf8"), "OK");
  assert.equal(await send(client, "GET", ["key"], "utf8"), "é\0");
  assert.deepEqual(await send(client, "GET", ["key"], null), Buffer.from("é\0"));
  assert.equal(await send(client, "INCRBY", ["n", 7], "utf8"), 7);
  await assert.rejects(send(client, "HGET", ["key", "field"], "utf8"), /WRONGTYPE/);
  const lost = assert.rejects(
    send(client, "BLPOP", ["nothing", 0], "utf8"),
    /max retries|Connection is closed|aborted/,
  );
  client.disconnect();
  await lost;
});
