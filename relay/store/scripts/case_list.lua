-- Finds cases of one partition. KEYS[1] is `{pN}:cases`.
-- ARGV: state (open | closed | any), after (the place of the last one shown) or '', at most how many,
-- assignee, category, party; '' is any, and '-' as assignee is nobody.
-- Returns {{new, assigned, overdue, urgent, closed}, {place, ...}, place}: what there is in all, what was
-- asked for, and how far was looked, '' if to the end: so many closed cases are looked at in one go. A place is "<rank> <time> <case>" and sorts as text: open cases by priority and then by when
-- they are due, after them the closed ones, the last closed first.
local state, after, most, assignee, category, party = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local CLOSED_RANK, LATEST, LOOKED_AT, FIRST_NAME = '9', 9999999999999, 1000, 'c0-00000000'
local now = now_ms()
local counts, places, reached = { 0, 0, 0, 0, 0 }, {}, ''

-- Only what is asked for is read, because there may be thousands of cases.
local fields, wanted = { 'state', 'priority' }, {}
if assignee ~= '' then
  fields[#fields + 1] = 'assignee'
  wanted[#fields] = assignee == '-' and '' or assignee
end
if category ~= '' then
  fields[#fields + 1] = 'category'
  wanted[#fields] = category
end
if party ~= '' then
  fields[#fields + 1] = 'reporter_party'
  fields[#fields + 1] = 'reported_party'
end

local function fits(f)
  for i, value in pairs(wanted) do
    if f[i] ~= value then return false end
  end
  return party == '' or f[#fields - 1] == party or f[#fields] == party
end

local prefix = TAG .. ':case:'
local open = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #open, 2 do
  local case, due = open[i], tonumber(open[i + 1])
  local f = redis.call('HMGET', prefix .. case, unpack(fields))
  if f[1] then
    local new = f[1] == 'new'
    counts[new and 1 or 2] = counts[new and 1 or 2] + 1
    if due <= now then counts[3] = counts[3] + 1 end
    if new and f[2] == '1' then counts[4] = counts[4] + 1 end
    if state ~= 'closed' and fits(f) then
      local place = string.format('%s %013d %s', f[2], due, case)
      if place > after then places[#places + 1] = place end
    end
  end
end
counts[5] = redis.call('ZCARD', TAG .. ':cases_done')

if state ~= 'open' and counts[5] > 0 then
  local from = '+inf'
  if string.sub(after, 1, 1) == CLOSED_RANK then from = int(LATEST - tonumber(string.sub(after, 3, 15))) end
  local found = 0
  local closed = redis.call('ZRANGE', TAG .. ':cases_done', from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, LOOKED_AT, 'WITHSCORES')
  for i = 1, #closed, 2 do
    local case, at = closed[i], tonumber(closed[i + 1])
    local f = redis.call('HMGET', prefix .. case, unpack(fields))
    local place = string.format('%s %013d %s', CLOSED_RANK, LATEST - at, case)
    if f[1] and fits(f) and place > after then
      places[#places + 1] = place
      found = found + 1
      if found >= most then break end
    end
    if i + 1 == 2 * LOOKED_AT then
      -- Others of the same moment may follow: it is looked at again, unless nothing else was seen.
      reached = string.format('%s %013d %s', CLOSED_RANK, LATEST - at, FIRST_NAME)
      if reached <= after then reached = place end
    end
  end
end
table.sort(places)
while #places > most do table.remove(places) end
return { counts, places, reached }
