-- Counts what the guard found in a party's post, while the channel is open.
-- ARGV: trip, role letter, epoch, class, ...
local trip, role = ARGV[1], ARGV[2]
local state, epoch = get(trip, 'state', 'epoch')
if not state or epoch ~= ARGV[3] or not step(state, 'receipt') then return 0 end
for i = 4, #ARGV do redis.call('HINCRBY', KEYS[1], role .. '.f.' .. ARGV[i], 1) end
redis.call('HINCRBY', KEYS[1], 'findings', #ARGV - 3)
return 1
