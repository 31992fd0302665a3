import assert from "node:assert/strict";
import test from "node:test";
import { ClientAddresses } from "../../src/access/client-address.js";

const none = new ClientAddresses([]);
const some = new ClientAddresses(["10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1"]);

test("without trusted proxies nobody is believed but the connection", () => {
  assert.equal(none.of("203.0.113.9", "198.51.100.7"), "203.0.113.9");
  assert.equal(none.of("127.0.0.1", "198.51.100.7"), "127.0.0.1");
});

test("behind a trusted proxy the client is who the last trusted one has seen", () => {
  assert.equal(some.of("10.1.2.3", "198.51.100.7"), "198.51.100.7");
  assert.equal(some.of("10.1.2.3", "198.51.100.7, 10.9.9.9, 192.0.2.1"), "198.51.100.7");
  assert.equal(some.of("::ffff:10.1.2.3", ["198.51.100.7", "10.9.9.9"]), "198.51.100.7");
  assert.equal(some.of("::1", " 198.51.100.7 "), "198.51.100.7");
});

test("what a client writes into the header itself is never reached", () => {
  assert.equal(some.of("10.1.2.3", "1.1.1.1, 10.0.0.1, 198.51.100.7"), "198.51.100.7");
  assert.equal(some.of("198.51.100.7", "1.1.1.1"), "198.51.100.7");
});

test("an entry that is no address counts as its writer's", () => {
  for (const entry of ["unknown", "", "_hidden", "1.2.3", "::ffff:", "1.2.3.4.5", "for=1.2.3.4"])
    assert.equal(some.of("10.1.2.3", `198.51.100.7, ${entry}`), "10.1.2.3", entry);
});

test("a port behind an address is left out", () => {
  assert.equal(some.of("10.1.2.3", "198.51.100.7:51234"), "198.51.100.7");
  assert.equal(some.of("10.1.2.3", "[2001:db8:1:2:3::4]:51234"), "2001:db8:1:2::/64");
  assert.equal(some.of("10.1.2.3", "[2001:db8:1:2:3::4]"), "2001:db8:1:2::/64");
});

test("of IPv6 a /64 is one address, and IPv4 in IPv6 is IPv4", () => {
  assert.equal(none.of("2001:db8:1:2:3:4:5:6", undefined), none.of("2001:db8:1:2::ffff", undefined));
  assert.notEqual(none.of("2001:db8:1:2::1", undefined), none.of("2001:db8:1:3::1", undefined));
  assert.equal(none.of("::ffff:203.0.113.9", undefined), "203.0.113.9");
});

test("a chain of trusted proxies alone ends at its first", () => {
  assert.equal(some.of("10.1.2.3", "10.0.0.7, 10.0.0.8"), "10.0.0.7");
});

test("a connection without an address has none", () => {
  assert.equal(some.of(undefined, "198.51.100.7"), undefined);
  assert.equal(some.trusts(undefined), false);
  assert.deepEqual([some.trusts("10.200.0.1"), some.trusts("fd12::1"), some.trusts("11.0.0.1")], [true, true, false]);
});

test("a very long header is walked no further than what is trusted", () => {
  const startedAtMs = performance.now();
  assert.equal(some.of("198.51.100.7", "1.1.1.1,".repeat(100_000)), "198.51.100.7");
  assert.ok(performance.now() - startedAtMs < 1_000);
});
