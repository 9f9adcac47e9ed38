-- Erases what a closed trip still holds of a party: the messages, which are its own and the other's, with
-- their key, the timeline, and its fields. Where the other party may still report, the id stays so long.
-- ARGV: trip, party.
-- Returns erased | window (all but the id) | open | held | case (an open one) | none (it has no part in it).
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
if not next(mine) then return 'none' end
if state ~= 'closed' then return 'open' end
if (tonumber(record['hold']) or 0) > now then return 'held' end
for field, case in pairs(record) do
  if string.match(field, '^report%.') and redis.call('ZSCORE', TAG .. ':cases', case) then return 'case' end
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
if mine['gone.party'] then redis.call('HDEL', KEYS[1], 'gone.undelivered') end
if now < (tonumber(record['closed']) or 0) + (tonumber(record['report_window_s']) or 0) * 1000 then return 'window' end

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
return 'erased'
