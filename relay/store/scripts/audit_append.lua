-- Appends entries to the audit log, if its head is still the one that their hashes follow from.
-- KEYS[1] is the log; the entry numbered n has the id `n-0`. ARGV: the head's number and hash, the id
-- of a journal's line that is taken only once, or '', and the hash and body of each entry.
-- Returns {'appended'}, {'taken'} if that line is in the log already, or {'moved', number, hash} of
-- the head as it is. Where the newest entries were deleted, the numbers go on after the last that was
-- ever given, so that the gap stays.
local number, hash = 0, string.rep('0', 64)
if redis.call('EXISTS', KEYS[1]) == 1 then
  local about = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      number = tonumber(string.match(about[i + 1], '^(%d+)'))
    end
  end
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last then
    for i = 1, #last[2], 2 do
      local found = last[2][i + 1]
      -- After what somebody else has put there the chain begins anew, and the break stays.
      if last[2][i] == 'h' and #found == 64 and not string.find(found, '[^0-9a-f]') then
        hash = found
      end
    end
  end
end
if number ~= tonumber(ARGV[1]) or hash ~= ARGV[2] then return { 'moved', number, hash } end
if ARGV[3] ~= '' and redis.call('SADD', '{' .. KEYS[1] .. '}:lines', ARGV[3]) == 0 then
  return { 'taken' }
end
for i = 4, #ARGV, 2 do
  number = number + 1
  redis.call('XADD', KEYS[1], int(number) .. '-0', 'h', ARGV[i], 'e', ARGV[i + 1])
end
return { 'appended' }
