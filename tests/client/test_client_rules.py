"""Single rules of the pure half that the random tests reach rarely."""

import contextlib
import copy

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.client import Accepted, Closed, Finding, Message, PeerGot, PeerSeen, Post, Reassigned
from relay.client.conversation import Conversation
from relay.client.frames import BadFrame, decode, field, strings
from relay.client.inbox import MAX_KNOWN, Inbox, key_of
from relay.client.pace import Limits, Pace
from relay.client.state import Refusal, SavedPost, SavedState
from relay.core.session import ProtocolError
from tests.client.relay_model import End, Frame, RelayModel


def conversation(relay: RelayModel, role: str = "driver") -> tuple[Conversation, End]:
    made = Conversation(SavedState(device="device"))
    return made, attach(made, relay, role)


def attach(made: Conversation, relay: RelayModel, role: str = "driver") -> End:
    end = End()
    relay.attach(end, role, made.connect(1, 0.0, ""))
    hear(made, end)
    return end


def hear(made: Conversation, end: End) -> list[object]:
    events: list[object] = []
    while end.out:
        events += made.receive(end.out.popleft(), 0.0)
    return events


def posts_of(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if frame["op"] == "post"]


def post(made: Conversation, post_id: str, text: str = "text") -> None:
    made.ledger.post(Post(post_id, text))
    made.ledger.release(post_id)


@settings(deadline=None)
@given(
    per_s=st.floats(0.1, 30),
    burst=st.integers(1, 40),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=25),
)
def test_the_pace_never_exceeds_the_rate_by_more_than_the_burst(
    per_s: float, burst: int, gaps: list[float]
) -> None:
    limits = Limits(text_bytes=1, posts_per_s=per_s, posts_burst=burst, in_flight=1)
    pace, now_s, taken = Pace(), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        while pace.ready_at_s(limits) <= now_s and len(taken) < 500:
            pace.take(limits, now_s)
            taken.append(now_s)
    for first, start_s in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + per_s * (taken[last] - start_s) + 1e-6


def test_a_post_put_off_is_sent_after_its_time_and_not_before() -> None:
    relay = RelayModel()
    made, _end = conversation(relay)
    post(made, "a")
    [frame] = made.due(10.0)
    made.receive(relay.refused(frame, "too_many", 500), 10.1)
    assert made.due(10.59) == []
    assert made.due_at_s() == pytest.approx(10.6)
    assert [f["id"] for f in made.due(10.6)] == ["a"]


@pytest.mark.parametrize("after_ms", [0, -5, 10**12])
def test_an_odd_retry_time_neither_spins_nor_silences(after_ms: int) -> None:
    made, _end = conversation(RelayModel())
    post(made, "a")
    made.due(10.0)
    made.receive({"op": "unsure", "id": "a", "retry_after_ms": after_ms}, 10.0)
    due_at_s = made.due_at_s()
    assert due_at_s is not None
    assert 10.05 <= due_at_s <= 610


def test_a_message_of_an_earlier_connection_gives_no_receipt_for_a_forgotten_place() -> None:
    """Its place is not in the log any more: a receipt could stand for what came there since."""
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    for number in range(3):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": "x"})
    first, _second, third = (e for e in hear(made, end) if isinstance(e, Message))
    made.ledger.taken(first)
    relay.leave(end)
    made.dropped()
    relay.lose_tail(2)
    end = attach(made, relay, "customer")
    assert relay.got["customer"] == first.pos, "`after` told it"
    made.ledger.taken(third)
    assert made.due(1.0) == []
    relay.store("driver", {"op": "post", "epoch": 1, "id": "m1", "text": "x", "again": True})
    relay.store("driver", {"op": "post", "epoch": 1, "id": "m2", "text": "x", "again": True})
    assert relay.head < third.pos or relay.head != third.pos
    assert not [e for e in hear(made, end) if isinstance(e, Message)]
    assert [f["pos"] for f in made.due(2.0)] == [relay.head]
    assert made.ledger.saved().after == relay.head


def test_a_lost_place_confirms_nothing_that_comes_to_the_places_before_it() -> None:
    """The store loses all, then one phone is slow to hear what comes: a second loss would take it."""
    relay = RelayModel()
    author, author_end = conversation(relay)
    reader, reader_end = conversation(relay, "customer")

    def carry(*post_ids: str) -> None:
        for post_id in post_ids:
            post(author, post_id)
            relay.take(author_end, posts_of(author.due(1.0))[0])
            hear(author, author_end)

    carry("a1", "a2", "a3")
    for event in hear(reader, reader_end):
        if isinstance(event, Message):
            reader.ledger.taken(event)
    for frame in reader.due(1.0):
        relay.take(reader_end, frame)
    hear(author, author_end)
    assert author.ledger.outbox.posts() == []
    for made, end in ((author, author_end), (reader, reader_end)):
        relay.leave(end)
        made.dropped()
    relay.lose_tail(3)
    author_end, reader_end = attach(author, relay), attach(reader, relay, "customer")
    carry("b1", "b2", "b3")
    assert relay.log[0].pos < (reader.ledger.inbox.after or "") < relay.log[2].pos
    for frame in reader.due(2.0):
        relay.take(reader_end, frame)
    assert hear(author, author_end) == []
    assert [p.id for p in author.ledger.outbox.posts()] == ["b1", "b2", "b3"]


def test_an_app_names_the_message_after_which_it_goes_on() -> None:
    """After a failover another one may have its place, which must not be missed; also in the next
    run."""
    for runs_anew in (False, True):
        relay = RelayModel()
        made, end = conversation(relay, "customer")
        for post_id in ("kept", "lost"):
            relay.store("driver", {"op": "post", "epoch": 1, "id": post_id, "text": "x"})
        for event in hear(made, end):
            if isinstance(event, Message):
                made.ledger.taken(event)
        relay.leave(end)
        made.dropped()
        relay.lose_tail(1, same_places=True)
        relay.store("driver", {"op": "post", "epoch": 1, "id": "other", "text": "x"})
        assert relay.head == made.ledger.inbox.after
        if runs_anew:
            made = Conversation(SavedState.read(made.ledger.saved().to_bytes()))
        end = End()
        relay.attach(end, "customer", made.connect(1, 0.0, ""))
        events = hear(made, end)
        assert [e.id for e in events if isinstance(e, Message)] == ["other"]


def test_a_post_that_the_log_holds_elsewhere_waits_for_the_receipt_of_that_place() -> None:
    """The store lost it, and then a try of it was written that a dead connection had left."""
    relay = RelayModel()
    made, end = conversation(relay)
    post(made, "a")
    [frame] = made.due(1.0)
    relay.take(end, frame)
    [accepted] = hear(made, end)
    assert isinstance(accepted, Accepted)
    relay.leave(end)
    made.dropped()
    relay.lose_tail(1)
    relay.store("customer", {"op": "post", "epoch": 1, "id": "theirs", "text": "x"})
    relay.got["customer"] = relay.head
    assert accepted.pos <= relay.head, "it would confirm the place that is lost"
    place = relay.store("driver", frame)["pos"]
    end = End()
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    events = hear(made, end)
    assert [(e.id, e.pos) for e in events if isinstance(e, Accepted)] == [("a", place)]
    assert [e.ids for e in events if isinstance(e, PeerGot)] == [()]
    assert [p.id for p in made.ledger.outbox.posts()] == ["a"]
    assert made.receive({"op": "got", "pos": place}, 1.0) == [PeerGot(place, ("a",))]


def test_what_was_read_at_a_lost_place_is_not_told() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    for number in range(2):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": "x"})
    first, second = (e for e in hear(made, end) if isinstance(e, Message))
    made.ledger.taken(first)
    made.ledger.taken(second)
    relay.leave(end)
    made.dropped()
    relay.lose_tail(1)
    attach(made, relay, "customer")
    made.due(1.0)
    made.ledger.seen(second)
    assert made.due(2.0) == []
    made.ledger.seen(first)
    assert made.due(3.0) == [{"op": "seen", "pos": first.pos, "epoch": 1}]


def test_repetitions_do_not_pile_up_over_connections() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    for number in range(50):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": "x"})
    messages = [event for event in hear(made, end) if isinstance(event, Message)]
    made.ledger.got(messages[48])
    del relay.log[48]  # so each connection replays everything, behind a message not yet taken
    for _ in range(20):
        relay.leave(end)
        made.dropped()
        end = attach(made, relay, "customer")
    assert len(made.ledger.inbox._line) < 100


def test_receipts_of_the_earlier_log_confirm_nothing_in_the_new_one() -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    post(made, "a")
    relay.take(end, made.due(1.0)[0])
    relay.seats["customer"] = End()
    relay.take(End(role="customer"), {"op": "seen", "epoch": 1, "pos": relay.head})
    assert PeerSeen(relay.head) in hear(made, end)
    relay.reassign("customer", "customer-2")
    relay._ms = -1000  # the clock of another store
    hear(made, end)
    post(made, "b")
    relay.take(end, made.due(2.0)[0])
    [accepted] = hear(made, end)
    assert isinstance(accepted, Accepted)
    assert [p.id for p in made.ledger.outbox.posts()] == ["b"]
    made.receive({"op": "seen", "pos": accepted.pos}, 2.0)
    assert made.ledger.outbox.posts() == []


@pytest.mark.parametrize("is_told", [False, True], ids=["at attach", "by a frame"])
@pytest.mark.parametrize("is_killed", [False, True], ids=["running", "killed"])
def test_a_reassignment_that_was_forgotten_shows_nothing_twice(
    is_told: bool, is_killed: bool
) -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    relay.store("customer", {"op": "post", "epoch": 1, "id": "same", "text": "from the first"})
    post(made, "own")
    relay.take(end, made.due(1.0)[0])
    past = list(relay.log)
    for event in hear(made, end):
        made.ledger.taken(event)
    relay.reassign("customer", "customer-2")
    relay.store("customer", {"op": "post", "epoch": 2, "id": "same", "text": "from the second"})
    assert [e.text for e in hear(made, end) if isinstance(e, Message)] == ["from the second"]

    relay.epoch, relay.parties["customer"] = 1, "customer"
    relay.log[:] = past
    if is_told:
        end.send({"op": "reassigned", "epoch": 1, "alias": "customer", "undelivered": []})
        hear(made, end)
    relay.leave(end)
    made.dropped()
    if is_killed:
        made = Conversation(SavedState.read(made.ledger.saved().to_bytes()))
    end = End()
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    assert not [event for event in hear(made, end) if isinstance(event, Message)]

    relay.reassign("customer", "customer-3")
    relay.store("customer", {"op": "post", "epoch": 2, "id": "same", "text": "from the third"})
    assert [e.text for e in hear(made, end) if isinstance(e, Message)] == ["from the third"]


def test_the_new_party_s_messages_are_new_whatever_ids_it_takes() -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    relay.store("customer", {"op": "post", "epoch": 1, "id": "same", "text": "from the first"})
    [message] = [e for e in hear(made, end) if isinstance(e, Message)]
    made.ledger.taken(message)
    relay.leave(end)
    made.dropped()
    relay.reassign("customer", "customer-2")
    relay.store("customer", {"op": "post", "epoch": 2, "id": "same", "text": "from the second"})
    end = End()
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    events = hear(made, end)
    assert [e.text for e in events if isinstance(e, Message)] == ["from the second"]
    made.ledger.got(message)  # of the earlier log: of no meaning now
    made.ledger.seen(message)
    assert made.due(1.0) == []


def test_a_message_replayed_before_it_was_taken_gives_its_receipt() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    relay.store("driver", {"op": "post", "epoch": 1, "id": "m", "text": "x"})
    [message] = hear(made, end)
    assert isinstance(message, Message)
    relay.leave(end)
    made.dropped()
    attach(made, relay, "customer")
    assert made.due(1.0) == []
    made.ledger.taken(message)
    assert made.due(1.0) == [{"op": "got", "pos": message.pos, "epoch": 1}]
    assert made.ledger.saved().after == message.pos


def test_after_a_failover_reading_is_told_from_the_new_places_on() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    for number in range(3):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": "x"})
    for event in hear(made, end):
        if isinstance(event, Message):
            made.ledger.seen(event)
    relay.leave(end)
    made.dropped()
    relay.lose_tail(2)
    end = attach(made, relay, "customer")
    assert [f["op"] for f in made.due(1.0)] == ["got"]
    relay.store("driver", {"op": "post", "epoch": 1, "id": "new", "text": "x"})
    [message] = hear(made, end)
    assert isinstance(message, Message)
    made.ledger.seen(message)
    assert made.due(2.0) == [{"op": "seen", "pos": message.pos, "epoch": 1}]


def test_a_reassignment_that_is_never_explained_costs_the_connection() -> None:
    relay = RelayModel()
    made, _end = conversation(relay)
    post(made, "a")
    post(made, "b")
    [frame] = made.due(1.0)
    made.receive(relay.refused(frame, "reassigned"), 1.0)
    assert made.due(2.0) == []
    assert made.due_at_s() == 31.0
    assert not made.is_stalled(30.9)
    assert made.is_stalled(31.0)


def test_no_reassignment_no_event() -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    relay.leave(end)
    made.dropped()
    end = End()
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    assert not [e for e in hear(made, end) if isinstance(e, Reassigned)]


def test_a_receipt_that_overtook_the_answer_counts() -> None:
    relay = RelayModel()
    made, _end = conversation(relay)
    post(made, "a")
    [frame] = made.due(1.0)
    answer = relay.store("driver", frame)
    made.receive({"op": "got", "pos": answer["pos"]}, 1.0)
    assert made.receive(answer, 1.0) == [
        Accepted("a", answer["pos"], answer["at"], "tag"),
        PeerGot(answer["pos"], ("a",)),
    ]
    assert made.ledger.outbox.posts() == []


def test_what_does_not_fit_into_pending_is_posted_again_in_its_place() -> None:
    relay = RelayModel()
    relay.limits["in_flight"] = 200
    for n in range(130):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{n}", "text": "x"})
    posts = [SavedPost(Post(f"m{n}", "x"), 1, entry.pos) for n, entry in enumerate(relay.log)]
    made = Conversation(
        SavedState("device", epoch=1, trip="trip-1", after=relay.head, outbox=posts), in_flight=200
    )
    post(made, "new")
    frame = made.connect(1, 0.0, "app 1")
    assert frame["app"] == "app 1"
    assert frame["pending"] == [f"m{n}" for n in range(100)]
    del relay.log[99:]
    end = End()
    relay.attach(end, "driver", frame)
    hear(made, end)
    frames = made.due(1.0)
    assert [f["id"] for f in frames] == [*(f"m{n}" for n in range(99, 130)), "new"]
    assert [f.get("again", False) for f in frames] == [True] * 31 + [False]


@pytest.mark.parametrize("was_attached", [False, True])
def test_at_the_end_nothing_is_taken_for_delivered_that_the_relay_was_not_asked_about(
    was_attached: bool,
) -> None:
    """The relay answers for what was named to it; of the rest it may have lost some."""
    relay = RelayModel()
    for n in range(130):
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{n}", "text": "x"})
    posts = [SavedPost(Post(f"m{n}", "x"), 1, entry.pos) for n, entry in enumerate(relay.log)]
    relay.got["customer"] = relay.log[109].pos
    made = Conversation(SavedState("device", epoch=1, trip="trip-1", outbox=posts), in_flight=1)
    frame = made.connect(1, 0.0, "")
    end = End()
    if was_attached:
        relay.attach(end, "driver", frame)
        relay.close("ended")
    else:
        relay.lose_tail(20)
        relay.close("ended")
        relay.attach(end, "driver", frame)
    *events, closed = hear(made, end)
    assert isinstance(closed, Closed)
    back = [post.id for post in closed.undelivered]
    confirmed = [i for event in events if isinstance(event, PeerGot) for i in event.ids]
    known = 110 if was_attached else 100
    assert confirmed == [f"m{n}" for n in range(known)]
    assert back == [f"m{n}" for n in range(known, 130)]


def test_a_place_is_told_only_once() -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    posts = [f"m{n}" for n in range(101)]
    for post_id in posts:
        post(made, post_id)
        [frame] = made.due(1.0)
        relay.take(end, frame)
        hear(made, end)
    relay.store("customer", {"op": "post", "epoch": 1, "id": "theirs", "text": "x"})
    [message] = hear(made, end)
    assert isinstance(message, Message)
    made.ledger.taken(message)
    relay.leave(end)
    made.dropped()
    end = attach(made, relay)
    [frame] = posts_of(made.due(2.0))
    assert (frame["id"], frame["again"]) == ("m100", True)
    relay.take(end, frame)
    assert hear(made, end) == [], "its place is the same"
    assert [p.id for p in made.ledger.outbox.posts()] == posts


def test_what_may_be_stored_waits_for_the_replay_which_may_show_it() -> None:
    relay = RelayModel()
    made, end = conversation(relay)
    post(made, "a")
    relay.store("driver", made.due(1.0)[0])
    post(made, "b")
    relay.leave(end)
    made.dropped()
    end = End()
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    assert made.receive(end.out.popleft(), 2.0)
    assert made.due(2.0) == [], "a is older than b, and the replay may tell that it is stored"
    [accepted] = made.receive(end.out.popleft(), 2.0)
    assert isinstance(accepted, Accepted)
    assert [f["id"] for f in posts_of(made.due(2.0))] == ["b"]


def test_a_reassignment_in_the_middle_of_a_replay_ends_it() -> None:
    relay = RelayModel()
    made = Conversation(SavedState("device"))
    end = End()
    relay.store("customer", {"op": "post", "epoch": 1, "id": "m", "text": "x"})
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    end.out.pop()
    relay.reassign("customer", "customer-2")
    hear(made, end)
    assert made.is_live
    post(made, "a")
    [frame] = made.due(1.0)
    made.receive({"op": "unsure", "id": "a", "retry_after_ms": 100}, 1.0)
    assert made.due(2.0) == [{**frame, "again": True}]


def test_typing_is_told_at_most_every_three_seconds_and_its_end_at_once() -> None:
    made, _end = conversation(RelayModel())
    told = []
    for step in range(80):  # a key each 0.1 s, and a pause after 5 s
        now_s = 10 + step / 10
        if step <= 50:
            made.typing(True)
        if step == 60:
            made.typing(False)
        told += [(step, frame["on"]) for frame in made.due(now_s)]
        if step == 20:
            assert made.due_at_s() == 13.0
    assert told == [(0, True), (30, True), (60, False)]


def test_the_attempt_grows_with_the_clock_or_without_it() -> None:
    made = Conversation(SavedState("device", attempt=1000))
    assert made.connect(500, 0.0, "")["attempt"] == 1001
    assert made.connect(5000, 0.0, "")["attempt"] == 5000
    assert made.ledger.saved().attempt == 5000


def test_signals_keep_below_the_relay_s_rate() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    sent = 0
    for step in range(1000):
        now_s = step / 100
        relay.store("driver", {"op": "post", "epoch": 1, "id": f"m{step}", "text": "x"})
        for event in hear(made, end):
            if isinstance(event, Message):
                made.ledger.seen(event)
        made.typing(step % 2 == 0)
        frames = made.due(now_s)
        assert len(frames) <= 2
        sent += len(frames)
    assert 10 <= sent <= 20 * 10
    made.typing(True)
    assert made.due_at_s() is not None


def test_seen_is_told_again_after_a_drop() -> None:
    relay = RelayModel()
    made, end = conversation(relay, "customer")
    relay.store("driver", {"op": "post", "epoch": 1, "id": "m", "text": "x"})
    [message] = [e for e in hear(made, end) if isinstance(e, Message)]
    made.ledger.seen(message)
    assert made.due(1.0) == [{"op": "seen", "pos": message.pos, "epoch": 1}]
    relay.leave(end)
    made.dropped()
    attach(made, relay, "customer")
    assert made.due(2.0) == [{"op": "seen", "pos": message.pos, "epoch": 1}]


@settings(deadline=None)
@given(st.lists(st.integers(0, 6000), max_size=300))
def test_the_memory_of_messages_is_bounded_and_keeps_the_last(numbers: list[int]) -> None:
    inbox = Inbox(None, None, None, [])
    for number in [*range(MAX_KNOWN), *numbers]:
        inbox.remember(key_of(1, "peer", str(number)))
    known = inbox.known()
    assert len(known) == MAX_KNOWN
    recent = list(dict.fromkeys(reversed(numbers)))[::-1]
    assert known[len(known) - len(recent) :] == [key_of(1, "peer", str(n)) for n in recent]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_more_than_a_bad_frame(data: bytes) -> None:
    made, _end = conversation(RelayModel())
    with contextlib.suppress(BadFrame, ProtocolError):
        made.receive(decode(data), 0.0)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
OPS = [
    "attached", "message", "accepted", "refused", "unsure", "got", "seen", "typing", "presence",
    "state", "reassigned", "closed", "error", "pong", "replayed", "post",
]  # fmt: skip
FIELDS = [
    "id", "pos", "at", "tag", "code", "message", "retry_after_ms", "on", "online", "state",
    "deadline", "epoch", "alias", "undelivered", "reason", "from", "kind", "text", "lat", "lon",
    "key", "notices", "findings",
]  # fmt: skip


@settings(deadline=None)
@given(op=st.sampled_from(OPS), fields=st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_no_field_makes_more_than_a_bad_frame(op: str, fields: dict[str, object]) -> None:
    made, _end = conversation(RelayModel())
    post(made, "a")
    made.due(0.0)
    before = made.ledger.saved()
    try:
        made.receive(decode(msgpack.packb({**fields, "op": op})), 0.0)
    except BadFrame:
        assert made.ledger.saved() == before, "a bad frame changed something"
    except ProtocolError:
        pass
    made.ledger.saved().to_bytes()


@settings(deadline=None)
@given(
    name=st.sampled_from(["trip", "role", "epoch", "state", "deadline", "peer", "lost", "limits"]),
    inner=st.sampled_from(["alias", "online", "got", "seen", "text_bytes", "posts_per_s", ""]),
    value=VALUES,
)
def test_no_attached_makes_more_than_a_bad_frame(name: str, inner: str, value: object) -> None:
    relay, end = RelayModel(), End()
    made = Conversation(SavedState(device="device", epoch=1, after="0001", known=["1/peer/x"]))
    post(made, "a")
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    frame = copy.deepcopy(end.out.popleft())
    if name in ("peer", "limits") and inner:
        frame[name][inner] = value
    else:
        frame[name] = value
    before = made.ledger.saved()
    try:
        made.receive(frame, 0.0)
    except BadFrame:
        assert made.ledger.saved() == before, "a bad frame changed something"
    made.due(0.0)
    made.due_at_s()
    made.ledger.saved().to_bytes()


def test_a_field_is_of_its_type_or_bad() -> None:
    assert field({"a": 1}, "a", float) == 1.0
    for frame in ({"a": True}, {"a": "1"}, {"a": None}, {}):
        with pytest.raises(BadFrame, match="the field a"):
            field(frame, "a", int)
    with pytest.raises(BadFrame):
        strings({"a": ["x", 1]}, "a")


FINDINGS = st.builds(Finding, st.text(max_size=5), st.text(max_size=5), st.integers(0, 99))
SAVED_POSTS = st.builds(
    SavedPost,
    st.builds(Post, st.text(max_size=5), st.none() | st.text(max_size=5), st.just("text"), st.none() | st.floats(allow_nan=False), st.none(), st.none() | st.text(max_size=5)),
    st.none() | st.integers(0, 9),
    st.none() | st.text(max_size=5),
    st.none() | st.builds(Refusal, st.text(max_size=5), st.text(max_size=5), st.lists(FINDINGS, max_size=2).map(tuple)),
)  # fmt: skip


@settings(deadline=None)
@given(
    st.builds(
        SavedState,
        device=st.text(max_size=5),
        attempt=st.integers(0, 2**53),
        trip=st.none() | st.text(max_size=5),
        epoch=st.none() | st.integers(0, 9),
        after=st.none() | st.text(max_size=5),
        seen=st.none() | st.text(max_size=5),
        known=st.lists(st.text(max_size=5), max_size=4),
        outbox=st.lists(SAVED_POSTS, max_size=4),
    )
)
def test_a_state_is_read_as_it_was_written(state: SavedState) -> None:
    assert SavedState.read(state.to_bytes()) == state


def test_a_state_of_the_version_before_is_read() -> None:
    waiting = ["a", "text", "Halo", None, None, 2, None, None]
    refused = ["b", "location", None, 1.0, 2.0, 2, None, ["malformed", "No."]]
    old = {
        "v": 1, "device": "phone", "trip": "trip-1", "epoch": 2, "outbox": [waiting, refused],
        "known": ["peer/a"],
    }  # fmt: skip
    read = SavedState.read(msgpack.packb(old))
    assert read.known == [key_of(2, "peer", "a")]
    assert read.outbox == [
        SavedPost(Post("a", "Halo"), 2, None),
        SavedPost(Post("b", None, "location", 1.0, 2.0), 2, None, Refusal("malformed", "No.")),
    ]
