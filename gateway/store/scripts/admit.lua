#!lua
-- One call is checked against everything its caller is held to, then charged for all of it or for nothing.
-- KEYS    requests and tokens (the microsecond in which the bucket is full again), leases (call id by the end of its
--         lease), held (call id -> tokens' cost and micro-USD reserved, or "void"), spend (only with a budget)
-- ARGV    call id; its tokens' cost and the micro-USD reserved; a request's cost and the bucket's capacity; the tokens'
--         capacity; streams; the budget; its key's TTL (s); a lease's TTL and how long an ended one is kept.
--         Times in microseconds. -1 is no limit.
-- Returns "admitted requests tokens streams spent", debts in microseconds, as it stands afterwards.
local OVERDRAFT, CLEANED = 10, 100

-- Whole numbers below 2^53 are written with all their digits.
local call, floor, max = redis.call, math.floor, math.max
local id, lasts, kept = ARGV[1], tonumber(ARGV[10]), tonumber(ARGV[11])
local request, most_requests = tonumber(ARGV[4]), tonumber(ARGV[5])
local cost, most_tokens = tonumber(ARGV[2]), tonumber(ARGV[6])
local streams, reserved, budget = tonumber(ARGV[7]), tonumber(ARGV[3]), tonumber(ARGV[8])
local time = call('TIME')
local now = time[1] * 1000000 + time[2]

local function owe(key, debt)
  call('SET', key, now + debt, 'PX', floor(debt / 1000) + 2)
end

-- More debt than `most` was written before the clock went back, and is put right. A call may overdraw its tokens.
local function debt_of(key, most)
  local debt = most < 0 and 0 or max(0, (call('GET', key) or now) - now)
  if debt > most and most >= 0 then
    owe(key, most)
    return most
  end
  return debt
end

local requests, tokens = debt_of(KEYS[1], most_requests), debt_of(KEYS[2], OVERDRAFT * most_tokens)
-- A lease that ends after that was written before the clock went back.
local running = call('ZCOUNT', KEYS[3], '(' .. string.format('%.0f', now), now + kept)
local spent = budget >= 0 and tonumber(call('GET', KEYS[5]) or 0) or 0
local held = call('HGET', KEYS[4], id)

local admitted = held and held ~= 'void'
if not held and (most_requests < 0 or requests + request <= most_requests)
    and (most_tokens < 0 or tokens + cost <= most_tokens)
    and (streams < 0 or running < streams) and (budget < 0 or spent + reserved <= budget) then
  admitted, running = true, running + 1
  if most_requests >= 0 then
    requests = requests + request
    owe(KEYS[1], requests)
  end
  if most_tokens >= 0 and cost > 0 then
    tokens = tokens + cost
    owe(KEYS[2], tokens)
  end
  if budget >= 0 then
    spent = spent + reserved
    call('SET', KEYS[5], spent, 'EX', ARGV[9])
  end
  call('HSET', KEYS[4], id, ARGV[2] .. ' ' .. ARGV[3])
  -- An ended lease is kept for a while: the call may yet live, and its settlement finds what it reserved.
  local ended = call('ZRANGEBYSCORE', KEYS[3], '-inf', now - kept, 'LIMIT', 0, CLEANED)
  if #ended > 0 then
    call('ZREM', KEYS[3], unpack(ended))
    call('HDEL', KEYS[4], unpack(ended))
  end
end
if admitted then
  local lives = floor((lasts + kept) / 1000)
  call('ZADD', KEYS[3], now + lasts, id)
  call('PEXPIRE', KEYS[3], lives)
  call('PEXPIRE', KEYS[4], lives)
end
return {ok = string.format('%d %.0f %.0f %.0f %.0f', admitted and 1 or 0, requests, tokens,
  streams >= 0 and running or 0, spent)}
