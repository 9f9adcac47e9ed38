-- Keeps a trip's messages for the law, or lets them go. It never brings a number back.
-- ARGV: trip, until_ms (0 releases), the wrapped key as it was read, the wrapped key to put in its place
-- ('' leaves it). Returns {outcome}; outcome: ok | changed | gone (the messages are destroyed) | no_trip.
local trip, until_ms = ARGV[1], tonumber(ARGV[2])
local now = now_ms()
local state = state_of(trip, now)
local _, refusal = step(state, 'hold')
if refusal then return { refusal } end
local key, closed, retention_s, epoch = get(trip, 'messages_key', 'closed', 'retention_s', 'epoch')
if not key then return { 'gone' } end
if key ~= ARGV[3] then return { 'changed' } end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'messages_key', ARGV[4]) end
if until_ms > 0 then
  redis.call('HSET', KEYS[1], 'hold', int(until_ms))
  note(trip, now, 'held', '', int(until_ms))
else
  redis.call('HDEL', KEYS[1], 'hold')
  note(trip, now, 'released')
  if state ~= 'closed' and tonumber(retention_s) == 0 then
    for old = 1, tonumber(epoch) - 1 do redis.call('DEL', kept_key(trip, int(old))) end
  end
end
if state == 'closed' then
  local keep_ms, window_ms = kept_ms(trip, tonumber(closed), now), tonumber((get(trip, 'report_window_s'))) * 1000
  local due, record_due = now + math.max(0, keep_ms), math.max(now + keep_ms, closed + window_ms) + TOMBSTONE_MS
  redis.call('ZADD', TAG .. ':due', int(due), 'messages:' .. trip, int(math.max(now, record_due)), 'record:' .. trip)
end
-- What was put off until the end of the hold is looked at anew.
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.match(fields[i], '^report%.') then redis.call('ZADD', TAG .. ':due', int(now), 'case:' .. fields[i + 1]) end
end
return { 'ok' }
