-- Stores a message under conditions. The common path is three native commands (see LogWriter).
-- ARGV: trip, epoch, sender field, id, ciphertext, then what applies of
--   tell: announce it to every node, for a sender that is attached nowhere;
--   again: the id may be in the log already;
--   masked: digits were taken out of it, which is counted beyond the end of its log;
--   quick: a quick reply, which who is muted may still post;
--   after, n, sender field, id: only if the log's last entry is this and its n-th. What the guard
--   said of a message holds for what was said before it, and for nothing else.
-- Returns {outcome, entry id, n, held}; outcome: stored | held | moved | muted | barred | epoch | no_trip |
-- is_closed.
-- If it was held already, n is 0 and `held` the ciphertext that lies there.
local trip, epoch, from, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local tells, again, masked, quick, after
for i = 6, #ARGV do
  if ARGV[i] == 'tell' then tells = true end
  if ARGV[i] == 'again' then again = true end
  if ARGV[i] == 'masked' then masked = true end
  if ARGV[i] == 'quick' then quick = true end
  if ARGV[i] == 'after' then
    after = { n = tonumber(ARGV[i + 1]), from = ARGV[i + 2], id = ARGV[i + 3] }
    break
  end
end
local now = now_ms()
local state = state_of(trip, now)
local _, refusal = step(state, 'post')
if refusal then return { refusal } end
local current, bars = get(trip, 'epoch', 'bars')
if current ~= epoch then return { 'epoch' } end
local log = log_key(trip, epoch)
if again then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
    if entry[2][2] == id and sender(entry[2]) == from then
      redis.call('HSET', KEYS[1], 'held', id)  -- so that there is a write to wait for
      return { 'held', entry[1], 0, entry[2][4] }
    end
  end
end
local stopped = bars and bars ~= '[]' and barred(trip, from, log_ms(log, now))
if stopped == 'all' then return { 'barred' } end
if stopped and not quick then return { 'muted' } end
if after then
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if last and (redis.call('XLEN', log) ~= after.n or last[2][2] ~= after.id or sender(last[2]) ~= after.from) then
    return { 'moved' }
  end
end
local entry = redis.call('XADD', log, 'NOMKSTREAM', '*', 'i', id, from, ARGV[5])
if not entry then return { 'is_closed' } end
local n = redis.call('XLEN', log)
if masked then redis.call('HINCRBY', KEYS[1], string.sub(from, 1, 1) .. '.masks', 1) end
if tells then tell({ op = 'posted', trip = trip, epoch = tonumber(epoch), n = n }) end
return { 'stored', entry, n, '' }
