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

local epoch, current, tokens, other, d_got, c_got =
  get(trip, 'epoch', role .. '.party', role .. '.tokens', PEER[role] .. '.party', 'd.got', 'c.got')
if current == party then
  redis.call('HSET', KEYS[1], role .. '.tokens', with_token(tokens, ARGV[8], expires))
  return { 'same', tonumber(epoch) }
end
if epoch ~= known then return { 'epoch', tonumber(epoch) } end
if other == party then return { 'paired' } end

local lost, arrived = kept_outcomes(trip, epoch, now, outcomes(trip, epoch, d_got, c_got))
keep_shut(trip, epoch, PEER[role], now)
local shut = keep_shut(trip, epoch, role, now)
local following = int(epoch + 1)
redis.call('HDEL', KEYS[1], role .. '.seat', role .. '.attached', role .. '.phone',
  'd.got', 'c.got', 'd.seen', 'c.seen')
-- What the guard has taken out of somebody's messages stays counted while that party stays; 's' is the
-- platform. Of who leaves a little stays counted for the channel, or reassigning would be a way round.
local masks, masks_before = get(trip, role .. '.masks', role .. '.masks_before')
redis.call('HINCRBY', KEYS[1], 'gone.masks',
  math.min(2, (tonumber(masks) or 0) + (tonumber(masks_before) or 0)))
redis.call('HDEL', KEYS[1], role .. '.masks', role .. '.masks_before')
for _, stays in ipairs({ PEER[role], 's' }) do
  redis.call('HINCRBY', KEYS[1], stays .. '.masks_before', tonumber((get(trip, stays .. '.masks'))) or 0)
  redis.call('HDEL', KEYS[1], stays .. '.masks')
end
local messages = retire_log(trip, epoch, now)
redis.call('XADD', log_key(trip, following), '*', 'i', '', 'o', '')
redis.call('HSET', KEYS[1], 'epoch', following, 'messages', messages, role .. '.party', party, role .. '.alias', alias,
  role .. '.since', following, role .. '.locale', ARGV[6], role .. '.phone', ARGV[7], role .. '.tokens', ARGV[8] .. '=' .. expires,
  'd.undelivered', list(lost.d), 'c.undelivered', list(lost.c),
  'e' .. following .. '.' .. role, party, 'e' .. following .. '.' .. PEER[role], other,
  'gone.tokens', tokens, 'gone.role', role, 'gone.party', current, 'gone.epoch', epoch,
  'gone.undelivered', list(lost[role]), unpack(arrived))
redis.call('HDEL', KEYS[1], 'gone.shut')
if shut then redis.call('HSET', KEYS[1], 'gone.shut', int(shut)) end
-- What was refused lies in the old log all the same, and is known by the bars of its pairing alone.
redis.call('HSET', KEYS[1], 'bars.' .. epoch, list(bars_of(trip)))
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
