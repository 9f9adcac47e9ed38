-- Says who may report with this token, without seating anybody.
-- ARGV: trip, token digest. Returns {refusal, ...} as attach.lua does, or
--   {report_only, role, party, epoch, end of the report window or 0 while open, state, peer alias, locale}
local trip, digest = ARGV[1], ARGV[2]
local now = now_ms()
local state = state_of(trip, now)
local role, gone = holder(trip, digest, state, now, get(trip, 'bars', 'd.tokens', 'c.tokens'))
if not role then return { gone } end
local closed, window_s, epoch, alias, locale, party, reason, lost = get(trip, 'closed', 'report_window_s', 'epoch',
  PEER[role] .. '.alias', role .. '.locale', role .. '.party', 'reason', role .. '.undelivered')
if gone then party, epoch, reason, lost = get(trip, 'gone.party', 'gone.epoch', 'reason', 'gone.undelivered') end
-- To a party that is shut out the channel closed when that began, and nothing may tell it otherwise.
local shut = state == 'closed' and tonumber(closed) or nil
local since = shut_since(trip, role, shut or now)
if gone then since = tonumber((get(trip, 'gone.shut'))) end
if since then shut, reason, state = since, 'closed', 'closed' end
local until_ms = 0
if shut then
  until_ms = shut + (tonumber(window_s) or 0) * 1000
  if now >= until_ms then return { 'is_closed', role, reason, lost or '[]' } end
end
return { 'report_only', role, party, tonumber(epoch), until_ms, state, alias or '', locale or '' }
