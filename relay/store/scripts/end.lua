-- Ends a trip: at once, or after a grace that only ever shortens the time left.
-- ARGV: trip, grace_s, detail. Returns {state, closed or '', deadline or ''}.
local trip, grace_s, detail = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = now_ms()
local state = state_of(trip, now)
local following = step(state, grace_s > 0 and 'end_later' or 'end')

if state == 'absent' then
  -- The end overtook its open: a tombstone, so that the open finds the channel closed.
  tombstone(trip, 'ended', detail, now)
elseif state ~= 'closed' and following == 'closed' then
  close(trip, 'ended', detail, now)
elseif following == 'grace' then
  local before = tonumber((get(trip, 'deadline')))
  local deadline = int(math.min(before, now + grace_s * 1000))
  end_later(trip, deadline, detail, now)
end
if state == 'closed' then
  -- So that there is a write to wait for. It frees first, so that it works in a store that is full.
  redis.call('HDEL', KEYS[1], 'ended_again')
  redis.call('HSET', KEYS[1], 'ended_again', int(now))
end
local closed, deadline = get(trip, 'closed', 'deadline')
return { following, closed or '', deadline or '' }
