-- Tells the platform which parties to tell that their messages were read, once, whichever node asks first.
-- KEYS[1] is `{pN}:notices`. ARGV: at most how many, how long after (ms) the next batch is. One whose case is
-- still open waits for that, because it would show that there is a case. Returns how many were told.
local now, later_ms = now_ms(), tonumber(ARGV[2])
local held = TAG .. ':notices_held'
local told = 0

local function is_open(case)
  local state = redis.call('HGET', TAG .. ':case:' .. case, 'state')
  return state and state ~= 'closed'
end

for _, name in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local notice = cjson.decode(redis.call('HGET', held, name))
  local waits = false
  for _, case in ipairs(notice.cases) do waits = waits or is_open(case) end
  if waits and now < notice.latest then
    local due = tonumber(redis.call('ZSCORE', KEYS[1], name))
    while due <= now do due = due + later_ms end
    redis.call('ZADD', KEYS[1], int(due), name)
  else
    redis.call('ZREM', KEYS[1], name)
    redis.call('HDEL', held, name)
    emit({ kind = 'evidence.read', trip = notice.trip, party = notice.party, read_on = notice.read_on, purposes = notice.purposes })
    told = told + 1
  end
end
return told
