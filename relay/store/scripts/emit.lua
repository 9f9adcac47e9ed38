-- Tells the platform something that no other script brings about. KEYS[1] is `{pN}:events`.
-- ARGV: the event as JSON.
emit_text(ARGV[1])
return 1
