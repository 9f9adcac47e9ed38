-- Tells a store what must not be undone, in case it has forgotten it: another one took its place.
-- ARGV: trip, then closed, reason, detail | reassigned, role letter, epoch | revoked, role letter, count |
-- state (that the trip ends with a grace), deadline, detail.
-- Returns 1 if it had forgotten.
local trip, what = ARGV[1], ARGV[2]
local now = now_ms()
local state = state_of(trip, now)
if what == 'closed' then
  if state == 'closed' then return 0 end
  if state == 'absent' then tombstone(trip, ARGV[3], ARGV[4], now) else close(trip, ARGV[3], ARGV[4], now) end
  return 1
end
if what == 'state' then
  local deadline, detail = ARGV[3], ARGV[4]
  if state == 'closed' then return 0 end
  if state == 'absent' then
    tombstone(trip, 'ended', detail, now)
  elseif now >= tonumber(deadline) then
    close(trip, 'ended', detail, now)
  elseif tonumber(deadline) < tonumber((get(trip, 'deadline'))) then
    end_later(trip, deadline, detail, now)
  else
    return 0
  end
  return 1
end
if state == 'absent' or state == 'closed' then return 0 end
local role = ARGV[3]
local known = tonumber((get(trip, what == 'revoked' and role .. '.revoked' or 'epoch'))) or 0
if known >= (tonumber(ARGV[4]) or 0) then return 0 end
if what == 'revoked' then
  redis.call('HDEL', KEYS[1], role .. '.seat', role .. '.tokens')
  redis.call('HSET', KEYS[1], role .. '.revoked', ARGV[4])
  note(trip, now, 'revoked', role)
  tell({ op = 'revoked', trip = trip, role = role, count = 0 })
  return 1
end
-- Who came instead is forgotten with it. Nobody sits there until the platform says again who does; but nothing
-- that is written from now on may be of the pairing that is over.
local lost = part(trip, role, ARGV[4], now)
note(trip, now, 'reassigned', role)
tell({ op = 'reassigned', trip = trip, role = role, epoch = tonumber(ARGV[4]),
  alias = (get(trip, role .. '.alias')), d = list(lost.d), c = list(lost.c), bars = list(bars_of(trip)) })
return 1
