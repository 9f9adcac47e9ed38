-- Notes who has looked into an alarm. KEYS[1] is `{pN}:alarms`. ARGV: id, who.
-- Returns ok | none | own (it is about the one who asks) | done.
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if not raw then return 'none' end
local alarm = cjson.decode(raw)
if alarm.operator == ARGV[2] then return 'own' end
if alarm.acknowledged_by ~= '' then return 'done' end
alarm.acknowledged_by, alarm.acknowledged_at = ARGV[2], now_ms()
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(alarm))
return 'ok'
