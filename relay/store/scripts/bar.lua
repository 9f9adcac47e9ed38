-- Stops a party in its open channel, or lifts that.
-- ARGV: trip, role letter, party, kind (text | all), until_ms (0 lifts it), source.
-- Returns {outcome}; outcome: ok | party (another one sits there now) | no_trip | is_closed.
local trip, role, party, kind, until_ms, source = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now = now_ms()
local _, refusal = step(state_of(trip, now), 'bar')
if refusal then return { refusal } end
if get(trip, role .. '.party') ~= party then return { 'party' } end
if until_ms > 0 then
  bar(trip, role, kind, until_ms, now, source)
else
  -- What was stopped stays stopped: an entry that was refused must not turn up later.
  local bars, at = bars_of(trip), new_ms(log_key(trip, (get(trip, 'epoch'))), now)
  for _, one in ipairs(bars) do
    if one[1] == role and one[5] == source then one[4], one[6] = math.min(one[4], at), true end
  end
  set_bars(trip, bars)
  note(trip, now, 'unbarred', role, kind)
end
return { 'ok' }
