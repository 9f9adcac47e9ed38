-- Stores a sanction, new or changed, unless somebody else was faster.
-- KEYS[1] is `{pN}:sanctions:<party>`.
-- ARGV: id, the JSON as it was read ('' if new), the JSON to put there, the most a party can have, then
-- id, JSON as it was read, ... of those that go.
-- Returns stored | changed | raced (one of those that go) | full.
local id, before, after = ARGV[1], ARGV[2], ARGV[3]
if (redis.call('HGET', KEYS[1], id) or '') ~= before then return 'changed' end
for i = 5, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 'raced' end
end
local stay = redis.call('HLEN', KEYS[1]) - (#ARGV - 4) / 2
if before == '' and stay >= tonumber(ARGV[4]) then return 'full' end
for i = 5, #ARGV, 2 do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HSET', KEYS[1], id, after)
return 'stored'
