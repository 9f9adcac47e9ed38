-- Opens a channel, or repeats an opening for the same parties.
-- ARGV: trip, requested_ms, max_duration_s, longest_trip_s,
--       driver's token digest, customer's token digest, token_ttl_s, the mark of sanctions as it was
--       read, then field, value, ... of the record, d.party and c.party among them.
-- Returns {outcome, epoch, deadline}; outcome: opened | repeated | changed | raced | is_closed.
if (redis.call('GET', sanctioned_key(ARGV[1])) or '') ~= ARGV[8] then return { 'raced' } end
local trip, requested, duration_s, longest_s = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local expires = int(now + tonumber(ARGV[7]) * 1000)
local fields = {}
for i = 9, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end

local state = state_of(trip, now)
local following, refusal = step(state, 'open')
if refusal then return { refusal } end

if state ~= 'absent' then
  local d_party, c_party, d_tokens, c_tokens, epoch, deadline =
    get(trip, 'd.party', 'c.party', 'd.tokens', 'c.tokens', 'epoch', 'deadline')
  if d_party ~= fields['d.party'] or c_party ~= fields['c.party'] then return { 'changed' } end
  redis.call('HSET', KEYS[1],
    'd.tokens', with_token(d_tokens, ARGV[5], expires), 'c.tokens', with_token(c_tokens, ARGV[6], expires))
  return { 'repeated', tonumber(epoch), tonumber(deadline) }
end

-- A tombstone lives for TOMBSTONE_MS; whoever asks later than that could not be told that it closed.
-- (Ten minutes' margin: `requested` may lie five ahead of the store's clock.)
if requested < now - TOMBSTONE_MS + 600000 then return { 'is_closed' } end

local deadline = int(now + duration_s * 1000)
redis.call('HSET', KEYS[1], 'state', following, 'epoch', '1', 'requested', int(requested),
  'opened', int(now), 'deadline', deadline, 'ceiling', int(now + longest_s * 1000), 'd.since', '1', 'c.since', '1',
  'd.tokens', ARGV[5] .. '=' .. expires, 'c.tokens', ARGV[6] .. '=' .. expires,
  'e1.d', fields['d.party'], 'e1.c', fields['c.party'],
  unpack(ARGV, 9))
redis.call('XADD', log_key(trip, 1), '*', 'i', '', 'o', '')
redis.call('ZADD', TAG .. ':due', deadline, 'close:' .. trip)
redis.call('ZADD', TAG .. ':open', int(now), trip)
note(trip, now, 'opened')
return { 'opened', 1, tonumber(deadline) }
