-- Reading beyond the evidence: asked for by whoever has the case, allowed by another person, for
-- minutes, by the store's clock.
-- KEYS[1] is `{pN}:case:<case>`. ARGV: ask | approve | read, who, why (of ask) or which request (of approve), for
-- how long an approval may be waited for (ms), how long it lasts (ms).
-- A case's requests are numbered: what is approved is what was shown, and not what has taken its place.
-- Returns {outcome, until_ms}; outcome: ok | moved (the case is not theirs now, or it is another request) | none (nothing was asked
-- for) | own (nobody allows it to himself) | done (allowed already) | stale | no_case.
local act, who = ARGV[1], ARGV[2]
local now = now_ms()
local state, assignee, by, at, request, ok_by, until_ms = unpack(redis.call('HMGET', KEYS[1],
  'state', 'assignee', 'wide.by', 'wide.at', 'wide.request', 'wide.ok_by', 'wide.until'))
if not state then return { 'no_case', 0 } end
if state ~= 'assigned' then return { 'moved', 0 } end

if act == 'ask' then
  if assignee ~= who then return { 'moved', 0 } end
  redis.call('HDEL', KEYS[1], 'wide.ok_by', 'wide.until')
  redis.call('HINCRBY', KEYS[1], 'wide.request', 1)
  redis.call('HSET', KEYS[1], 'wide.by', who, 'wide.at', int(now), 'wide.why', ARGV[3])
  return { 'ok', now + tonumber(ARGV[4]) }
end

if not by then return { 'none', 0 } end
if assignee ~= by then return { 'moved', 0 } end
if act == 'approve' then
  if by == who then return { 'own', 0 } end
  if request ~= ARGV[3] then return { 'moved', 0 } end
  if ok_by then return { 'done', 0 } end
  if now >= tonumber(at) + tonumber(ARGV[4]) then return { 'stale', 0 } end
  until_ms = now + tonumber(ARGV[5])
  redis.call('HSET', KEYS[1], 'wide.ok_by', who, 'wide.until', int(until_ms))
  return { 'ok', until_ms }
end

if by ~= who then return { 'moved', 0 } end
if not ok_by then return { 'none', 0 } end
if now >= tonumber(until_ms) then return { 'stale', 0 } end
return { 'ok', tonumber(until_ms) }
