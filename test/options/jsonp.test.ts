/** JSONP polling: Engine.IO 4 has no client for it any more, but the server still speaks it. */
import assert from "node:assert/strict";
import test from "node:test";
import { compare, handshake, seen, type Seen, type Site } from "./sites.js";

/** A payload as a form posts it: browsers change line breaks in it, so escaped ones are escaped once more. */
const form = (payload: string): string => new URLSearchParams({ d: payload.replaceAll("\\n", "\\\\n") }).toString();

async function visit(site: Site, query: string, send: (packet: string) => string) {
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const { response, sid, target } = await handshake(site, { query });
  const connection = await site.connect(sid);
  const answers: Seen[] = [];
  const ask = async (body?: string): Promise<void> => {
    const answer = await connection.request({ target, ...(body === undefined ? {} : { headers, body }) });
    answers.push(seen({ ...answer, text: answer.text.replace(/\\"sid\\":\\"[\w-]+/, '\\"sid\\":\\"SOCKET') }, sid));
  };
  const opened = seen(response, sid);
  if (query.includes("EIO=4")) await ask(form(send("40")));
  await ask();
  await ask(form(send('420["echo","a\\n\u2028<\\"🐚"]')));
  await ask();
  await ask(form(send('421["repeat","0123456789",1000]')));
  await ask();
  await ask("no form at all");
  return { opened, answers };
}

/** What a page hears: the argument its callback is called with. */
function heard({ text }: Seen, callback: number): string {
  // In JavaScript before 2019 these two ended a line inside a string.
  assert.doesNotMatch(text, /[\u2028\u2029]/);
  const [, argument = ""] = new RegExp(`^___eio\\[${callback}\\]\\((.*)\\);$`).exec(text) ?? [];
  return JSON.parse(argument) as string;
}

/** As Engine.IO 3 counts. */
const framed = (packet: string): string => `${packet.length}:${packet}`;

const ECHOED = '430["a\\n\u2028<\\"🐚"]';
const REPEATED = `431["${"0123456789".repeat(1000)}"]`;

test("a session by JSONP goes as on a stock server, and its callback is a number alone", async (t) => {
  const { opened, answers } = await compare(t, {}, (site) =>
    visit(site, "EIO=4&j=7%29%3Balert%281", (packet) => packet),
  );
  assert.match(heard(opened, 71), /^0\{/);
  const [joined, , , echo, posted, repeat] = answers;
  assert.ok(joined && echo && posted && repeat);
  assert.deepEqual([joined.text, posted.text], ["ok", "ok"]);
  assert.deepEqual([heard(echo, 71), heard(repeat, 71)], [ECHOED, REPEATED]);
});

test("a session of Engine.IO 3 by JSONP goes as on a stock server", async (t) => {
  const { opened, answers } = await compare(t, { allowEIO3: true }, (site) => visit(site, "EIO=3&b64=1&j=0", framed));
  assert.match(heard(opened, 0), /^\d+:0\{/);
  const [, , echo, , repeat] = answers;
  assert.ok(echo && repeat);
  assert.deepEqual([heard(echo, 0), heard(repeat, 0)], [framed(ECHOED), framed(REPEATED)]);
});
