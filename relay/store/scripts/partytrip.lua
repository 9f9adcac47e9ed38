-- What the relay holds of a party in one trip, as far as it may be told: no number, no text, nothing of the other
-- party. Whom a report, a sanction or a hold concerns must not learn it here: to who was shut out the channel closed
-- then, a hold keeps nothing, and what was to be erased is.
-- ARGV: trip, party. Returns {} if it has no part in it, else field, value, ...
local trip, party = ARGV[1], ARGV[2]
local now = now_ms()
local state = state_of(trip, now)
local sat = seats_of(trip, party)
if #sat == 0 then return {} end

local closed, reason, retention_s, window_s, told = get(trip, 'closed', 'reason', 'retention_s', 'report_window_s',
  'erased.' .. party)
closed = tonumber(closed)
local shut = told_shut(trip, sat, now)
local last = #sat
if shut then state, reason, closed, last = 'closed', 'closed', shut.since, shut.at end
if not closed then told = nil end
local retention_ms, window_ms = (tonumber(retention_s) or 0) * 1000, (tonumber(window_s) or 0) * 1000
if told == 'erased' then return {} end
if closed and now >= closed + math.max(retention_ms, window_ms) + TOMBSTONE_MS then return {} end

-- Entries are counted by their sender's letter; nothing is opened.
local sent = 0
if not told and not (closed and now >= closed + retention_ms) then
  for i = 1, last do
    local epoch, role = int(sat[i][1]), sat[i][2]
    for _, key in ipairs({ log_key(trip, epoch), kept_key(trip, epoch) }) do
      for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
        local at = tonumber(string.match(entry[1], '^%d+'))
        if sender(entry[2]) == role and not (shut and at >= shut.since) then sent = sent + 1 end
      end
    end
  end
end

local role = sat[last][2]
local found = { 'role', role, 'state', state, 'first_epoch', int(sat[1][1]), 'last_epoch', int(sat[last][1]), 'messages_kept', int(sent) }
local function tell_field(name, value)
  if value then
    found[#found + 1] = name
    found[#found + 1] = value
  end
end
tell_field('opened', (get(trip, 'opened')))
if closed then
  tell_field('closed', int(closed))
  tell_field('reason', reason)
else
  tell_field('deadline', (get(trip, 'deadline')))
end
tell_field('retention_s', retention_s)
tell_field('report_window_s', window_s)
if told then return found end

local seat = shut and shut.fields
if not seat and get(trip, role .. '.party') == party then seat = seat_fields(trip, role) end
for i = 1, #(seat or {}), 2 do tell_field(seat[i], seat[i + 1]) end
if not closed and get(trip, role .. '.party') == party and redis.call('HEXISTS', KEYS[1], role .. '.phone') == 1 then
  tell_field('number_held', '1')
end
return found
