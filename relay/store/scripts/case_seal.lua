-- Puts a case's evidence under another key, unless it was destroyed or sealed anew meanwhile.
-- KEYS[1] is `{pN}:case:<case>`. ARGV: the sealed evidence as it was read, what it becomes. Returns 1 or 0.
if redis.call('HGET', KEYS[1], 'evidence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'evidence', ARGV[2])
return 1
