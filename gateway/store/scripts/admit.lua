#!lua
-- One call is checked against everything its caller is held to, then charged for all of it or for nothing.
-- KEYS    requests and tokens (the microsecond in which the bucket is full again), leases (call id by the end of its
--         lease), held (call id -> tokens' cost and micro-USD reserved, or "void"), spend (only with a budget)
-- ARGV    call id; a request's cost and the bucket's capacity; the tokens' cost and capacity; streams;
--         micro-USD reserved and the budget; its key's TTL (s); a lease's TTL and how long an ended one is kept.
--         Times in microseconds. -1 is no limit.
-- Returns "admitted requests tokens streams spent", debts in microseconds, as it stands afterwards.
local OVERDRAFT, CLEANED = 10, 100

local function integer(number)
  return string.format('%.0f', number)
end

local id, lasts, kept = ARGV[1], tonumber(ARGV[10]), tonumber(ARGV[11])
local requests = {key = KEYS[1], cost = tonumber(ARGV[2]), capacity = tonumber(ARGV[3])}
local tokens = {key = KEYS[2], cost = tonumber(ARGV[4]), capacity = tonumber(ARGV[5])}
local streams, reserved, budget = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function owe(bucket, debt)
  bucket.debt = debt
  redis.call('SET', bucket.key, integer(now + debt), 'PX', integer(math.ceil(debt / 1000) + 1))
end

-- More debt than `most` was written before the clock went back, and is put right. A call may overdraw its tokens.
local function look(bucket, most)
  bucket.debt = 0
  if bucket.capacity >= 0 then
    bucket.debt = math.max(0, tonumber(redis.call('GET', bucket.key) or now) - now)
    if bucket.debt > most then
      owe(bucket, most)
    end
  end
end

local function fits(bucket)
  return bucket.capacity < 0 or bucket.debt + bucket.cost <= bucket.capacity
end

local function charge(bucket)
  if bucket.capacity >= 0 and bucket.cost > 0 then
    owe(bucket, bucket.debt + bucket.cost)
  end
end

look(requests, requests.capacity)
look(tokens, OVERDRAFT * tokens.capacity)
-- A lease that ends after that was written before the clock went back.
local running = redis.call('ZCOUNT', KEYS[3], '(' .. integer(now), integer(now + kept))
local spent = budget >= 0 and tonumber(redis.call('GET', KEYS[5]) or 0) or 0
local held = redis.call('HGET', KEYS[4], id)

local admitted = held and held ~= 'void'
if not held and fits(requests) and fits(tokens) and (streams < 0 or running < streams)
    and (budget < 0 or spent + reserved <= budget) then
  admitted, running = true, running + 1
  charge(requests)
  charge(tokens)
  if budget >= 0 then
    spent = spent + reserved
    redis.call('SET', KEYS[5], integer(spent), 'EX', ARGV[9])
  end
  redis.call('HSET', KEYS[4], id, ARGV[4] .. ' ' .. ARGV[7])
  -- An ended lease is kept for a while: the call may yet live, and its settlement finds what it reserved.
  local ended = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', integer(now - kept), 'LIMIT', 0, CLEANED)
  if #ended > 0 then
    redis.call('ZREM', KEYS[3], unpack(ended))
    redis.call('HDEL', KEYS[4], unpack(ended))
  end
end
if admitted then
  redis.call('ZADD', KEYS[3], integer(now + lasts), id)
  redis.call('PEXPIRE', KEYS[3], integer((lasts + kept) / 1000))
  redis.call('PEXPIRE', KEYS[4], integer((lasts + kept) / 1000))
end
return {ok = string.format('%d %.0f %.0f %.0f %.0f', admitted and 1 or 0, requests.debt, tokens.debt,
  streams >= 0 and running or 0, spent)}
