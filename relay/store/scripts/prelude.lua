-- What every script begins with. KEYS[1] is `{pN}:trip:<trip>` (or `{pN}:due` for the sweep); all
-- other keys are derived from its hash tag, so they are in the same slot. MOVES is core.lifecycle: what
-- each command leads to, by state.
-- A definition that begins with (seldom) is made only when a script comes to it.
--
-- The trip's record:
--   state, reason (as the parties are told), detail (as the platform gave it), epoch,
--   requested, opened, deadline, ceiling, closed (ms), retention_s, report_window_s, policy, allow, allow_ever (all that was ever allowed), rules (how often these changed),
--   messages (how many the retired logs held), messages_key (wrapped), hold (until when its messages are
--   kept for the law), bars (JSON: {letter, 'text' or 'all', from_ms, until_ms, source, true if lifted}, ...),
--   bars.1, bars.2, ... (the same of the epochs that are over, as they stood at their ends), findings (how many),
--   e1.d, e1.c, e2.d, ... (who sat there in each epoch), report.<party>.<id> (the case it became),
--   reported.<party> (when it reported), held, ended_again (nothing: written by what is repeated),
--   erased.<party> ('window' or 'erased': what that party was told of its erasure, where it is not so), shut.1.d, ... (JSON: since when who sat there in that epoch was shut out, and how
--   the seat stood at its end),
--   and for each role, here d. for the driver:
--   d.party d.alias d.locale d.phone (sealed) d.since (the epoch it came in) d.tokens ("digest=expiry ..."), d.seat
--   ("node conn device attempt"), d.attached (ms of the last attach), d.got d.seen (positions),
--   d.revoked (how often its tokens were),
--   d.masks (how many messages had digits taken out in this epoch), d.masks_before (in those before),
--   d.undelivered (JSON, of the last epoch that ended), d.f.<class> (findings of the guard in its posts);
--   arrived.1.d, ... (marks of what who sat there in that epoch posted and the other device confirmed, as it stood
--   when that party's channel or the epoch ended);
--   of the party replaced last: gone.tokens, gone.role, gone.party, gone.epoch, gone.undelivered,
--   gone.shut (since when it had no channel); of all that were replaced: gone.masks;
--   blocked.<party> (who had it blocked)

local ROLES = { 'd', 'c' }

local PEER = { d = 'c', c = 'd' }

local TAG = string.match(KEYS[1], '^{[^}]*}')

-- While a Cluster moves a slot key by key, some of what a script touches may be elsewhere already, and it
-- would end half done. There a key that nobody has ends it before it begins, and it is tried again. Who
-- names several keys touches no others but to `close`, and the store itself looks whether it has them.
if #KEYS == 1 and TAG then redis.call('EXISTS', TAG .. ':nothing') end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Numbers of milliseconds have 13 digits; tostring would write them as 1.7e+12.
local function int(n) return string.format('%d', n) end

local function trip_key(trip) return TAG .. ':trip:' .. trip end
local function log_key(trip, epoch) return TAG .. ':log:' .. trip .. ':' .. epoch end

local function sanctioned_key(trip) return TAG .. ':sanctioned:' .. trip end

local function kept_key(trip, epoch) return TAG .. ':kept:' .. trip .. ':' .. epoch end

local function get(trip, ...)
  return unpack(redis.call('HMGET', trip_key(trip), ...))
end

local function line_key(trip) return TAG .. ':line:' .. trip end

-- What happened to a channel, for the operators: never what was said.
local function note(trip, now, kind, role, detail)
  local length = redis.call('RPUSH', line_key(trip), int(now) .. ' ' .. kind .. ' ' .. (role or '') .. ' ' .. (detail or ''))
  if length > MAX_LINE then redis.call('LTRIM', line_key(trip), -MAX_LINE, -1) end
end

-- Tells the platform something, in the same step in which it comes about.
local function emit_text(json)
  redis.call('XADD', TAG .. ':events', 'MAXLEN', '~', MAX_EVENTS, '*', 'e', json)
  redis.call('ZADD', TAG .. ':due', 'NX', int(now_ms() + EVENTS_MS), 'events:')
end

local function emit(event) emit_text(cjson.encode(event)) end

-- (seldom) What the platform did not fetch for weeks is not kept for it any longer.
local function events_due(now)
  redis.call('XTRIM', TAG .. ':events', 'MINID', int(now - EVENTS_MS))
  local oldest = redis.call('XRANGE', TAG .. ':events', '-', '+', 'COUNT', 1)[1]
  if oldest then
    local at = tonumber(string.match(oldest[1], '^%d+'))
    redis.call('ZADD', TAG .. ':due', int(at + EVENTS_MS + 1), 'events:')
  end
end

local function tell(message)
  redis.call('SPUBLISH', TAG .. ':control', cjson.encode(message))
end

-- A stream id as the wire's position: fixed width, so that positions compare as strings.
local function position(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return string.format('%013d-%04d', tonumber(ms), tonumber(seq))
end

-- The sender of an entry: 'd', 'c', or 's' with the role it is meant for, if not both.
local function sender(fields)
  for i = 1, #fields, 2 do
    if fields[i] ~= 'i' then return fields[i] end
  end
end

-- Whether the log has an entry at this position. A failover can lose the end of a log and set the clock
-- back; a receipt of a position that was lost would then stand for what has come to smaller ones since.
local function holds(trip, epoch, pos)
  return #redis.call('XRANGE', log_key(trip, epoch), pos, pos) > 0
end

-- Enough of an id's hash to tell whether it is among a channel's few.
local function id_mark(id) return string.sub(redis.sha1hex(id), 1, 8) end

-- What became of what each role posted, by how far the two devices are: {id, position} of what the other one has not
-- confirmed, and the marks of what it has.
local function outcomes(trip, epoch, d_got, c_got)
  local lost, arrived = { d = {}, c = {} }, { d = {}, c = {} }
  local reached = { d = c_got or '', c = d_got or '' }
  for _, entry in ipairs(redis.call('XRANGE', log_key(trip, epoch), '-', '+')) do
    local id, role = entry[2][2], sender(entry[2])
    local reach = reached[role]
    if reach then
      -- Most are earlier by their milliseconds, which have 13 digits; that is quick to see.
      if string.sub(entry[1], 1, 13) < string.sub(reach, 1, 13) or position(entry[1]) <= reach then
        arrived[role][#arrived[role] + 1] = id_mark(id)
      else
        lost[role][#lost[role] + 1] = { id, position(entry[1]) }
      end
    end
  end
  return lost, { d = table.concat(arrived.d), c = table.concat(arrived.c) }
end

-- An empty Lua table is an object to cjson; a list of pairs must stay a list.
local function list(t) return #t > 0 and cjson.encode(t) or '[]' end

local function bars_of(trip) return cjson.decode((get(trip, 'bars')) or '[]') end

-- What stopped the parties of an epoch, as JSON: who reads its log must know what was refused there.
local function bars_in(trip, epoch)
  local bars, ended = get(trip, 'bars', 'bars.' .. epoch)
  return ended or bars or '[]'
end

-- What of a party's is stopped at a time of its log: nil, 'text' (quick replies pass), or 'all'.
local function barred(trip, role, at)
  local stopped
  for _, bar in ipairs(bars_of(trip)) do
    if bar[1] == role and bar[3] <= at and at < bar[4] and stopped ~= 'all' then stopped = bar[2] end
  end
  return stopped
end

-- Whether a party has no channel any more by these bars (JSON): from when it is barred until that is lifted,
-- by any clock.
local function shut_out(bars, role, now)
  if not bars or bars == '[]' then return false end
  for _, bar in ipairs(cjson.decode(bars)) do
    if bar[1] == role and bar[2] == 'all' and not bar[6] and now < bar[4] then return true end
  end
  return false
end

-- Since when a party has had no channel, as it stood at that time; nil if it had.
local function shut_since(trip, role, at)
  local since
  for _, one in ipairs(bars_of(trip)) do
    if one[1] == role and one[2] == 'all' and one[3] <= at + 1 and at < one[4] then
      since = math.min(since or one[3], one[3])
    end
  end
  -- One may have begun before another that it outlasts was lifted.
  local earlier = since
  while earlier do
    since, earlier = earlier, nil
    for _, one in ipairs(bars_of(trip)) do
      if one[1] == role and one[2] == 'all' and one[3] < since and since <= one[4] then
        earlier = math.min(earlier or one[3], one[3])
      end
    end
  end
  return since
end

-- Where a party sits or sat: {epoch, role letter}, the oldest first.
local function seats_of(trip, party)
  local sat = {}
  for epoch = 1, tonumber((get(trip, 'epoch'))) or 0 do
    for _, role in ipairs(ROLES) do
      if get(trip, 'e' .. int(epoch) .. '.' .. role) == party then sat[#sat + 1] = { epoch, role } end
    end
  end
  return sat
end

-- What is known of who sits in a role, besides who it is: field, value, ...
local function seat_fields(trip, role)
  local found = {}
  for _, field in ipairs(redis.call('HKEYS', trip_key(trip))) do
    local name = string.match(field, '^' .. role .. '%.(.*)$')
    if name == 'alias' or name == 'locale' or name == 'attached' or (name and string.match(name, '^f%.')) then
      found[#found + 1] = name
      found[#found + 1] = get(trip, field)
    end
  end
  return found
end

-- (seldom) Before an epoch ends: what was told to who is shut out, and how things stood for that party.
local function keep_shut(trip, epoch, role, now)
  local since = shut_since(trip, role, now)
  if since then
    redis.call('HSET', trip_key(trip), 'shut.' .. epoch .. '.' .. role,
      cjson.encode({ since = int(since), fields = seat_fields(trip, role) }))
  end
  return since
end

-- (seldom) What a party was told that was shut out for good, of the seats it had: {since, which of them it was, fields as
-- they were then}, without fields if it still has that seat; nil if it has a channel, or had when it left.
local function told_shut(trip, sat, now)
  local current, closed = get(trip, 'epoch', 'closed')
  local found
  for i = #sat, 1, -1 do
    local epoch, role, shut = int(sat[i][1]), sat[i][2], nil
    if epoch == current then
      local since = shut_since(trip, role, tonumber(closed) or now)
      shut = since and { since = since }
    else
      local kept = get(trip, 'shut.' .. epoch .. '.' .. role)
      if kept then
        shut = cjson.decode(kept)
        shut.since = tonumber(shut.since)
      end
    end
    -- Who was away meanwhile and brought back heard nothing new; who was let in again did.
    local away = sat[i + 1] and sat[i + 1][1] > sat[i][1] + 1
    if not shut or (found and not away and shut.since ~= found.since) then break end
    found = { since = shut.since, at = i, fields = shut.fields }
  end
  return found
end

local function set_bars(trip, bars)
  redis.call('HSET', trip_key(trip), 'bars', list(bars))
  local epoch, d_lost, c_lost = get(trip, 'epoch', 'd.undelivered', 'c.undelivered')
  tell({ op = 'bars', trip = trip, pairing = tonumber(epoch), bars = list(bars), d = d_lost or '[]', c = c_lost or '[]' })
end

-- The time that a log's next entry bears. A log never goes back, also where the clock does.
local function log_ms(log, now)
  if redis.call('EXISTS', log) == 0 then return now end
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return math.max(now, tonumber(string.match(info[i + 1], '^%d+'))) end
  end
end

-- Begins a new millisecond in a log and gives it: what changes for its entries does so exactly there,
-- however many came in the millisecond before.
local function new_ms(log, now)
  local ms = log_ms(log, now) + 1
  redis.call('XSETID', log, int(ms) .. '-0')
  return ms
end

-- (seldom) Stops what a party writes ('text') or the party altogether ('all'), who then sees a closed channel.
-- `source` is on whose account: the same one again changes only the end.
local function bar(trip, role, kind, until_ms, now, source)
  local bars, known = bars_of(trip), nil
  for _, one in ipairs(bars) do
    if one[1] == role and one[5] == source and not one[6] and now < one[4] then known = one end
  end
  if known then
    known[4] = until_ms
  else
    local epoch, d_got, c_got = get(trip, 'epoch', 'd.got', 'c.got')
    -- Who is shut out on another account has been told then, and hears the same ever after.
    if kind == 'all' and not shut_out(list(bars), role, now) then
      local lost, arrived = outcomes(trip, epoch, d_got, c_got)
      redis.call('HDEL', trip_key(trip), role .. '.seat')
      redis.call('HSET', trip_key(trip), role .. '.undelivered', list(lost[role]),
        'arrived.' .. epoch .. '.' .. role, arrived[role])
    end
    bars[#bars + 1] = { role, kind, new_ms(log_key(trip, epoch), now), until_ms, source }
    note(trip, now, 'barred', role, kind)
  end
  set_bars(trip, bars)
end

-- The role of the party whose token this is, or nil and why not; for the party that was replaced last,
-- its role and true. `state`, `bars` and tokens as the record has them.
local function holder(trip, digest, state, now, bars, d_tokens, c_tokens)
  local mark = digest .. '='
  local function expiry_in(tokens)
    local _, last = string.find(tokens or '', mark, 1, true)
    return last and string.match(tokens, '^%d+', last + 1)
  end
  local d_expires, c_expires = expiry_in(d_tokens), expiry_in(c_tokens)
  local role, expires = d_expires and 'd' or 'c', d_expires or c_expires
  if expires then
    -- A closed channel says so to an old token, and so does one that is closed to this party.
    local open = state ~= 'closed' and not shut_out(bars, role, now)
    if open and tonumber(expires) <= now then return nil, 'expired' end
    return role, false
  end
  local gone_tokens, gone_role = get(trip, 'gone.tokens', 'gone.role')
  if expiry_in(gone_tokens) then return gone_role, true end
  return nil, 'token'
end

-- (seldom) What of a party's has not arrived, as it is told once its channel is over, in JSON: what is listed, and
-- what of `asked` did not arrive either. Those are the ids of what it holds for accepted in epoch `at`. Of them the log
-- may have lost some in a failover, and then nobody could list them. `gone` is whether it was replaced.
local function not_arrived(trip, role, gone, at, asked)
  local of = gone and 'gone' or role
  local party, listed, epoch = get(trip, of .. '.party', of .. '.undelivered', gone and 'gone.epoch' or 'epoch')
  listed = listed or '[]'
  if #asked == 0 then return listed end

  local function arrived_in(number)
    local sat, arrived = get(trip, 'e' .. int(number) .. '.' .. role, 'arrived.' .. int(number) .. '.' .. role)
    return sat == party and arrived
  end

  -- The epoch in which it ended for this party: for who was shut out that is not the trip's last.
  local last = tonumber(epoch) or 0
  while last > 0 and not arrived_in(last) do last = last - 1 end
  at = math.max(1, tonumber(at))
  local arrived = at <= last and arrived_in(at)
  -- Without that, a version of the relay ended it that did not note what arrived. Of an epoch that was never
  -- heard of nothing did: the failover took all of it.
  if last == 0 or (at <= last and not arrived) then return listed end
  local lost, known = cjson.decode(listed), {}
  for _, one in ipairs(lost) do known[id_mark(one[1])] = true end
  for found in string.gmatch(arrived or '', '%x%x%x%x%x%x%x%x') do known[found] = true end
  for _, id in ipairs(asked) do
    if not known[id_mark(id)] then lost[#lost + 1] = { id, '' } end
  end
  return list(lost)
end

-- Until when the law holds a trip's messages; 0 if it does not.
local function held_until(trip) return tonumber((get(trip, 'hold'))) or 0 end

-- For how long the messages of a trip are still to be kept, were it closed at `closed`.
local function kept_ms(trip, closed, now)
  local retention_s, hold = get(trip, 'retention_s', 'hold')
  return math.max(closed + (tonumber(retention_s) or 0) * 1000, tonumber(hold) or 0) - now
end

-- (seldom) A case's evidence is destroyed when its time is over, and its record some time after that.
local function case_due(case, now)
  local key = TAG .. ':case:' .. case
  local evidence_until, record_until, trip = unpack(redis.call('HMGET', key, 'evidence_until', 'record_until', 'trip'))
  if not evidence_until then return end
  if record_until and now >= tonumber(record_until) then
    redis.call('DEL', key)
    redis.call('ZREM', TAG .. ':cases', case)
    redis.call('ZREM', TAG .. ':cases_done', case)
  elseif not record_until and math.max(held_until(trip), tonumber(evidence_until)) > now then
    local until_ms = math.max(held_until(trip), tonumber(evidence_until))
    redis.call('ZADD', TAG .. ':due', int(until_ms), 'case:' .. case)
  elseif record_until then
    redis.call('ZADD', TAG .. ':due', record_until, 'case:' .. case)
  else
    redis.call('HDEL', key, 'evidence')
    record_until = int(now + CASE_RECORD_MS)
    redis.call('HSET', key, 'record_until', record_until)
    redis.call('ZADD', TAG .. ':due', record_until, 'case:' .. case)
  end
end

-- Takes the log of an epoch out of reach of posts: kept where it is to be for `keep_ms`, else destroyed. Gives
-- how many messages the trip has had.
local function retire_log(trip, epoch, keep_ms)
  local messages = math.max(0, redis.call('XLEN', log_key(trip, epoch)) - 1)
    + (tonumber((get(trip, 'messages'))) or 0)
  if keep_ms > 0 then
    if redis.call('EXISTS', log_key(trip, epoch)) == 1 then
      redis.call('RENAME', log_key(trip, epoch), kept_key(trip, epoch))
    end
  else
    redis.call('DEL', log_key(trip, epoch))
  end
  return int(messages)
end

-- (seldom) The `outcomes` of an epoch that ends, as they are to be kept: lists by role, and field, value, ... Who was shut
-- out before has been told then, and hears the same ever after.
local function kept_outcomes(trip, epoch, now, lost, arrived)
  local fields, had_bars = {}, (get(trip, 'bars') or '[]') ~= '[]'
  for _, role in ipairs(ROLES) do
    if had_bars and shut_since(trip, role, now) then
      lost[role] = cjson.decode((get(trip, role .. '.undelivered')) or '[]')
    else
      fields[#fields + 1] = 'arrived.' .. epoch .. '.' .. role
      fields[#fields + 1] = arrived[role]
    end
  end
  return lost, fields
end

-- (seldom) Ends a pairing, because `role` leaves: its log goes, and another one begins in epoch `following`. Gives by
-- role what never arrived. The record of who leaves stays as it is, but for what belongs to the seat.
local function part(trip, role, following, now)
  local key = trip_key(trip)
  local epoch, party, tokens, other, d_got, c_got =
    get(trip, 'epoch', role .. '.party', role .. '.tokens', PEER[role] .. '.party', 'd.got', 'c.got')
  local lost, arrived = kept_outcomes(trip, epoch, now, outcomes(trip, epoch, d_got, c_got))
  keep_shut(trip, epoch, PEER[role], now)
  local shut = keep_shut(trip, epoch, role, now)
  redis.call('HDEL', key, role .. '.seat', role .. '.attached', role .. '.tokens',
    'd.got', 'c.got', 'd.seen', 'c.seen', 'gone.shut')
  -- What the guard has taken out of somebody's messages stays counted while that party stays; 's' is the
  -- platform. Of who leaves a little stays counted for the channel, or reassigning would be a way round.
  local masks, masks_before = get(trip, role .. '.masks', role .. '.masks_before')
  redis.call('HINCRBY', key, 'gone.masks', math.min(2, (tonumber(masks) or 0) + (tonumber(masks_before) or 0)))
  redis.call('HDEL', key, role .. '.masks', role .. '.masks_before')
  for _, stays in ipairs({ PEER[role], 's' }) do
    redis.call('HINCRBY', key, stays .. '.masks_before', tonumber((get(trip, stays .. '.masks'))) or 0)
    redis.call('HDEL', key, stays .. '.masks')
  end
  local messages = retire_log(trip, epoch, kept_ms(trip, now, now))
  redis.call('XADD', log_key(trip, following), '*', 'i', '', 'o', '')
  redis.call('HSET', key, 'epoch', following, 'messages', messages,
    'd.undelivered', list(lost.d), 'c.undelivered', list(lost.c),
    'e' .. following .. '.' .. role, party, 'e' .. following .. '.' .. PEER[role], other,
    'gone.tokens', tokens or '', 'gone.role', role, 'gone.party', party, 'gone.epoch', epoch,
    'gone.undelivered', list(lost[role]), unpack(arrived))
  if shut then redis.call('HSET', key, 'gone.shut', int(shut)) end
  -- What was refused lies in the old log all the same, and is known by the bars of its pairing alone.
  redis.call('HSET', key, 'bars.' .. epoch, list(bars_of(trip)))
  return lost
end

-- (seldom) The one way a channel closes. It frees before it writes, so it works in a store that is full.
local function close(trip, reason, detail, now)
  if #KEYS > 1 then redis.call('EXISTS', TAG .. ':nothing') end
  local epoch, window_s, d_got, c_got = get(trip, 'epoch', 'report_window_s', 'd.got', 'c.got')
  local keep_ms, window_ms = kept_ms(trip, now, now), tonumber(window_s) * 1000
  local lost, arrived = kept_outcomes(trip, epoch, now, outcomes(trip, epoch, d_got, c_got))
  local key = trip_key(trip)
  redis.call('HDEL', key, 'd.phone', 'c.phone', 'd.seat', 'c.seat', 'allow', 'allow_ever')
  local messages = retire_log(trip, epoch, keep_ms)
  redis.call('ZREM', TAG .. ':due', 'close:' .. trip)
  redis.call('ZREM', TAG .. ':open', trip)
  if keep_ms <= 0 then
    redis.call('HDEL', key, 'messages_key')
  else
    redis.call('ZADD', TAG .. ':due', int(now + keep_ms), 'messages:' .. trip)
  end
  redis.call('ZADD', TAG .. ':due', int(now + math.max(keep_ms, window_ms) + TOMBSTONE_MS), 'record:' .. trip)
  redis.call('HSET', key, 'state', 'closed', 'reason', reason, 'detail', detail,
    'closed', int(now), 'messages', messages,
    'd.undelivered', list(lost.d), 'c.undelivered', list(lost.c), unpack(arrived))
  note(trip, now, 'closed', '', reason)
  tell({ op = 'closed', trip = trip, pairing = tonumber(epoch), reason = reason, detail = detail,
    d = list(lost.d), c = list(lost.c) })
end

-- The trip has ended, and its channel closes at `deadline`. Frees first, so that it works in a store that
-- is full.
local function end_later(trip, deadline, detail, now)
  redis.call('HDEL', trip_key(trip), 'detail')
  redis.call('HSET', trip_key(trip), 'state', 'grace', 'deadline', deadline, 'detail', detail)
  redis.call('ZADD', TAG .. ':due', deadline, 'close:' .. trip)
  note(trip, now, 'grace', '', deadline)
  tell({ op = 'state', trip = trip, state = 'grace', deadline = tonumber(deadline), detail = detail })
end

-- For a trip that is not known: makes sure that a late open finds it closed. Begins by freeing (what is not
-- there), so that it works in a store that is full.
local function tombstone(trip, reason, detail, now)
  redis.call('HDEL', trip_key(trip), 'state')
  redis.call('HSET', trip_key(trip), 'state', 'closed', 'reason', reason, 'detail', detail,
    'closed', int(now), 'epoch', '0')
  redis.call('ZADD', TAG .. ':due', int(now + TOMBSTONE_MS), 'record:' .. trip)
  tell({ op = 'closed', trip = trip, pairing = 0, reason = reason, detail = detail, d = '[]', c = '[]' })
end

-- The state as of now, of a record in this state with this deadline: a channel whose deadline has passed
-- is closed before anybody looks at it.
local function state_at(trip, now, state, deadline)
  if not state then return 'absent' end
  if state ~= 'closed' and now >= tonumber(deadline) then
    if state == 'grace' then
      close(trip, 'ended', get(trip, 'detail') or '', now)
    else
      close(trip, 'expired', 'expired', now)
    end
    return 'closed'
  end
  return state
end

local function state_of(trip, now)
  return state_at(trip, now, get(trip, 'state', 'deadline'))
end

-- What `command` leads to: the next state, or nil and the refusal.
local function step(state, command)
  local outcome = MOVES[command][state]
  if STATES[outcome] then return outcome end
  return nil, outcome
end

local MAX_TOKENS = 4

-- Adds a token's digest to a party's, oldest first; a few live side by side, because an answer
-- that was lost and the repeat that followed it may both arrive.
local function with_token(tokens, digest, expires, alone)
  local kept = {}
  if not alone then
    for token in string.gmatch(tokens or '', '%S+') do kept[#kept + 1] = token end
  end
  while #kept >= MAX_TOKENS do table.remove(kept, 1) end
  kept[#kept + 1] = digest .. '=' .. expires
  return table.concat(kept, ' ')
end
