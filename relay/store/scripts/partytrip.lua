-- What the relay holds of a party in one trip: no number, no text, nothing of the other party.
-- ARGV: trip, party. Returns {} if it has no part in it, else field, value, ...
local trip, party = ARGV[1], ARGV[2]
local now = now_ms()
local state = state_of(trip, now)
local epochs, sat = tonumber((get(trip, 'epoch'))) or 0, {}
for epoch = 1, epochs do
  for _, role in ipairs(ROLES) do
    if get(trip, 'e' .. int(epoch) .. '.' .. role) == party then sat[#sat + 1] = { epoch, role } end
  end
end
if #sat == 0 then return {} end
local role = sat[#sat][2]

-- Entries are counted by their sender's letter; nothing is opened.
local sent = 0
for _, at in ipairs(sat) do
  for _, key in ipairs({ log_key(trip, int(at[1])), kept_key(trip, int(at[1])) }) do
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      if sender(entry[2]) == at[2] then sent = sent + 1 end
    end
  end
end

local found = { 'role', role, 'state', state, 'first_epoch', int(sat[1][1]), 'last_epoch', int(sat[#sat][1]), 'messages_kept', int(sent) }
local function tell_field(name, value)
  if value then
    found[#found + 1] = name
    found[#found + 1] = value
  end
end
for _, name in ipairs({ 'opened', 'deadline', 'closed', 'reason', 'retention_s', 'report_window_s', 'hold' }) do
  tell_field(name, (get(trip, name)))
end
if get(trip, role .. '.party') == party then
  for _, name in ipairs({ 'alias', 'locale', 'attached' }) do tell_field(name, (get(trip, role .. '.' .. name))) end
  if redis.call('HEXISTS', KEYS[1], role .. '.phone') == 1 then tell_field('number_held', '1') end
  local fields = redis.call('HKEYS', KEYS[1])
  for _, field in ipairs(fields) do
    local class = string.match(field, '^' .. role .. '%.f%.(.*)$')
    if class then tell_field('f.' .. class, (get(trip, field))) end
  end
end
return found
