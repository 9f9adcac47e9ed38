-- Notes how far a party's device and the person are. Only forward, only by what the log holds, and only
-- while the channel is open: a write after the close would make a destroyed record anew.
-- KEYS: the trip's record, its log of that epoch. ARGV: trip, epoch, role letter, got or '', seen or ''.
-- Returns {got or '', seen or ''} as the record is then, which is what the peer may be told; nothing if
-- the channel has closed or turned to another epoch.
local trip, epoch, role = ARGV[1], ARGV[2], ARGV[3]
local state, current, got, seen = get(trip, 'state', 'epoch', role .. '.got', role .. '.seen')
if not state or current ~= epoch or not step(state, 'receipt') then return {} end

local function noted(field, known, pos)
  if pos == '' or (known and pos <= known) or not holds(trip, epoch, pos) then return known or '' end
  redis.call('HSET', KEYS[1], role .. field, pos)
  return pos
end

return { noted('.got', got, ARGV[4]), noted('.seen', seen, ARGV[5]) }
