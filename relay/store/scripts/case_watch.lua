-- Counts what an operator opens, in sliding windows, and raises an alarm where that is unusual, once in
-- a window. KEYS[1] is `{pN}:alarms`.
-- ARGV: operator, case, what was opened (case | reading), cases an hour, cases a day, readings an hour,
-- readings of one party's evidence in a week; then, of a reading, its parties.
-- Returns {id, kind, count, party or '', ...} of the alarms raised now.
local operator, case, what = ARGV[1], ARGV[2], ARGV[3]
local HOUR, DAY = 3600000, 86400000
local KEPT = 90 * DAY
local now = now_ms()
local raised = {}

local function count(kind, member, window_ms, limit, party)
  local key = TAG .. ':watch:' .. operator .. ':' .. kind .. (party and ':' .. party or '')
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now - window_ms))
  redis.call('ZADD', key, int(now), member)
  redis.call('PEXPIRE', key, window_ms)
  local n = redis.call('ZCARD', key)
  if n <= tonumber(limit) then return end
  if not redis.call('SET', key .. ' alarmed', '1', 'NX', 'PX', window_ms) then return end
  local id = int(redis.call('INCR', TAG .. ':watch_n'))
  redis.call('HSET', KEYS[1], id, cjson.encode({
    at = now, operator = operator, kind = kind, count = n, party = party or '', acknowledged_by = '', acknowledged_at = 0 }))
  emit({ kind = 'watch.alarm', alarm = kind, operator = operator, count = n, party = party or '' })
  for _, one in ipairs({ id, kind, int(n), party or '' }) do raised[#raised + 1] = one end
end

if what == 'case' then
  count('cases_per_hour', case, HOUR, ARGV[4])
  count('cases_per_day', case, DAY, ARGV[5])
else
  local n = int(redis.call('INCR', TAG .. ':watch_n'))
  count('readings_per_hour', n, HOUR, ARGV[6])
  -- To turn a page back and forth within the hour is one reading of what a party wrote.
  if redis.call('SET', TAG .. ':watch:' .. operator .. ':reads:' .. case, '1', 'NX', 'PX', HOUR) then
    for i = 8, #ARGV do count('same_party', n, 7 * DAY, ARGV[7], ARGV[i]) end
  end
end

if #raised > 0 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local alarm = cjson.decode(all[i + 1])
    if alarm.acknowledged_at > 0 and alarm.acknowledged_at < now - KEPT then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return raised
