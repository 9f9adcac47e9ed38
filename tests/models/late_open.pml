/* An `open` that comes after its trip's end, however late.
 *
 * The end leaves a tombstone, of a trip that is not known too (prelude.lua). The tombstone goes some
 * time, and who asks later than that is told from the age of the request (open.lua). The platform's
 * clock may be ahead of the store's by a little; a request may be repeated.
 *
 * What must hold: no `open` that the platform asked for before it ended the trip opens it after that.
 *
 * Each of these, defined, takes one thing away, and then it must fail:
 *   NO_TOMBSTONE    the end of a trip that is not known leaves nothing
 *   NO_AGE          only the tombstone is looked at
 *   NO_MARGIN       the clocks are taken for the same
 */
#define LAST 12
#define TOMBSTONE 4
#define AHEAD 1

#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN 2
#endif

mtype = { ABSENT, OPEN, CLOSED };

byte now;
mtype state = ABSENT;
byte gone_at; /* when the record of the closed trip is due to go */
byte requested; /* by the platform's clock */
bool is_requested, has_ended;

proctype Clock() {
  do
  :: now < LAST -> now++
  :: now == LAST -> break
  od
}

proctype Open() {
  do
  :: d_step {
      is_requested && state == ABSENT ->
      if
#ifndef NO_AGE
      :: requested + TOMBSTONE < now + MARGIN
#endif
      :: else -> assert(!has_ended); state = OPEN
      fi
    }
  :: now == LAST -> break
  od
}

proctype Sweep() {
  do
  :: d_step { state == CLOSED && now >= gone_at -> state = ABSENT; gone_at = 0 }
  :: now == LAST -> break
  od
}

proctype Platform() {
  if
  :: d_step { requested = now; is_requested = true }
  :: d_step { requested = now + AHEAD; is_requested = true }
  fi;
  if
  :: d_step {
      now < LAST - TOMBSTONE - MARGIN ->
      has_ended = true;
      if
#ifdef NO_TOMBSTONE
      :: state == ABSENT
#endif
      :: else -> state = CLOSED; gone_at = now + TOMBSTONE
      fi
    }
  :: now == LAST /* it is too late to see what would follow */
  fi
}

init {
  atomic {
    run Clock();
    run Open();
    run Sweep();
    run Platform()
  }
}
