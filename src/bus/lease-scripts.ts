/**
 * What happens to leases inside Redis, each in one step.
 *
 * KEYS[1] is a sorted set: each id ever used, with the time (ms, by Redis' clock) at which its lease runs out or was given back. KEYS[2] is a hash: id to
 * the record of its last holder, which outlives the lease, and goes when the lease is given back. Both keep at most one entry for each id there can be.
 */

const COMMON = `
local leases, nodes = KEYS[1], KEYS[2]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function holderOf(id)
  local text = redis.call("HGET", nodes, id)
  if not text then return nil end
  local ok, record = pcall(cjson.decode, text)
  if ok and type(record) == "table" and record.uid then return record, text end
end

local function take(id, record, leaseMs)
  redis.call("ZADD", leases, now + leaseMs, id)
  redis.call("HSET", nodes, id, record)
end

local function living()
  local ids = redis.call("ZRANGEBYSCORE", leases, "(" .. now, "+inf")
  local found = {}
  if #ids == 0 then return found end
  for i, text in ipairs(redis.call("HMGET", nodes, unpack(ids))) do
    if text then
      found[#found + 1] = ids[i]
      found[#found + 1] = text
    end
  end
  return found
end
`;

/** → [id, record, …] of the nodes that live. */
export const LIVING = `${COMMON}
return living()
`;

/**
 * ARGV: id, record, lease in ms, "running" or "starting", uid of a former holder that was looked for in vain.
 * → ["renewed" | "claimed", [id, record, …]], or ["held", record of the holder, ms until its lease runs out, when that is].
 *
 * A node that starts never takes what another holds. One that runs takes its id back from a node that has started later; the uid decides where both started at
 * once.
 */
export const CLAIM = `${COMMON}
local id, record, leaseMs, running, vacated = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == "running", ARGV[5]
local me = cjson.decode(record)
local other, text = holderOf(id)
local expires = tonumber(redis.call("ZSCORE", leases, id) or 0)
local mine = other and other.uid == me.uid
if other and not mine then
  local since = tonumber(other.startedAtMs) or 0
  local older = me.startedAtMs < since or (me.startedAtMs == since and me.uid < other.uid)
  local gone = expires <= now and other.uid == vacated
  if not (running and older) and not gone then
    return {"held", text, expires - now, expires}
  end
end
take(id, record, leaseMs)
return {(mine and expires > now) and "renewed" or "claimed", living()}
`;

/**
 * ARGV: record, lease in ms, quarantine in ms, number of ids, id and uid of a former holder that was looked for in vain (or two empty texts), ids to leave out ….
 * → ["claimed", id, whether it was in quarantine, [id, record, …]], ["probe", id, record of its last holder], or ["full"].
 *
 * First an id that nobody ever had, from 0 up; then the one that is free for the longest time.
 */
export const CLAIM_ANY = `${COMMON}
local record, leaseMs, quarantineMs, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local vacatedId, vacatedUid = ARGV[5], ARGV[6]

local known = {}
for _, id in ipairs(redis.call("ZRANGE", leases, 0, -1)) do known[id] = true end
for id = 0, count - 1 do
  if not known[tostring(id)] then
    take(id, record, leaseMs)
    return {"claimed", id, 0, living()}
  end
end

local leftOut = {}
for i = 7, #ARGV do leftOut[ARGV[i]] = true end
local free = redis.call("ZRANGEBYSCORE", leases, "-inf", now, "WITHSCORES")
for i = 1, #free, 2 do
  local id, since = free[i], tonumber(free[i + 1])
  if not leftOut[id] then
    local last, text = holderOf(id)
    if last and not (id == vacatedId and last.uid == vacatedUid) then return {"probe", id, text} end
    take(id, record, leaseMs)
    return {"claimed", id, (since + quarantineMs > now) and 1 or 0, living()}
  end
end
return {"full"}
`;

/** ARGV: id, uid. Gives the lease back where it is still that node's: nobody needs to look for it afterwards. */
export const RELEASE = `${COMMON}
local holder = holderOf(ARGV[1])
if holder and holder.uid == ARGV[2] then
  redis.call("ZADD", leases, now, ARGV[1])
  redis.call("HDEL", nodes, ARGV[1])
end
`;
