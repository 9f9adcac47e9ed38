-- Adds a note to a case. Notes are only ever added.
-- KEYS[1] is `{pN}:case:<case>`. ARGV: who, text, at most how many. Returns ok | full | no_case.
local version, raw = unpack(redis.call('HMGET', KEYS[1], 'version', 'notes'))
if not version then return 'no_case' end
local notes = cjson.decode(raw or '[]')
if #notes >= tonumber(ARGV[3]) then return 'full' end
notes[#notes + 1] = { now_ms(), ARGV[1], ARGV[2] }
redis.call('HSET', KEYS[1], 'notes', cjson.encode(notes))
return 'ok'
