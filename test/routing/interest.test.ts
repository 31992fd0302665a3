import assert from "node:assert/strict";
import test from "node:test";
import { createSid, sidPrefix } from "../../src/routing/address.js";
import { Interest } from "../../src/routing/interest.js";

const a = { name: "a" };
const b = { name: "b" };
const c = { name: "c" };
const names = (members: ReadonlySet<{ name: string }>): string[] => [...members].map(({ name }) => name).sort();

function threeOpen(): Interest<{ name: string }> {
  const interest = new Interest<{ name: string }>();
  for (const member of [a, b, c]) interest.open("/", member);
  return interest;
}

test("a room's message goes to those with members in it, once each", () => {
  const interest = threeOpen();
  interest.join("/", "x", a);
  interest.join("/", "x", b);
  interest.join("/", "y", b);
  assert.deepEqual(names(interest.members("/", ["x"])), ["a", "b"]);
  assert.deepEqual(names(interest.members("/", ["x", "y"])), ["a", "b"]);
  assert.deepEqual(names(interest.members("/", ["z"])), []);
  interest.leave("/", "x", a);
  assert.deepEqual(names(interest.members("/", ["x"])), ["b"]);
});

test("a message to a namespace goes to those with sockets in it; a question to its servers goes to those that have it open", () => {
  const interest = threeOpen();
  interest.occupy("/", b);
  assert.deepEqual(names(interest.members("/", [])), ["b"]);
  assert.deepEqual(names(interest.opened("/")), ["a", "b", "c"]);
  interest.vacate("/", b);
  assert.deepEqual(names(interest.members("/", [])), []);
});

test("a room that is named as a member's sockets are is that member's, wherever it has sockets", () => {
  const interest = threeOpen();
  const prefixes = [a, b].map((member, slot) => {
    const prefix = sidPrefix({ node: 7, slot });
    interest.name(prefix, member);
    return prefix;
  });
  const [ofA, ofB] = prefixes.map((prefix) => createSid(prefix)) as [string, string];
  assert.deepEqual(names(interest.members("/", [ofA])), [], "without sockets it has none of that name");
  for (const member of [a, b, c]) interest.occupy("/", member);
  assert.deepEqual(names(interest.members("/", [ofA])), ["a"]);
  assert.deepEqual(names(interest.members("/", [ofA, ofB])), ["a", "b"]);
  assert.deepEqual(
    names(interest.members("/", [ofA.slice(1), `${ofA}0`, createSid(sidPrefix({ node: 7, slot: 2 }))])),
    [],
  );
  interest.join("/", ofA, c);
  assert.deepEqual(names(interest.members("/", [ofA])), ["a", "c"], "others that have joined it have reported it");
  interest.remove(a);
  assert.deepEqual(names(interest.members("/", [ofA])), ["c"]);
});

test("a successor of the same name is not forgotten with its predecessor", () => {
  const interest = threeOpen();
  const prefix = sidPrefix({ node: 0, slot: 0 });
  for (const member of [a, b]) {
    interest.name(prefix, member);
    interest.occupy("/", member);
  }
  interest.remove(a);
  assert.deepEqual(names(interest.members("/", [createSid(prefix)])), ["b"]);
});

test("namespaces do not share rooms, and one that nobody has open holds nothing", () => {
  const interest = threeOpen();
  interest.open("/n", a);
  interest.join("/n", "x", a);
  assert.deepEqual(names(interest.members("/", ["x"])), []);
  interest.close("/n", a);
  assert.equal(interest.namespaceCount, 1);
  interest.join("/n", "x", a);
  assert.deepEqual(names(interest.members("/n", ["x"])), []);
});

test("who is removed is forgotten everywhere, and nobody else is", () => {
  const interest = threeOpen();
  for (const room of ["x", "y"]) for (const member of [a, b]) interest.join("/", room, member);
  interest.open("/only-a", a);
  interest.remove(a);
  assert.deepEqual(names(interest.members("/", ["x", "y"])), ["b"]);
  assert.equal(interest.namespaceCount, 1);
});

test("a member's rooms are those of one namespace that it has reported, alone or with others", () => {
  const interest = threeOpen();
  interest.open("/n", a);
  for (const room of ["x", "y", ""]) interest.join("/", room, a);
  for (const member of [b, c]) interest.join("/", "x", member);
  interest.join("/", "z", b);
  interest.join("/n", "n", a);
  assert.deepEqual(interest.roomsOf("/", a).sort(), ["", "x", "y"]);
  assert.deepEqual(interest.roomsOf("/", b).sort(), ["x", "z"]);
  assert.deepEqual(interest.roomsOf("/", c), ["x"]);
  assert.deepEqual(interest.roomsOf("/n", a), ["n"]);
  assert.deepEqual(interest.roomsOf("/n", b), []);
  assert.deepEqual(interest.roomsOf("/nobody-has-it-open", a), []);
  interest.leave("/", "x", a);
  interest.leave("/", "y", a);
  assert.deepEqual(interest.roomsOf("/", a), [""]);
  interest.remove(b);
  assert.deepEqual(interest.roomsOf("/", b), []);
  assert.deepEqual(interest.roomsOf("/", c), ["x"]);
  interest.name(sidPrefix({ node: 1, slot: 1 }), c);
  interest.occupy("/", c);
  assert.deepEqual(interest.roomsOf("/", c), ["x"], "those named as its sockets are are not reported");
});

test("10,000 namespaces opened and closed leave nothing behind", () => {
  const interest = threeOpen();
  for (let i = 0; i < 10_000; i++) {
    interest.open(`/${i}`, a);
    interest.join(`/${i}`, "own", a);
    interest.leave(`/${i}`, "own", a);
    interest.close(`/${i}`, a);
  }
  assert.equal(interest.namespaceCount, 1);
  assert.equal(interest.roomCount, 0);
});
