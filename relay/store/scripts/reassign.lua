-- Seats another party in a role; both start a new log.
-- ARGV: trip, role letter, known epoch, party, alias, locale, sealed phone, token digest, token_ttl_s.
-- Returns {outcome, epoch}; outcome: reassigned | same | epoch | paired | no_trip | is_ending | is_closed.
local trip, role, known, party, alias = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = now_ms()
local expires = int(now + tonumber(ARGV[9]) * 1000)
local _, refusal = step(state_of(trip, now), 'reassign')
if refusal then return { refusal } end

local epoch, current, tokens, other, retention_s, d_got, c_got =
  get(trip, 'epoch', role .. '.party', role .. '.tokens', PEER[role] .. '.party', 'retention_s', 'd.got', 'c.got')
if current == party then
  redis.call('HSET', KEYS[1], role .. '.tokens', with_token(tokens, ARGV[8], expires))
  return { 'same', tonumber(epoch) }
end
if epoch ~= known then return { 'epoch', tonumber(epoch) } end
if other == party then return { 'paired' } end

local lost = {
  d = undelivered(trip, epoch, 'd', c_got or nil),
  c = undelivered(trip, epoch, 'c', d_got or nil),
}
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
local messages = retire_log(trip, epoch, tonumber(retention_s))
redis.call('XADD', log_key(trip, following), '*', 'i', '', 'o', '')
redis.call('HSET', KEYS[1], 'epoch', following, 'messages', messages, role .. '.party', party, role .. '.alias', alias,
  role .. '.since', following, role .. '.locale', ARGV[6], role .. '.phone', ARGV[7], role .. '.tokens', ARGV[8] .. '=' .. expires,
  'd.undelivered', list(lost.d), 'c.undelivered', list(lost.c),
  'gone.tokens', tokens, 'gone.role', role, 'gone.undelivered', list(lost[role]))
tell({ op = 'reassigned', trip = trip, role = role, epoch = tonumber(following), alias = alias,
  d = list(lost.d), c = list(lost.c) })
return { 'reassigned', tonumber(following) }
