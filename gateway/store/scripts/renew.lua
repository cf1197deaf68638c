#!lua flags=allow-oom
-- Running calls keep their leases; one that is not known (any more) is taken in, with nothing reserved.
-- KEYS    leases, held; see admit.lua. None: only whether a script may write here.
-- ARGV    a lease's TTL and how long an ended one is kept (µs), call ids
-- Returns how many leases there are now of these.
if #KEYS == 0 then
  return {ok = '0'}
end

local function integer(number)
  return string.format('%.0f', number)
end

local lasts, kept = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local ends = integer(time[1] * 1000000 + time[2] + lasts)
local held = redis.call('HMGET', KEYS[2], unpack(ARGV, 3))
local renewed = 0
for index = 3, #ARGV do
  local state = held[index - 2]
  if state ~= 'void' then
    if not state then
      redis.call('HSET', KEYS[2], ARGV[index], '0 0')
    end
    redis.call('ZADD', KEYS[1], ends, ARGV[index])
    renewed = renewed + 1
  end
end
redis.call('PEXPIRE', KEYS[1], integer((lasts + kept) / 1000))
redis.call('PEXPIRE', KEYS[2], integer((lasts + kept) / 1000))
return {ok = integer(renewed)}
