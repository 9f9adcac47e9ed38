-- Keeps in mind that the people of a trip are to be told that staff have read its messages.
-- KEYS[1] is `{pN}:notices`. ARGV: trip, case, purpose, day of the reading, when to tell (ms), until when
-- an open case may delay it (ms), then the parties. A party is told once for all readings of a trip up to then.
local trip, case = ARGV[1], ARGV[2]
local held = TAG .. ':notices_held'

local function add(list, one)
  for _, there in ipairs(list) do
    if there == one then return end
  end
  list[#list + 1] = one
end

for i = 7, #ARGV do
  local name = trip .. ' ' .. ARGV[i]
  local raw = redis.call('HGET', held, name)
  local notice = raw and cjson.decode(raw)
    or { trip = trip, party = ARGV[i], read_on = ARGV[4], latest = tonumber(ARGV[6]), purposes = {}, cases = {} }
  add(notice.purposes, ARGV[3])
  add(notice.cases, case)
  redis.call('HSET', held, name, cjson.encode(notice))
  redis.call('ZADD', KEYS[1], 'NX', ARGV[5], name)
end
return #ARGV - 6
