-- Erases what a closed trip still holds of a party: the messages, which are its own and the other's, with
-- their key, the timeline, and its fields. Where the other party may still report, the id stays so long.
-- ARGV: trip, party.
-- Returns {outcome, what the party is told}: erased | window (all but the id) | open | held | case (an open one) |
-- none (it has no part in it); of these the party is never told held or case.
local trip, party = ARGV[1], ARGV[2]
local now = now_ms()
local state = state_of(trip, now)
local fields = redis.call('HGETALL', KEYS[1])
local record = {}
for i = 1, #fields, 2 do record[fields[i]] = fields[i + 1] end

local mine = {}
for field, value in pairs(record) do
  if value == party and (field == 'd.party' or field == 'c.party' or field == 'gone.party' or string.match(field, '^e%d+%.[dc]$')) then
    mine[field] = true
  end
end
if not next(mine) then return { 'none', 'none' } end

-- What the party is told is what it would be without a report, a sanction or a hold: none once it was told that it
-- is erased, or once the record would have gone by itself.
local retention_ms, window_ms = (tonumber(record['retention_s']) or 0) * 1000, (tonumber(record['report_window_s']) or 0) * 1000
local sat = seats_of(trip, party)
local shut = told_shut(trip, sat, now)
local closed = shut and shut.since or tonumber(record['closed'])
local mark, told = 'erased.' .. party, 'open'
if closed then told = now < closed + window_ms and 'window' or 'erased' end
local function outcome(what)
  if told == 'open' or told == what then
    redis.call('HDEL', KEYS[1], mark)
  else
    redis.call('HSET', KEYS[1], mark, told)
  end
  local known = told ~= 'open'
    and (record[mark] == 'erased' or now >= closed + math.max(retention_ms, window_ms) + TOMBSTONE_MS)
  return { what, known and 'none' or told }
end

-- What it hears of its messages goes with what it is told that goes, whatever else stays for now.
if told ~= 'open' then
  for _, at in ipairs(sat) do redis.call('HDEL', KEYS[1], 'arrived.' .. int(at[1]) .. '.' .. at[2]) end
  for _, of in ipairs({ 'd', 'c', 'gone' }) do
    if mine[of .. '.party'] then redis.call('HDEL', KEYS[1], of .. '.undelivered') end
  end
end

if state ~= 'closed' then return outcome('open') end
if (tonumber(record['hold']) or 0) > now then return outcome('held') end
for field, case in pairs(record) do
  if string.match(field, '^report%.') and redis.call('ZSCORE', TAG .. ':cases', case) then return outcome('case') end
end

for epoch = 1, tonumber(record['epoch']) or 0 do redis.call('DEL', kept_key(trip, int(epoch))) end
redis.call('DEL', line_key(trip))
redis.call('HDEL', KEYS[1], 'messages_key')
redis.call('ZREM', TAG .. ':due', 'messages:' .. trip)
for field, value in pairs(record) do
  -- Who was blocked by whom goes with either of them.
  if string.match(field, '^blocked%.') and (value == party or field == 'blocked.' .. party) then
    redis.call('HDEL', KEYS[1], field)
  end
end
for _, role in ipairs(ROLES) do
  if mine[role .. '.party'] then
    for field in pairs(record) do
      if string.sub(field, 1, 2) == role .. '.' and field ~= role .. '.party' and field ~= role .. '.tokens' then
        redis.call('HDEL', KEYS[1], field)
      end
    end
  end
end
local in_window = now < (tonumber(record['closed']) or 0) + window_ms
for _, at in ipairs(sat) do
  local field = 'shut.' .. int(at[1]) .. '.' .. at[2]
  if not in_window then
    redis.call('HDEL', KEYS[1], field)
  elseif record[field] then
    redis.call('HSET', KEYS[1], field, cjson.encode({ since = cjson.decode(record[field]).since, fields = {} }))
  end
end
if in_window then return outcome('window') end

-- A sign that is no party's id, so that who reads the record finds what it always has.
for field in pairs(mine) do redis.call('HSET', KEYS[1], field, '-') end
for _, role in ipairs(ROLES) do
  if mine[role .. '.party'] then redis.call('HDEL', KEYS[1], role .. '.tokens') end
end
if mine['gone.party'] then redis.call('HDEL', KEYS[1], 'gone.tokens') end
for field in pairs(record) do
  -- A party's id may hold dots, the report's own id after it none.
  if field == 'reported.' .. party or string.match(field, '^report%.(.*)%.[^.]*$') == party then
    redis.call('HDEL', KEYS[1], field)
  end
end
return outcome('erased')
