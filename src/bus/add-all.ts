/**
 * A batch of entries as one command. Of a transaction with an XADD for each, the client's account of each command was most of what it cost the node.
 *
 * All of it or nothing: what a full or read-only Redis refuses, it refuses at the first write, and what has begun is carried out.
 */
import type { RedisArgument } from "../lib/redis-command.js";
import { bundledFrom, bundleOf } from "./bundle.js";
import { encodeEntry, type StreamEntry } from "./entry.js";

/** Whether messages may share an entry is seen by who is subscribed, in the instant of writing. */
export interface Bundling {
  /** There while servers that cannot read bundles may still read what is written now. */
  readonly plainKey: string;
  /** Channel of all servers with the namespace open. */
  readonly publicName: (nsp: string) => string;
  /** Channel of those that read bundles. */
  readonly bundleName: (nsp: string) => string;
}

export interface Batch {
  readonly stream: string;
  /** Entries before this id are trimmed; nothing where it is empty. */
  readonly trimsTo: string;
  readonly retentionMs: number;
  readonly entries: readonly StreamEntry[];
  /** Undefined: each message is an entry. */
  readonly bundling: Bundling | undefined;
}

/**
 * KEYS: the stream, and with bundles the plain key. ARGV: the id to trim to or nothing, the retention in ms, then for each entry how many fields it has, and
 * the fields; for each bundle 0, the channels of all and of those that read it, `uid`, namespace, messages and `l` of the entry. → the id of the last one.
 *
 * Where a server is subscribed that reads no bundles, each message becomes an entry, and so for the retention after it was last seen: it may have lost its
 * subscriptions and read on where it was. One whose subscriptions are sharded counts as such, and so does whatever Redis does not say.
 */
const ADD_ALL = `
local stream, plainKey, trimsTo, retentionMs, at, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2], 3, false

local function add(...)
  if trimsTo == "" then
    id = redis.call("XADD", stream, "*", ...)
  else
    id = redis.call("XADD", stream, "MINID", "~", trimsTo, "*", ...)
    trimsTo = ""
  end
end

local plain = {}
local function isPlain(all, readers)
  if plain[all] == nil then
    if redis.call("EXISTS", plainKey) == 1 then
      plain[all] = true
    else
      local counts, sharded = redis.call("PUBSUB", "NUMSUB", all, readers), redis.pcall("PUBSUB", "SHARDNUMSUB", all)
      local hasSharded = sharded[2] ~= 0
      if sharded.err then hasSharded = not string.find(string.lower(sharded.err), "unknown subcommand") end
      plain[all] = counts[2] ~= counts[4] or hasSharded
      if plain[all] then
        redis.call("HSET", plainKey, "since", id or "")
        redis.call("PEXPIRE", plainKey, retentionMs)
      end
    end
  end
  return plain[all]
end

local function addEach(uid, nsp, messages)
  local from = 1
  while from <= #messages do
    local _, last, type, header, data = string.find(messages, "^(%d+) (%d+) (%d+)\\n", from)
    local dataFrom = last + header + 1
    from = dataFrom + data
    add("uid", uid, "nsp", nsp, "type", type, "data", string.sub(messages, dataFrom, from - 1),
      "l", string.sub(messages, last + 1, dataFrom - 1))
  end
end

while ARGV[at] do
  if ARGV[at] == "0" then
    local uid, nsp, messages, header = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
    if isPlain(ARGV[at + 1], ARGV[at + 2]) then
      addEach(uid, nsp, messages)
    else
      add("uid", uid, "s", nsp, "b", messages, "l", header)
    end
    at = at + 7
  else
    local last = at + ARGV[at]
    add(unpack(ARGV, at + 1, last))
    at = last + 1
  end
end
return id
`;

/** Fewer messages are not worth it. */
const MIN_BUNDLED = 2;

/** @returns the arguments of EVAL */
export function addAll({ stream, trimsTo, retentionMs, entries, bundling }: Batch): RedisArgument[] {
  const keys = bundling === undefined ? [stream] : [stream, bundling.plainKey];
  const args: RedisArgument[] = [ADD_ALL, keys.length, ...keys, trimsTo, retentionMs];
  for (let at = 0; at < entries.length;) {
    const count = bundling === undefined ? 0 : bundledFrom(entries, at);
    const [first] = entries.slice(at, at + 1);
    if (first === undefined) break;
    if (bundling === undefined || count < MIN_BUNDLED) {
      const fields = encodeEntry(first);
      args.push(fields.length, ...fields);
      at++;
      continue;
    }
    const { nsp, messages, header } = bundleOf(entries.slice(at, at + count));
    args.push(0, bundling.publicName(nsp), bundling.bundleName(nsp), first.uid, nsp, messages, header);
    at += count;
  }
  return args;
}
