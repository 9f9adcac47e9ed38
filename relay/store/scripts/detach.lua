-- Frees a party's seat if this connection still holds it.
-- ARGV: trip, role letter, node, connection. Returns the peer's seat, '' if it has none, or nil if
-- the seat was not this connection's.
local trip, role = ARGV[1], ARGV[2]
local seat, peer_seat = get(trip, role .. '.seat', PEER[role] .. '.seat')
local mine = ARGV[3] .. ' ' .. ARGV[4] .. ' '
if not seat or string.sub(seat, 1, #mine) ~= mine then return nil end
redis.call('HDEL', KEYS[1], role .. '.seat')
note(trip, now_ms(), 'dropped', role)
return peer_seat or ''
