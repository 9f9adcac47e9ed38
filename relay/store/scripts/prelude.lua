-- What every script begins with. KEYS[1] is `{pN}:trip:<trip>` (or `{pN}:due` for the sweep); all
-- other keys are derived from its hash tag, so they are in the same slot. MOVES is core.lifecycle.
--
-- The trip's record:
--   state, reason (as the parties are told), detail (as the platform gave it), epoch,
--   requested, opened, deadline, ceiling, closed (ms), retention_s, report_window_s, policy, allow, allow_ever (all that was ever allowed), rules (how often these changed),
--   messages (how many the retired logs held), messages_key (wrapped), and for each role, here d. for the driver:
--   d.party d.alias d.locale d.phone (sealed) d.since (the epoch it came in) d.tokens ("digest=expiry ..."), d.seat
--   ("node conn device attempt"), d.attached (ms of the last attach), d.got d.seen (positions),
--   d.masks (how many messages had digits taken out in this epoch), d.masks_before (in those before),
--   d.undelivered (JSON, of the last epoch that ended); of the party replaced last: gone.tokens,
--   gone.role, gone.undelivered; of all that were replaced: gone.masks

local ROLES = { 'd', 'c' }
local PEER = { d = 'c', c = 'd' }
local TAG = string.match(KEYS[1], '^{[^}]*}')

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Numbers of milliseconds have 13 digits; tostring would write them as 1.7e+12.
local function int(n) return string.format('%d', n) end

local function trip_key(trip) return TAG .. ':trip:' .. trip end
local function log_key(trip, epoch) return TAG .. ':log:' .. trip .. ':' .. epoch end
local function kept_key(trip, epoch) return TAG .. ':kept:' .. trip .. ':' .. epoch end

local function get(trip, ...)
  return unpack(redis.call('HMGET', trip_key(trip), ...))
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

-- {id, position} of what `role` posted and its peer's device has not confirmed.
local function undelivered(trip, epoch, role, peer_got)
  local found = {}
  local from = peer_got and ('(' .. peer_got) or '-'
  for _, entry in ipairs(redis.call('XRANGE', log_key(trip, epoch), from, '+')) do
    if sender(entry[2]) == role then found[#found + 1] = { entry[2][2], position(entry[1]) } end
  end
  return found
end

-- An empty Lua table is an object to cjson; a list of pairs must stay a list.
local function list(t) return #t > 0 and cjson.encode(t) or '[]' end

-- Takes the log of an epoch out of reach of posts: kept for its retention, or destroyed. Gives how
-- many messages the trip has had.
local function retire_log(trip, epoch, retention_s)
  local messages = math.max(0, redis.call('XLEN', log_key(trip, epoch)) - 1)
    + (tonumber((get(trip, 'messages'))) or 0)
  if retention_s > 0 then
    if redis.call('EXISTS', log_key(trip, epoch)) == 1 then
      redis.call('RENAME', log_key(trip, epoch), kept_key(trip, epoch))
    end
  else
    redis.call('DEL', log_key(trip, epoch))
  end
  return int(messages)
end

-- The one way a channel closes. It frees before it writes, so it works in a store that is full.
local function close(trip, reason, detail, now)
  local epoch, retention_s, window_s, d_got, c_got =
    get(trip, 'epoch', 'retention_s', 'report_window_s', 'd.got', 'c.got')
  retention_s, window_s = tonumber(retention_s), tonumber(window_s)
  local lost = {
    d = undelivered(trip, epoch, 'd', c_got or nil),
    c = undelivered(trip, epoch, 'c', d_got or nil),
  }
  local key = trip_key(trip)
  redis.call('HDEL', key, 'd.phone', 'c.phone', 'd.seat', 'c.seat', 'allow')
  local messages = retire_log(trip, epoch, retention_s)
  redis.call('ZREM', TAG .. ':due', 'close:' .. trip)
  redis.call('ZREM', TAG .. ':open', trip)
  if retention_s == 0 then
    redis.call('HDEL', key, 'messages_key')
  else
    redis.call('ZADD', TAG .. ':due', int(now + retention_s * 1000), 'messages:' .. trip)
  end
  redis.call('ZADD', TAG .. ':due',
    int(now + math.max(retention_s, window_s) * 1000 + TOMBSTONE_MS), 'record:' .. trip)
  redis.call('HSET', key, 'state', 'closed', 'reason', reason, 'detail', detail,
    'closed', int(now), 'messages', messages,
    'd.undelivered', list(lost.d), 'c.undelivered', list(lost.c))
  tell({ op = 'closed', trip = trip, reason = reason,
    d = list(lost.d), c = list(lost.c) })
end

-- The state as of now: a channel whose deadline has passed is closed before anybody looks at it.
local function state_of(trip, now)
  local state, deadline = get(trip, 'state', 'deadline')
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

-- What `command` leads to: the next state, or nil and the refusal.
local function step(state, command)
  local outcome = MOVES[state][command]
  if MOVES[outcome] then return outcome end
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
