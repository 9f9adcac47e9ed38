/* A failover that forgets the last writes, and nodes that say again what is final.
 *
 * The store is a primary and a replica that is behind by as much as it likes. At a failover the
 * replica takes over and what it had not heard of is forgotten, a close among it. Each node has two
 * connections to the store, one for posts and one for the platform's calls. It remembers the final
 * news that it heard (gateway/finality.py) and what it answered itself, and says it first on each
 * connection that it makes (store/scripts/again.lua). News is published and may never come. A node
 * may be killed and started anew, and remembers nothing then. The old primary is dead, not cut off:
 * of one that goes on taking writes no replica ever hears, and nothing here speaks of it.
 *
 * What must hold, once a node that heard of the end, or answered it, has made any connection to the
 * store that took over:
 *   - no post is accepted after the end (with a grace: after the grace);
 *   - no `open` opens the trip again, also where that store had never heard of the trip;
 * and a node that was cut off from the store for longer than its lease delivers nothing of a channel
 * that the store, when the node came back, knew to be closed.
 *
 * Each of these, defined, takes one thing away, and then something must fail:
 *   NO_REPLAY         nothing is said again
 *   REPLAYS_LATER     it is said when the connection is in use already
 *   API_IS_SILENT     it is said on the connection for posts alone
 *   HEARS_ONLY        who answered an `end` remembers it only if the news of it comes back
 *   FORGETS_GRACE     only closes are remembered, not an end with grace
 *   SAYS_NO_TOMBSTONE a store that does not know the trip is told nothing
 *   NO_TOMBSTONE      an `end` of a trip that is not known leaves nothing
 *   DELIVERS_AT_ONCE  a node that was cut off does not ask before it delivers
 */
#define NODES 2
#define POSTING 0
#define CALLING 1
#define LINE(n, which) line[(n) * 2 + (which)]

mtype = { ABSENT, OPEN, GRACE, CLOSED };
mtype = { NOTHING, ENDS, ENDED };

/* --- the store: `state` and whether there is a log, and the replica's copy of it ----------------- */
mtype state = ABSENT;
mtype copied = ABSENT;
byte generation = 1;
bool is_grace_over; /* by now; it is the store's clock that says so */

/* --- the nodes ----------------------------------------------------------------------------------- */
byte line[4]; /* the generation that each connection is to, or 0 */
mtype knows[NODES] = NOTHING; /* what it says again */
bool is_suspended[NODES] = true; /* until it has asked about its channels */
bool has_in_hand[NODES]; /* a message for a party that is attached here */

/* --- what nobody in it sees ----------------------------------------------------------------------- */
mtype published = NOTHING;
mtype ought[NODES] = NOTHING; /* what it heard or answered */
mtype final = NOTHING; /* what the present store was told of the end, or had not forgotten */
mtype final_copied = NOTHING;
bool was_closed[NODES]; /* when it came back */

#define IS_OVER (final == ENDED || (final == ENDS && is_grace_over))

/* NOTHING < ENDS < ENDED: what is known of the end only grows. */
#define IS_NEWS(news, known) \
  ((news == ENDED && known != ENDED) || (news == ENDS && known == NOTHING))

inline learn(known, news) {
  if
  :: IS_NEWS(news, known) -> known = news
  :: else
  fi
}

#ifdef FORGETS_GRACE
inline remember(n, news) {
  if
  :: news == ENDED -> knows[n] = ENDED
  :: else
  fi
}
#else
inline remember(n, news) { learn(knows[n], news) }
#endif

/* Every script begins so: a channel whose deadline has passed is closed before anybody looks at it. */
inline state_of() {
  if
  :: state == GRACE && is_grace_over -> state = CLOSED
  :: else
  fi
}

/* store/scripts/again.lua */
inline say_again(news) {
  state_of();
  if
  :: news == NOTHING
  :: news != NOTHING && state == ABSENT ->
#ifndef SAYS_NO_TOMBSTONE
    state = CLOSED;
    learn(published, ENDED);
#endif
    skip
  :: news == ENDED && state != ABSENT && state != CLOSED -> state = CLOSED; learn(published, ENDED)
  :: news == ENDS && state == OPEN ->
    state = (is_grace_over -> CLOSED : GRACE);
    learn(published, ENDS)
  :: else
  fi
}

inline connect(n, which) {
  LINE(n, which) = generation;
#if defined(NO_REPLAY) || defined(REPLAYS_LATER)
  skip;
#elif defined(API_IS_SILENT)
  if
  :: which == POSTING -> say_again(knows[n])
  :: else
  fi;
#else
  say_again(knows[n]);
#endif
  learn(final, ought[n])
}

/* --- a node's connection for posts, and what it delivers ------------------------------------------ */
proctype Posting(byte n) {
  bool has_posted, has_said;
end:
  do
  :: d_step {
      LINE(n, POSTING) != generation ->
      connect(n, POSTING);
      was_closed[n] = (state == CLOSED && IS_OVER);
      has_said = false
    }
#ifdef REPLAYS_LATER
  :: d_step { LINE(n, POSTING) == generation && !has_said -> say_again(knows[n]); has_said = true }
#endif
  :: /* XADD NOMKSTREAM: there is a log while the channel is open */
    d_step {
      !has_posted && LINE(n, POSTING) == generation ->
      has_posted = true;
      if
      :: state == OPEN || (state == GRACE && !is_grace_over) ->
        assert(!IS_OVER);
        has_in_hand[1 - n] = true
      :: else
      fi
    }
  :: /* it asks the store about every channel before it delivers again */
    d_step {
      is_suspended[n] && LINE(n, POSTING) == generation ->
      is_suspended[n] = false;
      state_of();
      if
      :: state == CLOSED || state == ABSENT -> has_in_hand[n] = false
      :: else
      fi
    }
  :: d_step {
#ifdef DELIVERS_AT_ONCE
      has_in_hand[n] ->
#else
      has_in_hand[n] && !is_suspended[n] ->
#endif
      has_in_hand[n] = false;
      assert(!was_closed[n])
    }
  od
}

/* --- a node's connection for the platform's calls -------------------------------------------------- */
proctype Calling(byte n) {
end:
  do
  :: d_step { LINE(n, CALLING) != generation -> connect(n, CALLING) }
  :: /* an `open`, the first one or late */
    d_step {
      LINE(n, CALLING) == generation && state == ABSENT ->
      assert(!IS_OVER);
      state = OPEN
    }
  od
}

/* --- the platform ends the trip, at some time, by some node ----------------------------------------- */
proctype Platform() {
  byte n, asked;
  mtype what = ENDED;
  if
  :: n = 0
  :: n = 1
  fi;
  if
  :: what = ENDS
  :: skip
  fi;
  d_step {
    LINE(n, CALLING) == generation ->
    asked = generation;
    state_of();
    if
    :: state == CLOSED -> what = ENDED
    :: state == ABSENT ->
      what = ENDED;
#ifndef NO_TOMBSTONE
      state = CLOSED;
      learn(published, ENDED);
#endif
      skip
    :: state == OPEN && what == ENDS -> state = GRACE; learn(published, ENDS)
    :: state == OPEN && what == ENDED -> state = CLOSED; learn(published, ENDED)
    :: else -> what = NOTHING
    fi;
    learn(final, what)
  };
  /* The answer comes, if the node is alive and the store did not die before it. */
  if
  :: d_step {
      LINE(n, CALLING) == asked ->
#ifndef HEARS_ONLY
      remember(n, what);
#endif
      learn(ought[n], what)
    }
  :: skip
  fi
}

/* --- news, time, and what goes wrong ---------------------------------------------------------------- */
proctype World() {
  bool may_fail = true, may_kill = true;
  byte n;
end:
  do
  :: d_step { IS_NEWS(published, knows[0]) -> remember(0, published); learn(ought[0], published) }
  :: d_step { IS_NEWS(published, knows[1]) -> remember(1, published); learn(ought[1], published) }
  :: d_step { published == ENDS && !is_grace_over -> is_grace_over = true }
  :: d_step {
      copied != state || final_copied != final ->
      copied = state; final_copied = final
    }
  :: d_step { /* the replica takes over */
      may_fail ->
      may_fail = false;
      generation = 2;
      state = copied; final = final_copied;
      is_suspended[0] = true; is_suspended[1] = true
    }
  :: d_step { /* a node is killed */
      may_kill -> n = 0; may_kill = false;
      LINE(0, POSTING) = 0; LINE(0, CALLING) = 0;
      knows[0] = NOTHING; ought[0] = NOTHING;
      has_in_hand[0] = false; is_suspended[0] = true; was_closed[0] = false
    }
  od
}

init {
  atomic {
    if
    :: state = OPEN; copied = OPEN
    :: state = OPEN
    :: skip
    fi;
    run Posting(0);
    run Posting(1);
    run Calling(0);
    run Calling(1);
    run Platform();
    run World()
  }
}
