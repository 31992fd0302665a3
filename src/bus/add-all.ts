/**
 * A batch of entries as one command. Of a transaction with an XADD for each, the client's account of each command was most of what it cost the node.
 *
 * KEYS: the stream. ARGV: the id to trim to or nothing, then for each entry how many fields it has, and the fields. → the id of the last one.
 *
 * All of it or nothing: what a full or read-only Redis refuses, it refuses at the first entry, and what has begun is carried out.
 */
export const ADD_ALL = `
local stream, trimsTo, at, id = KEYS[1], ARGV[1], 2, false
while ARGV[at] do
  local last = at + ARGV[at]
  if at == 2 and trimsTo ~= "" then
    id = redis.call("XADD", stream, "MINID", "~", trimsTo, "*", unpack(ARGV, at + 1, last))
  else
    id = redis.call("XADD", stream, "*", unpack(ARGV, at + 1, last))
  end
  at = last + 1
end
return id
`;
