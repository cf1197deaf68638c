#!lua flags=no-writes
-- How far a caller's limits are used; nothing is charged.
-- KEYS    requests, tokens, leases, spend (only with a budget); see admit.lua
-- ARGV    capacity of the requests' and of the tokens' bucket; streams; how long an ended lease is kept. -1 is no limit.
-- Returns "1 requests tokens streams spent" as admit.lua does.

local OVERDRAFT = 10
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function debt(key, capacity, most)
  if capacity < 0 then
    return 0
  end
  return math.max(0, math.min(most, tonumber(redis.call('GET', key) or now) - now))
end

local requests, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])
local running = 0
if tonumber(ARGV[3]) >= 0 then
  running = redis.call('ZCOUNT', KEYS[3], string.format('(%.0f', now), string.format('%.0f', now + ARGV[4]))
end
return {ok = string.format('1 %.0f %.0f %.0f %.0f', debt(KEYS[1], requests, requests),
  debt(KEYS[2], tokens, OVERDRAFT * tokens), running, KEYS[4] and redis.call('GET', KEYS[4]) or 0)}
