/**
 * A batch of entries as one command. Of a transaction with an XADD for each, the client's account of each command was most of what it cost the node.
 *
 * All of it or nothing: what a full or read-only Redis refuses, it refuses at the first write, and what has begun is carried out.
 */
import type { RedisArgument } from "../lib/redis-command.js";
import { bundledFrom, bundleOf } from "./bundle.js";
import { SEEN, type Watched } from "./bundling.js";
import { encodeEntry, type StreamEntry } from "./entry.js";

export interface Batch {
  readonly stream: string;
  /** Entries before this id are trimmed; nothing where it is empty. */
  readonly trimsTo: string;
  readonly entries: readonly StreamEntry[];
  /** Undefined: each message is an entry. */
  readonly watched: Watched | undefined;
}

/**
 * KEYS: the stream, and with bundles the plain key. ARGV: the id to trim to or nothing; both channels and the retention of {@link SEEN}, empty without bundles;
 * then for each entry how many fields it has, and the fields; for each bundle 0, and `uid`, namespace, messages and `l` of the entry. → the id of the last
 * entry, and as of `seen`: above 0 each message of a bundle has become an entry, as if it had been written alone.
 */
const ADD_ALL = `${SEEN}
local stream, trimsTo, at, id, result = KEYS[1], ARGV[1], 5, false, 0
if KEYS[2] then result = seen(KEYS[2], ARGV[2], ARGV[3], ARGV[4]) end

local function add(...)
  if trimsTo == "" then
    id = redis.call("XADD", stream, "*", ...)
  else
    id = redis.call("XADD", stream, "MINID", "~", trimsTo, "*", ...)
    trimsTo = ""
  end
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
    local uid, nsp, messages, header = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    if result > 0 then
      addEach(uid, nsp, messages)
    else
      add("uid", uid, "s", nsp, "b", messages, "l", header)
    end
    at = at + 5
  else
    local last = at + ARGV[at]
    add(unpack(ARGV, at + 1, last))
    at = last + 1
  end
end
return {id, result}
`;

/** Fewer messages are not worth it. */
const MIN_BUNDLED = 2;

/** @returns the arguments of EVAL */
export function addAll({ stream, trimsTo, entries, watched }: Batch): RedisArgument[] {
  const args: RedisArgument[] = [];
  let hasBundles = false;
  for (let at = 0; at < entries.length;) {
    const count = watched === undefined ? 0 : bundledFrom(entries, at);
    const first = entries[at];
    if (first === undefined) break;
    if (count < MIN_BUNDLED) {
      const fields = encodeEntry(first);
      args.push(fields.length, ...fields);
      at++;
      continue;
    }
    const { nsp, messages, header } = bundleOf(entries.slice(at, at + count));
    args.push(0, first.uid, nsp, messages, header);
    hasBundles = true;
    at += count;
  }
  if (watched === undefined || !hasBundles) return [ADD_ALL, 1, stream, trimsTo, "", "", "", ...args];
  const { plainKey, all, readers, retentionMs } = watched;
  return [ADD_ALL, 2, stream, plainKey, trimsTo, all, readers, retentionMs, ...args];
}
