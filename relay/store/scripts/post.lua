-- Stores a message under conditions. The common path is three native commands (see LogWriter).
-- KEYS: the trip's record, its log of that epoch.
-- ARGV: trip, epoch, sender field, id, ciphertext, then as one argument the words of what applies:
--   tell: announce it to every node, for a sender that is attached nowhere;
--   again: the id may be in the log already;
--   masked: digits were taken out of it, which is counted beyond the end of its log;
--   quick: a quick reply, which who is muted may still post;
-- then n, sender field, id: only if the log's last entry is this and its n-th ('' for any). What the
-- guard said of a message holds for what was said before it, and for nothing else;
-- then the classes of what the guard found in it, which are counted for the operators.
-- Returns {outcome, entry id, n, held}; outcome: stored | held | moved | muted | barred | epoch | no_trip |
-- is_closed.
-- If it was held already, n is 0 and `held` the ciphertext that lies there.
local trip, epoch, from, id, words, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])
local key, log = KEYS[1], KEYS[2]
local function is(word) return string.find(words, word, 1, true) end

local now = now_ms()
local state, deadline, current, bars = get(trip, 'state', 'deadline', 'epoch', 'bars')
local _, refusal = step(state_at(trip, now, state, deadline), 'post')
if refusal then return { refusal } end
if current ~= epoch then return { 'epoch' } end
if is('again') then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
    if entry[2][2] == id and sender(entry[2]) == from then
      redis.call('HSET', key, 'held', id)  -- so that there is a write to wait for
      return { 'held', entry[1], 0, entry[2][4] }
    end
  end
end
local stopped = bars and bars ~= '[]' and barred(trip, from, log_ms(log, now))
if stopped == 'all' then return { 'barred' } end
if stopped and not is('quick') then return { 'muted' } end
if n then
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if last and (redis.call('XLEN', log) ~= n or last[2][2] ~= ARGV[9] or sender(last[2]) ~= ARGV[8]) then
    return { 'moved' }
  end
end
local entry = redis.call('XADD', log, 'NOMKSTREAM', '*', 'i', id, from, ARGV[5])
if not entry then return { 'is_closed' } end
n = n and n + 1 or redis.call('XLEN', log)
if is('masked') then redis.call('HINCRBY', key, string.sub(from, 1, 1) .. '.masks', 1) end
for i = 10, #ARGV do redis.call('HINCRBY', key, from .. '.f.' .. ARGV[i], 1) end
if #ARGV > 9 then redis.call('HINCRBY', key, 'findings', #ARGV - 9) end
if is('tell') then tell({ op = 'posted', trip = trip, epoch = tonumber(epoch), n = n }) end
return { 'stored', entry, n, '' }
