-- Counts sign-ins that did not succeed, for a few subjects at once (an operator from one address, an
-- operator, an address), and locks a subject that has had too many.
-- KEYS[1] begins with the hash tag. ARGV: begin | failed | passed | forget, the attempt's id, now, the window in
-- which they count, for how long a lock holds, how many of them get audit entries in a window, then for
-- each subject its digest and the most it may have. Times in ms.
-- An attempt counts from its beginning, so that many at once are not more than the most.
-- begin returns until when one of the subjects is locked, or 0; failed returns {whether it is to be
-- written down, how many were not since the last that was, then a 1 or 0 for each subject
-- that this locked}; passed returns how many were not written down.
local command, attempt = ARGV[1], ARGV[2]
local now, window, lock, written_most =
  tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local written, unwritten = TAG .. ':written', TAG .. ':unwritten'

local function tried(i) return TAG .. ':tried:' .. ARGV[i] end
local function failing(i) return TAG .. ':failing:' .. ARGV[i] end
local function locked(i) return TAG .. ':locked:' .. ARGV[i] end

local function take_unwritten()
  local count = tonumber(redis.call('GET', unwritten) or '0')
  redis.call('DEL', unwritten)
  return count
end

if command == 'begin' then
  local until_ms = 0
  for i = 7, #ARGV, 2 do
    redis.call('ZREMRANGEBYSCORE', tried(i), '-inf', '(' .. int(now - window))
    local held = tonumber(redis.call('GET', locked(i)) or '0')
    -- As many as may fail are under way; one of them will lock it or make room.
    if held <= now and redis.call('ZCARD', tried(i)) >= tonumber(ARGV[i + 1]) then held = now + 1000 end
    until_ms = math.max(until_ms, held)
  end
  if until_ms > now then
    redis.call('INCR', unwritten)
    return until_ms
  end
  for i = 7, #ARGV, 2 do
    redis.call('ZADD', tried(i), int(now), attempt)
    redis.call('PEXPIRE', tried(i), window)
  end
  return 0
end

if command ~= 'failed' then
  for i = 7, #ARGV, 2 do redis.call('ZREM', tried(i), attempt) end
  if command == 'forget' then return 0 end
  redis.call('DEL', tried(7), failing(7))  -- the person's own mistakes from there are forgiven
  return take_unwritten()
end

local locks, any = {}, false
-- The first that has failed, however many are under way beside it.
local first = redis.call('SET', failing(7), '1', 'NX', 'PX', window)
for i = 7, #ARGV, 2 do
  local now_locked = redis.call('ZCARD', tried(i)) >= tonumber(ARGV[i + 1])
  if now_locked then
    redis.call('SET', locked(i), int(now + lock), 'PX', lock)
    redis.call('DEL', tried(i), failing(i))
    any = true
  end
  locks[#locks + 1] = now_locked and 1 or 0
end
if first or any then
  local count = redis.call('INCR', written)
  if count == 1 then redis.call('PEXPIRE', written, window) end
  if count <= written_most then
    return { 1, take_unwritten(), unpack(locks) }
  end
end
redis.call('INCR', unwritten)
return { 0, 0, unpack(locks) }
