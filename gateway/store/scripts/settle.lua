#!lua flags=allow-oom
-- A call ended: its lease is free, and what it reserved becomes what it used. Runs once, however often it is sent.
-- KEYS    requests, tokens, leases, held, spend (only with a budget); see admit.lua
-- ARGV    call id; what its tokens cost (µs) and what it paid (micro-USD); mode; what its request cost, if that is given
--         back too, else 0; the TTL of its budget's key (s); how long an ended lease is kept (µs).
--         Modes say what may still be under way elsewhere, and so what an unknown call means:
--         first  nothing: it is charged in full, its reservation was lost
--         again  the same settlement: nothing is charged, that one has run
--         once   its admission: it is charged in full, and must not be admitted any more
-- Returns 1 if it was settled now, else 0.

-- Whole numbers below 2^53 are written with all their digits.
local call = redis.call
local id, mode = ARGV[1], ARGV[4]
local held = call('HGET', KEYS[4], id)
if held == 'void' or (mode == 'again' and not held) then
  return {ok = '0'}
end
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, micro_usd = 0, 0
if held then
  cost, micro_usd = string.match(held, '^(%d+) (%d+)$')
end

local function charge(key, change)
  if change == 0 then
    return
  end
  local debt = math.max(0, (call('GET', key) or now) - now) + change
  if debt > 0 then
    call('SET', key, now + debt, 'PX', math.floor(debt / 1000) + 2)
  else
    call('DEL', key)
  end
end

if mode == 'first' then
  call('ZREM', KEYS[3], id)
  call('HDEL', KEYS[4], id)
else
  -- Whatever comes late finds this mark, and leaves it alone.
  local lives = math.floor(ARGV[7] / 1000)
  call('ZADD', KEYS[3], now, id)
  call('HSET', KEYS[4], id, 'void')
  call('PEXPIRE', KEYS[3], lives)
  call('PEXPIRE', KEYS[4], lives)
end
if KEYS[5] then
  call('INCRBY', KEYS[5], ARGV[3] - micro_usd)
  call('EXPIRE', KEYS[5], ARGV[6])
end
charge(KEYS[2], ARGV[2] - cost)
if held then
  charge(KEYS[1], -ARGV[5])
end
return {ok = '1'}
