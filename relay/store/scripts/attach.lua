-- Seats a connection for the party whose token this is, taking over from an older one.
-- ARGV: trip, token digest, node, connection, device, attempt, epoch the app knows, after or '',
--       id of the message at after or '', how much of the log after that to give, pending id, ...
-- Returns {refusal, ...}:
--   token | expired | older, or
--   {is_closed, role, reason, undelivered JSON}, or {gone, ...} for a party that was replaced, or
--   {attached, role, epoch, state, deadline, messages_key, n, head, id of its message, own alias,
--    peer alias, peer seat or '', peer got or '', peer seen or '', own got or '', replaced seat or '',
--    ms since the party's last attach or -1, position after which to replay, lost ids,
--    own undelivered JSON of the epoch before, own locale, bars JSON,
--    entries of the log after that position}
local trip, digest, node, conn, device, attempt = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local now = now_ms()
local state, deadline, epoch, messages_key, bars, d_tokens, c_tokens =
  get(trip, 'state', 'deadline', 'epoch', 'messages_key', 'bars', 'd.tokens', 'c.tokens')
state = state_at(trip, now, state, deadline)

local role, gone = holder(trip, digest, state, now, bars, d_tokens, c_tokens)
if not role then return { gone } end
local pending = { unpack(ARGV, 11) }
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
if shut_out(bars, role, now) then
  -- To this party it is closed, in the words of any channel that an operator closed.
  return { 'is_closed', role, 'closed', not_arrived(trip, role, gone, ARGV[7], pending) }
end

local seat, attached, alias, undelivered_before, locale, got, seen, peer_alias, peer_seat, peer_got, peer_seen =
  get(trip, role .. '.seat', role .. '.attached', role .. '.alias', role .. '.undelivered', role .. '.locale',
    role .. '.got', role .. '.seen', peer .. '.alias', peer .. '.seat', peer .. '.got', peer .. '.seen')

local log, count = log_key(trip, epoch), tonumber(ARGV[10])
local in_this_epoch = ARGV[7] == epoch or (ARGV[7] == '0' and epoch == '1')
local after, page = in_this_epoch and ARGV[8] or '', nil
if after ~= '' then
  -- Read with the entry at that position: the log may have lost it, and another one may have its place.
  count = count + 1
  page = redis.call('XRANGE', log, after, '+', 'COUNT', count)
  local first = page[1]
  if not first or position(first[1]) ~= after or (ARGV[9] ~= '' and first[2][2] ~= ARGV[9]) then
    after, count = '', count - 1
  end
end
if after == '' then page = redis.call('XRANGE', log, '-', '+', 'COUNT', count) end
local head = #page < count and page[#page] or redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if after ~= '' then table.remove(page, 1) end

-- What was noted of a place that the log has lost stands for nothing.
local in_log = { [after] = true, [position(head[1])] = true }
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
local changes = { role .. '.seat', node .. ' ' .. conn .. ' ' .. device .. ' ' .. int(attempt),
  role .. '.attached', int(now) }
-- What this device has stored before it dropped, it has.
if after ~= '' and (not got or after > got) then
  got = after
  changes[5], changes[6] = role .. '.got', got
end
redis.call('HSET', KEYS[1], unpack(changes))

local lost = {}
if #pending > 0 and in_this_epoch then
  local held = {}
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
    if sender(entry[2]) == role then held[entry[2][2]] = true end
  end
  for _, id in ipairs(pending) do
    if not held[id] then lost[#lost + 1] = id end
  end
end
return { 'attached', role, tonumber(epoch), state, tonumber(deadline), messages_key or '',
  redis.call('XLEN', log), head[1], head[2][2], alias, peer_alias, peer_seat or '', peer_got or '', peer_seen or '', got or '',
  seat or '', attached and (now - tonumber(attached)) or -1, after, lost, undelivered_before or '[]', locale or '',
  bars or '[]', page }
