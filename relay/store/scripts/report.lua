-- Takes a report of a party's, in two steps: what it is about has to be read, checked and sealed between them.
-- ARGV: trip, role letter, epoch in which the reporter sits there, report id, epoch that is reported, then
--   look, how many before and after a position, at most, how many of the last if there is none, position, ... or
--   file, case, category, priority, limit_ms, alarms (0 or 1), block (0 or 1), evidence_ms, items, proven, forged,
--     sealed evidence
-- Returns {outcome, ...}: reported (it was taken before) | too_many, ms to wait (0: for ever) | is_closed (the
-- report window is over) | no_trip |
--   found, epoch, reporter, reported, messages_key or '', deadline, bars, entries, 1 if that log is there, else 0 |
--   taken | clash (another case has that name)
local PER_TRIP, PER_MINUTE, MINUTE_MS = 10, 3, 60000
local trip, role, sits, id, epoch, what = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local peer = PEER[role]
local now = now_ms()
local state = state_of(trip, now)
if state == 'absent' then return { 'no_trip' } end

local function sat(at, letter)
  local party, current = get(trip, 'e' .. at .. '.' .. letter, 'epoch')
  if not party and at == current then party = get(trip, letter .. '.party') end
  return party or ''
end

local reporter = sat(sits, role)
if reporter == '' then return { 'no_trip' } end
-- Of a pairing that the reporter had no part in nothing can be reported.
if sat(epoch, role) ~= reporter then epoch = sits end
local reported = sat(epoch, peer)

-- By party and not by role: who sits there later may choose the same id.
local name, times_name = 'report.' .. reporter .. '.' .. id, 'reported.' .. reporter
local known, times, closed, window_s = get(trip, name, times_name, 'closed', 'report_window_s')
if known then return { 'reported' } end
if state == 'closed' and now >= tonumber(closed) + (tonumber(window_s) or 0) * 1000 then return { 'is_closed' } end
local before = {}
for at in string.gmatch(times or '', '%d+') do before[#before + 1] = tonumber(at) end
if #before >= PER_TRIP then return { 'too_many', 0 } end
local third_last = before[#before - PER_MINUTE + 1]
if third_last and now - third_last < MINUTE_MS then return { 'too_many', third_last + MINUTE_MS - now } end

if what == 'look' then
  local around, most, last = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
  local key = log_key(trip, epoch)
  if redis.call('EXISTS', key) == 0 then key = kept_key(trip, epoch) end
  local entries, have = {}, {}
  local function add(entry)
    if not entry or have[entry[1]] or #entries >= most then return end
    local from = sender(entry[2])
    if from == 'o' or (string.sub(from, 1, 1) == 's' and from ~= 's' and from ~= 's' .. role) then return end
    have[entry[1]] = true
    entries[#entries + 1] = entry
  end
  if #ARGV < 10 then
    for _, entry in ipairs(redis.call('XREVRANGE', key, '+', '-', 'COUNT', last)) do add(entry) end
  end
  -- First what was reported, then what is nearest to any of it.
  local earlier, later = {}, {}
  for i = 10, #ARGV do
    local back = redis.call('XREVRANGE', key, ARGV[i], '-', 'COUNT', around + 1)
    if back[1] and position(back[1][1]) == ARGV[i] then
      add(table.remove(back, 1))
      earlier[#earlier + 1] = back
      later[#later + 1] = redis.call('XRANGE', key, '(' .. ARGV[i], '+', 'COUNT', around)
    end
  end
  for distance = 1, around do
    for i = 1, #earlier do
      add(earlier[i][distance])
      add(later[i][distance])
    end
  end
  local messages_key, deadline = get(trip, 'messages_key', 'deadline')
  return { 'found', tonumber(epoch), reporter, reported, messages_key or '', tonumber(deadline), bars_in(trip, epoch), entries,
    redis.call('EXISTS', key) }
end

local case, category, priority, limit_ms = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])
local alarms, asks_block, evidence_until = ARGV[11] == '1', ARGV[12] == '1', int(now + tonumber(ARGV[13]))
local key = TAG .. ':case:' .. case
if redis.call('EXISTS', key) == 1 then return { 'clash' } end
-- Only the party that is reported, only where the two still sit opposite, and nobody strikes back.
local current, peer_party, ceiling, bars = get(trip, 'epoch', peer .. '.party', 'ceiling', 'bars')
local blocks = asks_block and state ~= 'closed' and sits == current and peer_party == reported
  and not shut_out(bars, role, now) and not shut_out(bars, peer, now)
local due = int(now + limit_ms)
local words = { d = 'driver', c = 'customer' }
redis.call('HSET', key, 'trip', trip, 'epoch', epoch, 'category', category, 'priority', priority, 'state', 'new',
  'created', int(now), 'due', due, 'reporter_role', words[role], 'reporter_party', reporter,
  'reported_role', words[peer], 'reported_party', reported, 'block', blocks and '1' or '0',
  'items', ARGV[14], 'proven', ARGV[15], 'forged', ARGV[16], 'evidence', ARGV[17], 'evidence_until', evidence_until,
  'assignee', '', 'version', '1')
redis.call('ZADD', TAG .. ':cases', due, case)
redis.call('ZADD', TAG .. ':due', evidence_until, 'case:' .. case)
before[#before + 1] = int(now)
for i = 1, #before do before[i] = int(before[i]) end
redis.call('HSET', KEYS[1], name, case, times_name, table.concat(before, ' '))
emit({ kind = 'report.received', at = now, case = case, trip = trip, category = category,
  priority = tonumber(priority), alarm = alarms, party = reporter, reported = reported })
if blocks then
  bar(trip, peer, 'all', tonumber(ceiling), now, 'block')
  redis.call('HSET', KEYS[1], 'blocked.' .. reported, reporter)  -- also if it is sent away and comes back
end
return { 'taken' }
