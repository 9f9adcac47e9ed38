-- Seats another party in a role; both start a new log.
-- ARGV: trip, role letter, known epoch, party, alias, locale, sealed phone, token digest, token_ttl_s,
--       bars of the new party (JSON), the mark of sanctions as it was read.
-- Returns {outcome, epoch}; outcome: reassigned | raced | same | epoch | paired | no_trip | is_ending | is_closed.
local trip, role, known, party, alias = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = now_ms()
local expires = int(now + tonumber(ARGV[9]) * 1000)
if (redis.call('GET', sanctioned_key(trip)) or '') ~= ARGV[11] then return { 'raced' } end
local _, refusal = step(state_of(trip, now), 'reassign')
if refusal then return { refusal } end

local epoch, current, tokens, other = get(trip, 'epoch', role .. '.party', role .. '.tokens', PEER[role] .. '.party')
if current == party then
  redis.call('HSET', KEYS[1], role .. '.tokens', with_token(tokens, ARGV[8], expires))
  return { 'same', tonumber(epoch) }
end
if epoch ~= known then return { 'epoch', tonumber(epoch) } end
if other == party then return { 'paired' } end

redis.call('HDEL', KEYS[1], role .. '.phone')
local following = int(epoch + 1)
local lost = part(trip, role, following, now)
redis.call('HSET', KEYS[1], role .. '.party', party, role .. '.alias', alias, role .. '.since', following,
  role .. '.locale', ARGV[6], role .. '.phone', ARGV[7], role .. '.tokens', ARGV[8] .. '=' .. expires,
  'e' .. following .. '.' .. role, party)
-- What stops the party that stays goes on; what stopped the one that left is its own.
local bars = cjson.decode(ARGV[10])
for _, one in ipairs(bars) do one[3] = now end
if get(trip, 'blocked.' .. party) == other then
  bars[#bars + 1] = { role, 'all', now, tonumber((get(trip, 'ceiling'))), 'block' }
end
for _, old in ipairs(bars_of(trip)) do
  if old[1] ~= role then bars[#bars + 1] = old end
end
redis.call('HSET', KEYS[1], 'bars', list(bars))
note(trip, now, 'reassigned', role)
tell({ op = 'reassigned', trip = trip, role = role, epoch = tonumber(following), alias = alias,
  d = list(lost.d), c = list(lost.c), bars = list(bars) })
return { 'reassigned', tonumber(following) }
