-- Stores a message unless its id is in the log already: the rare path of a post that may have been
-- stored, and of the platform's own messages. The common path is three native commands (pipe.py).
-- ARGV: trip, epoch, sender field, id, ciphertext, tell (1: announce it to every node).
-- Returns {outcome, entry id, n, held}; outcome: stored | held | epoch | no_trip | is_closed. If it
-- was held already, n is 0 and `held` the ciphertext that lies there.
local trip, epoch, from, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local state = state_of(trip, now_ms())
local _, refusal = step(state, 'post')
if refusal then return { refusal } end
if get(trip, 'epoch') ~= epoch then return { 'epoch' } end
local log = log_key(trip, epoch)
for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
  if entry[2][2] == id and sender(entry[2]) == from then return { 'held', entry[1], 0, entry[2][4] } end
end
local entry = redis.call('XADD', log, 'NOMKSTREAM', '*', 'i', id, from, ARGV[5])
if not entry then return { 'is_closed' } end
local n = redis.call('XLEN', log)
if ARGV[6] == '1' then tell({ op = 'posted', trip = trip, epoch = tonumber(epoch), n = n }) end
return { 'stored', entry, n, '' }
