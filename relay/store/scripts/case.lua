-- Takes a case one step further, if nobody has since it was read.
-- KEYS[1] is `{pN}:case:<case>`. ARGV: case, version as it was read, who, what (for the history),
-- an event for the platform as JSON or '', a note that goes with it or '', at most how many notes, then
-- field, value, ... ; `state` among them moves the case
-- between the lists, and `due` where it stands in the list of open ones.
-- Whatever step it is, the permission to read beyond the evidence ends with it.
-- Returns {outcome, version}; outcome: done | conflict | full (no room for the note) | no_case.
local MAX_STEPS = 200
local case, known, who, what, event, note = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local now = now_ms()
local version, history, due, notes = unpack(redis.call('HMGET', KEYS[1], 'version', 'history', 'due', 'notes'))
if not version then return { 'no_case', 0 } end
if version ~= known then return { 'conflict', tonumber(version) } end
if note ~= '' then
  notes = cjson.decode(notes or '[]')
  if #notes >= tonumber(ARGV[7]) then return { 'full', tonumber(version) } end
  notes[#notes + 1] = { now, who, note }
  redis.call('HSET', KEYS[1], 'notes', cjson.encode(notes))
end

redis.call('HDEL', KEYS[1], 'wide.by', 'wide.at', 'wide.why', 'wide.ok_by', 'wide.until')
local steps = cjson.decode(history or '[]')
steps[#steps + 1] = { now, who, what }
while #steps > MAX_STEPS do table.remove(steps, 1) end
local following = int(version + 1)
redis.call('HSET', KEYS[1], 'version', following, 'history', cjson.encode(steps))

for i = 8, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  if ARGV[i] == 'due' then due = ARGV[i + 1] end
end
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'closed' then
  redis.call('HSET', KEYS[1], 'closed', int(now))
  redis.call('ZREM', TAG .. ':cases', case)
  redis.call('ZADD', TAG .. ':cases_done', int(now), case)
else
  redis.call('HDEL', KEYS[1], 'closed')
  redis.call('ZREM', TAG .. ':cases_done', case)
  redis.call('ZADD', TAG .. ':cases', due, case)
end
if event ~= '' then emit(cjson.decode(event)) end
return { 'done', tonumber(following) }
