-- Gives a party a fresh token; with `revoke` it is the only one and the party's socket is cut.
-- ARGV: trip, role letter, party, token digest, token_ttl_s, revoke (0 or 1).
-- Returns {outcome}; outcome: ok | party | no_trip | is_closed. With `revoke` also how often that was done.
local trip, role = ARGV[1], ARGV[2]
local now = now_ms()
local _, refusal = step(state_of(trip, now), 'token')
if refusal then return { refusal } end
local party, tokens = get(trip, role .. '.party', role .. '.tokens')
if party ~= ARGV[3] then return { 'party' } end
local revoke = ARGV[6] == '1'
if revoke then redis.call('HDEL', KEYS[1], role .. '.seat', role .. '.tokens') end  -- frees first
redis.call('HSET', KEYS[1], role .. '.tokens',
  with_token(tokens, ARGV[4], int(now + tonumber(ARGV[5]) * 1000), revoke))
if revoke then
  note(trip, now, 'revoked', role)
  local count = redis.call('HINCRBY', KEYS[1], role .. '.revoked', 1)
  tell({ op = 'revoked', trip = trip, role = role, count = count })
  return { 'ok', count }
end
return { 'ok' }
