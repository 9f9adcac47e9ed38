-- Stores a sanction, new or changed, unless somebody else was faster.
-- KEYS[1] is `{pN}:sanctions:<party>`.
-- ARGV: id, the JSON as it was read ('' if new), the JSON to put there, the most a party can have, then
-- the ids of those whose time is over.
-- Returns stored | changed | full.
local id, before, after = ARGV[1], ARGV[2], ARGV[3]
if (redis.call('HGET', KEYS[1], id) or '') ~= before then return 'changed' end
for i = 5, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
if before == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('HSET', KEYS[1], id, after)
return 'stored'
