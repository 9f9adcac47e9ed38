/* Accept against close: two nodes, one store.
 *
 * A post is one transaction that no node can look into: XADD NOMKSTREAM, XLEN, HMGET deadline (see
 * store.LogWriter), or a script that checks the state first (post.lua). A close is one script that
 * takes the log away. Between a node's step and the store's, and between the store's and the answer,
 * anything may happen elsewhere; news of a close, of another deadline or another epoch may never
 * come. The store's clock goes on as it likes and may be set back once, as after a failover to a
 * server whose clock is behind.
 *
 * What must hold, whoever closes and why:
 *   - no post is accepted that the store took at or after the close, by its order or its clock;
 *   - no post is accepted that was sent after the close was answered;
 *   - every accepted post was in the log;
 *   - no post is shown to the peer that the store took at or after the close.
 *
 * Each of these, defined, takes one thing away, and then something must fail:
 *   MAKES_LOG       XADD without NOMKSTREAM
 *   CHECKS_FIRST    the same, after a look at the state
 *   NO_DEADLINE     an entry's time is compared to nothing: closed is what was swept
 *   HEARD_DEADLINE  it is compared to the deadline that the node has heard of last
 *   ANSWERS_FIRST   the post is accepted before the store has answered
 *   CLOSE_IN_STEPS  the close is noted and answered, and the log goes later
 *   READS_AS_HEARD  what is read from the log is compared to the deadline that the node has heard of
 */
#define NODES 2
#define POSTS 2 /* of both nodes */
#define LAST_MS 4
#define FIRST_DEADLINE 3

mtype = { OPEN, GRACE, CLOSED };

/* --- the store ---------------------------------------------------------------------------------- */
byte now = 1;
mtype state = OPEN;
byte epoch = 1;
byte deadline = FIRST_DEADLINE;
bool log[3];
byte last_ms[3];
byte lies_in[POSTS]; /* the epoch whose log holds it, or 0 */
byte at[POSTS];

/* --- what nobody in it sees --------------------------------------------------------------------- */
bool in_time[POSTS]; /* taken while the channel was open, in the epoch that it had */
bool was_stored[POSTS];
bool sent_late[POSTS];
bool is_answered;
bool is_set_back;

inline take_log_away() {
  log[epoch] = false;
  last_ms[epoch] = 0;
  for (i : 0 .. POSTS - 1) {
    if
    :: lies_in[i] == epoch -> lies_in[i] = 0; at[i] = 0
    :: else
    fi
  }
  i = 0
}

inline close_channel() {
  state = CLOSED;
  take_log_away()
}

/* Every script begins so: a channel whose deadline has passed is closed before anybody looks at it. */
inline state_of() {
  if
  :: state != CLOSED && now >= deadline -> close_channel()
  :: else
  fi
}

inline next_ms(e) {
  t = (now > last_ms[e] -> now : last_ms[e])
}

inline xadd(e, may_make) {
  is_entry = false;
  if
  :: log[e] || may_make ->
    next_ms(e);
    log[e] = true;
    last_ms[e] = t;
    is_entry = true;
    lies_in[p] = e;
    at[p] = t;
    was_stored[p] = true;
    in_time[p] = (state != CLOSED && e == epoch && t < deadline)
  :: else
  fi
}

#if defined(MAKES_LOG) || defined(CHECKS_FIRST)
#define MAKES true
#else
#define MAKES false
#endif

#if defined(HEARD_DEADLINE)
#define TOLD_WITH_IT my_deadline
#elif defined(NO_DEADLINE)
#define TOLD_WITH_IT LAST_MS + 1
#else
#define TOLD_WITH_IT deadline
#endif

#if defined(READS_AS_HEARD)
#define READ_WITH_IT my_deadline
#else
#define READ_WITH_IT deadline
#endif

/* News that need not come: of what no step uses nothing is kept. */
#if defined(HEARD_DEADLINE) || defined(READS_AS_HEARD)
#define hear_news \
  atomic { \
    my_epoch != epoch || my_deadline != deadline -> my_epoch = epoch; my_deadline = deadline \
  }
#else
#define hear_news atomic { my_epoch != epoch -> my_epoch = epoch }
#endif

proctype Clock() {
  do
  :: now < LAST_MS -> now++
#ifdef SET_BACK
  :: atomic { now > 1 && !is_set_back -> now--; is_set_back = true }
#endif
  :: now == LAST_MS -> break
  od
}

/* --- a node: the posts of the party attached here ------------------------------------------------ */
proctype Node(byte me) {
  byte p, e, t, d, i;
  byte my_epoch = 1, my_deadline = FIRST_DEADLINE;
  bool is_entry;
  p = me * (POSTS / NODES);
  do
  :: p < (me + 1) * (POSTS / NODES) ->
    d_step { e = my_epoch; sent_late[p] = is_answered };
#ifdef CHECKS_FIRST
    state != CLOSED && now < deadline;
#endif
#ifdef ANSWERS_FIRST
    assert(was_stored[p]);
#endif
    if
    :: /* blindly: three commands in a transaction */
      d_step {
        xadd(e, MAKES);
        d = TOLD_WITH_IT
      }
    :: /* on a condition: a script */
      d_step {
        d = LAST_MS + 1;
        is_entry = false;
        state_of();
        if
        :: state != CLOSED && epoch == e -> xadd(e, false)
        :: else
        fi
      }
    fi;
    /* The answer comes, whatever has happened meanwhile. */
    d_step {
      if
      :: is_entry && t < d ->
        assert(was_stored[p]);
        assert(in_time[p]);
        assert(!sent_late[p])
      :: else
      fi;
      was_stored[p] = false;
      sent_late[p] = false;
      p++;
      is_entry = false;
      e = 0; t = 0; d = 0
    }
  :: hear_news
  :: p == (me + 1) * (POSTS / NODES) -> my_epoch = 0; break
  od
}

/* --- a node: the peer, who is shown what is read from the log ------------------------------------ */
proctype Reader() {
  byte i;
  byte my_epoch = 1, my_deadline = FIRST_DEADLINE;
  do
  :: true ->
    /* What becomes of a page is decided by what was read with it, so it is shown in this step. */
    d_step {
      for (i : 0 .. POSTS - 1) {
        if
        :: lies_in[i] == my_epoch && at[i] < READ_WITH_IT -> assert(in_time[i])
        :: else
        fi
      }
      i = 0
    };
    break
  :: hear_news
  od
}

/* --- who changes and closes it ------------------------------------------------------------------- */
proctype Platform() {
  byte i;
  do
  :: /* another deadline, sooner or later, that lies ahead (change.lua) */
    d_step {
      state_of();
      if
      :: state == OPEN && now + 1 < FIRST_DEADLINE -> deadline = now + 1
      :: else
      fi
    };
    break
  :: d_step {
      state_of();
      if
      :: state == OPEN -> deadline = LAST_MS
      :: else
      fi
    };
    break
  :: /* another party (reassign.lua) */
    d_step {
      state_of();
      if
      :: state == OPEN -> take_log_away(); epoch = 2; log[2] = true
      :: else
      fi
    };
    break
  :: break
  od;
  do
  :: /* `end` at once, or an operator's close */
    d_step {
      state_of();
      if
#ifdef CLOSE_IN_STEPS
      :: state != CLOSED -> state = CLOSED
#else
      :: state != CLOSED -> close_channel()
#endif
      :: else
      fi
    };
    is_answered = true;
#ifdef CLOSE_IN_STEPS
    d_step { take_log_away() };
#endif
    break
  :: /* `end` with a grace, which only ever shortens the time left */
    d_step {
      state_of();
      if
      :: state != CLOSED ->
        state = GRACE;
        deadline = (now + 1 < deadline -> now + 1 : deadline)
      :: else
      fi
    }
  :: break
  od
}

proctype Sweep() {
  byte i;
  do
  :: state == CLOSED -> break
  :: now >= deadline -> d_step { state_of() }
  :: now == LAST_MS -> break
  od
}

init {
  atomic {
    log[1] = true;
    run Clock();
    run Reader();
    run Platform();
    run Sweep();
    run Node(0);
    run Node(1)
  }
}
