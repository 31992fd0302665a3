import assert from "node:assert/strict";
import test from "node:test";
import { AddressTable } from "../../src/access/address-table.js";

const MINUTE_MS = 60_000;

test("an address has so many sessions at once, over all workers, and more when some have ended", () => {
  const table = new AddressTable({ maxSessions: 3, maxPerMinute: null });
  for (const worker of [1, 2, 1]) assert.equal(table.enter(worker, "a", 0), "entered");
  const refused = table.enter(2, "a", 0);
  assert.ok(refused !== "entered" && refused.reason === "address_sessions");
  assert.equal(table.enter(2, "b", 0), "entered");
  table.leave(1, "a");
  assert.equal(table.ask("a", 0), "entered");
  assert.equal(table.enter(2, "a", 0), "entered");
  assert.notEqual(table.ask("a", 0), "entered");
});

test("a worker that ends takes its sessions along, and what it says later changes nothing", () => {
  const table = new AddressTable({ maxSessions: 2, maxPerMinute: null });
  table.enter(1, "a", 0);
  table.enter(2, "a", 0);
  table.leaveAll(1);
  table.leave(1, "a");
  table.leave(1, "b");
  assert.equal(table.enter(3, "a", 0), "entered");
  assert.notEqual(table.enter(3, "a", 0), "entered");
});

test("an address opens so many sessions in a minute, at once or spread, and is told when the next may come", () => {
  const table = new AddressTable({ maxSessions: null, maxPerMinute: 6 });
  for (let i = 0; i < 6; i++) {
    assert.equal(table.enter(1, "a", 0), "entered");
    table.leave(1, "a");
  }
  assert.deepEqual(table.enter(1, "a", 0), { reason: "address_rate", retryAfterMs: 10_000 });
  // What is refused costs nothing.
  for (let i = 0; i < 100; i++) table.enter(1, "a", 5_000);
  assert.equal(table.enter(1, "a", 10_000), "entered");
  assert.notEqual(table.enter(1, "a", 10_000), "entered");
});

test("an address is forgotten when it has no session and its minute is over", () => {
  const table = new AddressTable({ maxSessions: 5, maxPerMinute: 5 });
  for (let i = 0; i < 1_000; i++) {
    table.enter(1, `gone-${i}`, 0);
    table.leave(1, `gone-${i}`);
  }
  table.enter(1, "here", 0);
  table.enter(1, "other", 2 * MINUTE_MS);
  assert.equal(table.size, 2);
});
