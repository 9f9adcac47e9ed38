-- Closes a channel by an operator's hand. The parties are told what every closed channel says.
-- ARGV: trip, detail (for the platform). Returns {outcome, closed_at}; outcome: closed | is_closed | no_trip.
local trip, detail = ARGV[1], ARGV[2]
local now = now_ms()
local following, refusal = step(state_of(trip, now), 'close')
if refusal then return { refusal, (get(trip, 'closed')) or '' } end
close(trip, 'closed', detail, now)
emit({ kind = 'channel.closed', at = now, trip = trip, detail = detail })
return { following, int(now) }
