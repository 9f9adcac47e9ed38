-- Notes how far a party's device and the person are. Only forward, only while the channel is open:
-- a write after the close would make a destroyed record anew.
-- ARGV: trip, role letter, epoch, got or '', seen or ''.
local trip, role = ARGV[1], ARGV[2]
local state, epoch, got, seen = get(trip, 'state', 'epoch', role .. '.got', role .. '.seen')
if not state or epoch ~= ARGV[3] or not step(state, 'receipt') then return 0 end
if ARGV[4] ~= '' and (not got or ARGV[4] > got) then redis.call('HSET', KEYS[1], role .. '.got', ARGV[4]) end
if ARGV[5] ~= '' and (not seen or ARGV[5] > seen) then redis.call('HSET', KEYS[1], role .. '.seen', ARGV[5]) end
return 1
