-- Stores an operator's record, new or changed, unless somebody else was faster.
-- KEYS[1] is `relay:operators`. ARGV: id, the JSON as it was read ('' if new), the JSON to put there.
-- Returns 1 if it was stored, 0 if another is there.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
