-- Seats a connection for the party whose token this is, taking over from an older one.
-- ARGV: trip, token digest, node, connection, device, attempt, epoch the app knows, after or '',
--       how much of the log after that to give, pending id, ...
-- Returns {refusal, ...}:
--   token | expired | older, or
--   {is_closed, role, reason, undelivered JSON}, or {gone, ...} for a party that was replaced, or
--   {attached, role, epoch, state, deadline, messages_key, n, head, own alias, peer alias,
--    peer seat or '', peer got or '', peer seen or '', own got or '', replaced seat or '',
--    ms since the party's last attach or -1, position after which to replay, lost ids,
--    own undelivered JSON of the epoch before, own locale, bars JSON,
--    entries of the log after that position}
local trip, digest, node, conn, device, attempt = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local pending = { unpack(ARGV, 10) }
local now = now_ms()
local state = state_of(trip, now)

local role, gone = holder(trip, digest, state, now)
if not role then return { gone } end
if gone then
  local lost = not_arrived(trip, role, gone, ARGV[7], pending)
  if get(trip, 'gone.shut') then return { 'is_closed', role, 'closed', lost } end
  return { 'gone', role, 'reassigned', lost }
end
local peer = PEER[role]

local _, refusal = step(state, 'attach')
if refusal then
  local reason, closed = get(trip, 'reason', 'closed')
  if shut_since(trip, role, tonumber(closed)) then reason = 'closed' end
  return { 'is_closed', role, reason, not_arrived(trip, role, gone, ARGV[7], pending) }
end
if shut_out(trip, role, now) then
  -- To this party it is closed, in the words of any channel that an operator closed.
  return { 'is_closed', role, 'closed', not_arrived(trip, role, gone, ARGV[7], pending) }
end

local seat, attached, epoch, deadline, messages_key, alias, peer_alias, peer_seat, undelivered_before, locale, bars,
  got, seen, peer_got, peer_seen = get(trip, role .. '.seat', role .. '.attached', 'epoch', 'deadline', 'messages_key',
    role .. '.alias', peer .. '.alias', peer .. '.seat', role .. '.undelivered', role .. '.locale', 'bars',
    role .. '.got', role .. '.seen', peer .. '.got', peer .. '.seen')
-- What was noted of a place that the log has lost stands for nothing.
local in_log = {}
local function is_held(pos)
  if in_log[pos] == nil then in_log[pos] = holds(trip, epoch, pos) end
  return in_log[pos]
end
local function noted(field, pos)
  if pos and not is_held(pos) then
    redis.call('HDEL', KEYS[1], field)
    return nil
  end
  return pos
end
got, seen = noted(role .. '.got', got), noted(role .. '.seen', seen)
peer_got, peer_seen = noted(peer .. '.got', peer_got), noted(peer .. '.seen', peer_seen)
if seat and device ~= '' then
  local seat_device, seat_attempt = string.match(seat, '^%S+ %S+ (%S*) (%d+)$')
  if seat_device == device and tonumber(seat_attempt) > attempt then return { 'older' } end
end
note(trip, now, seat and 'taken_over' or 'attached', role)
redis.call('HSET', KEYS[1], role .. '.seat', node .. ' ' .. conn .. ' ' .. device .. ' ' .. int(attempt),
  role .. '.attached', int(now))

local log = log_key(trip, epoch)
local after, lost = ARGV[8], {}
if ARGV[7] ~= epoch and (ARGV[7] ~= '0' or epoch ~= '1') then
  after = ''
else
  if #pending > 0 then
    local held = {}
    for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
      if sender(entry[2]) == role then held[entry[2][2]] = true end
    end
    for _, id in ipairs(pending) do
      if not held[id] then lost[#lost + 1] = id end
    end
  end
  if after ~= '' and not is_held(after) then after = '' end
  -- What this device has stored before it dropped, it has.
  if after ~= '' and (not got or after > got) then
    got = after
    redis.call('HSET', KEYS[1], role .. '.got', got)
  end
end
local head = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
return { 'attached', role, tonumber(epoch), state, tonumber(deadline), messages_key or '',
  redis.call('XLEN', log), head[1], alias, peer_alias, peer_seat or '', peer_got or '', peer_seen or '', got or '',
  seat or '', attached and (now - tonumber(attached)) or -1, after, lost, undelivered_before or '[]', locale or '',
  bars or '[]', redis.call('XRANGE', log, after ~= '' and '(' .. after or '-', '+', 'COUNT', ARGV[9]) }
