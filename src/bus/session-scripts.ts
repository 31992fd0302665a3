/**
 * What happens to a session inside Redis, each in one step.
 *
 * KEYS[1] is a hash of one session: `g` its generation, `o` the uid of the node that owns it, `n` its namespace, `r` its record. Of a session that has ended
 * after it was taken over, `g` and `o` stay for a while: a late write of a former owner would bring it back.
 */

/**
 * ARGV: generation, uid, namespace, record, time to live in ms.
 * → 1, or 0 where the session is another node's or of a younger generation by now.
 */
export const SAVE = `
local key, generation, uid = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local known = redis.call("HMGET", key, "g", "o")
local last = tonumber(known[1] or 0)
if last > generation or (last == generation and known[2] ~= uid) then return 0 end
redis.call("HSET", key, "g", generation, "o", uid, "n", ARGV[3], "r", ARGV[4])
redis.call("PEXPIRE", key, ARGV[5])
return 1
`;

/**
 * ARGV: uid of the node that takes it, namespace, time to live in ms.
 * → ["taken", the new generation, uid of the owner until now, record], ["unknown"], or ["namespace"].
 */
export const TAKE = `
local key, uid = KEYS[1], ARGV[1]
local known = redis.call("HMGET", key, "g", "o", "n", "r")
if not known[4] then return {"unknown"} end
if known[3] ~= ARGV[2] then return {"namespace"} end
local generation = tonumber(known[1]) + 1
redis.call("HSET", key, "g", generation, "o", uid)
redis.call("PEXPIRE", key, ARGV[3])
return {"taken", generation, known[2], known[4]}
`;

/**
 * ARGV: uid of the owner, time in ms for which its end is remembered.
 * → 1, or 0 where the session is another node's.
 */
export const END = `
local key, uid = KEYS[1], ARGV[1]
local known = redis.call("HMGET", key, "g", "o")
if not known[1] or known[2] ~= uid then return 0 end
if tonumber(known[1]) <= 1 then
  redis.call("DEL", key)
else
  redis.call("HDEL", key, "n", "r")
  redis.call("PEXPIRE", key, ARGV[2])
end
return 1
`;
