-- Does what is due in one partition, by the store's clock. KEYS[1] is `{pN}:due`.
-- ARGV: at most how many. Returns how many it did.
local now = now_ms()
local due = redis.call('ZRANGE', KEYS[1], '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  local what, trip = string.match(member, '^(%l+):(.*)$')
  if what == 'close' then
    local state = state_of(trip, now)
    -- Nothing to close: the record is gone or was closed by another way.
    if state ~= 'open' and state ~= 'grace' then
      redis.call('ZREM', KEYS[1], member)
      redis.call('ZREM', TAG .. ':open', trip)
    end
  elseif what == 'events' then
    redis.call('ZREM', KEYS[1], member)
    events_due(now)
  elseif what == 'case' then
    redis.call('ZREM', KEYS[1], member)
    case_due(trip, now)
  elseif held_until(trip) > now then
    redis.call('ZADD', KEYS[1], int(held_until(trip)), member)
  else
    local epochs = tonumber((get(trip, 'epoch'))) or 0
    for epoch = 1, epochs do redis.call('DEL', kept_key(trip, int(epoch))) end
    if what == 'record' then
      redis.call('DEL', trip_key(trip), line_key(trip))
    else
      redis.call('HDEL', trip_key(trip), 'messages_key')
    end
    redis.call('ZREM', KEYS[1], member)
  end
end
return #due
