-- Changes an open channel's deadline, allow list or policy.
-- ARGV: trip, deadline_ms or '', allow or '', policy or '', and with `allow`: all that was ever allowed
-- by then, and what that was when the caller asked.
-- Returns {outcome}; outcome: ok | past | ceiling | raced | no_trip | is_ending | is_closed.
local trip, deadline = ARGV[1], ARGV[2]
local now = now_ms()
local _, refusal = step(state_of(trip, now), 'change')
if refusal then return { refusal } end
if ARGV[3] ~= '' and ARGV[6] ~= (get(trip, 'allow_ever') or '') then return { 'raced' } end
if deadline ~= '' then
  if tonumber(deadline) <= now then return { 'past' } end
  if tonumber(deadline) > tonumber((get(trip, 'ceiling'))) then return { 'ceiling' } end
  redis.call('HSET', KEYS[1], 'deadline', deadline)
  redis.call('ZADD', TAG .. ':due', deadline, 'close:' .. trip)
  note(trip, now, 'deadline', '', deadline)
  tell({ op = 'state', trip = trip, state = 'open', deadline = tonumber(deadline) })
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'allow', ARGV[3], 'allow_ever', ARGV[5]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'policy', ARGV[4]) end
if ARGV[3] ~= '' or ARGV[4] ~= '' then
  -- A node that misses the message sees the count when it looks at the channel.
  redis.call('HINCRBY', KEYS[1], 'rules', 1)
  tell({ op = 'rules', trip = trip })
end
return { 'ok' }
