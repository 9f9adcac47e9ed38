"""The pure half of the SDK against a relay that drops, delays, repeats, forgets and reassigns.

Each message must be shown once and in the order it was posted, or go back to its author.
"""

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from relay.client.conversation import Conversation
from relay.client.events import (
    Accepted,
    Closed,
    Event,
    Message,
    PeerGot,
    Post,
    Reassigned,
    Refused,
)
from relay.client.state import SavedState
from tests.client.relay_model import MASK, NOTICE, PEER_OF, End, RelayModel

#: What the relay's guard takes out of a text: the number of some of the posts.
REDACTED = "7"


@dataclass
class Screen:
    """What the application made durable: it shares the fate of the SDK's storage."""

    shown: list[str] = field(default_factory=list)  # ids of the peer's messages
    own: list[str] = field(default_factory=list)  # ids of messages of this party not from this run
    texts: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # with notices
    accepted: set[str] = field(default_factory=set)
    altered: dict[str, str] = field(default_factory=dict)  # own posts, as the peer sees them
    confirmed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)
    closed: Closed | None = None


class Phone:
    """An app: a conversation, a connection that is two queues, and a screen."""

    def __init__(self, role: str, party: str, in_flight: int) -> None:
        self.role = role
        self.party = party
        self.in_flight = in_flight
        self.stored = SavedState(device=f"device of {party}").to_bytes()
        self.durable = Screen()
        self.maybe_stored: set[str] = set()
        self.posted: list[tuple[str, int | None]] = []  # (id, epoch it was written in)
        self.end: End | None = None
        self.start()

    def start(self) -> None:
        self.up: deque[dict[str, Any]] = deque()
        self.events: deque[Event] = deque()
        self.last: Event | None = None
        self.screen = copy.deepcopy(self.durable)
        self.conversation = Conversation(SavedState.read(self.stored), in_flight=self.in_flight)
        self.events.extend(self.conversation.ledger.untold())

    @property
    def is_over(self) -> bool:
        return self.conversation.is_over

    def save(self) -> None:
        self.stored = self.conversation.ledger.saved().to_bytes()
        self.durable = copy.deepcopy(self.screen)

    def post(self, number: int, *, quick: bool = False) -> None:
        post = Post(f"{self.party}-{number}", f"text {number}")
        if quick:
            post = Post(f"{self.party}-quick-{number}", None, "quick", key="arrived")
        self.conversation.ledger.post(post)
        self.save()
        self.conversation.ledger.release(post.id)
        self.posted.append((post.id, self.conversation.ledger.epoch))

    def connect(self, now_s: float) -> None:
        self.end = End()
        self.up.clear()
        self.up.append(self.conversation.connect(1, now_s, ""))
        self.save()

    def pump(self, now_s: float) -> None:
        self.save()
        for frame in self.conversation.due(now_s):
            if frame["op"] == "post":
                doubtful = frame["id"] in self.maybe_stored
                assert frame.get("again", False) or not doubtful, "a repetition without `again`"
                self.maybe_stored.add(frame["id"])
            self.up.append(frame)

    def hear(self, now_s: float) -> None:
        assert self.end is not None
        frame = self.end.out[0]
        if frame["op"] == "refused":
            self.maybe_stored.discard(frame["id"])
        self.events.extend(self.conversation.receive(self.end.out.popleft(), now_s))

    def take(self) -> None:
        """Deal with the event in hand, then take the next."""
        if self.last is not None:
            self.conversation.ledger.taken(self.last)
            self._show(self.last)
        self.last = self.events.popleft() if self.events else None

    def _show(self, event: Event) -> None:
        screen = self.screen
        match event:
            case Message(sender="peer"):
                screen.shown.append(event.id)
                screen.texts[event.id] = event.text, event.notices
                assert (event.key == "arrived") == (event.kind == "quick")
            case Message(sender="you"):
                screen.own.append(event.id)
            case Accepted():
                screen.accepted.add(event.id)
                if event.text is not None:
                    screen.altered[event.id] = event.text
            case PeerGot():
                screen.confirmed.update(event.ids)
            case Refused():
                screen.refused.add(event.id)
            case Reassigned() | Closed():
                screen.back.update(post.id for post in event.undelivered)
                if isinstance(event, Closed):
                    screen.closed = event


MOODS = st.lists(
    st.sampled_from(["unsure, stored", "unsure", "wait", "guard away", "refused", "refused"]),
    min_size=1,
)
AMOUNTS = st.one_of(
    st.just((9, 99, 99)), st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
)


class Trip(RuleBasedStateMachine):
    in_flight = 1

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0
        self.number = 0
        self.relay = RelayModel()
        self.relay.limits = {**self.relay.limits, "posts_per_s": 50.0, "posts_burst": 50}
        self.relay.redacts = REDACTED
        self.guard_was_away = False
        self.phones = {role: self.new_phone(role) for role in PEER_OF}
        self.gone: list[Phone] = []
        self.moods: list[str] = []
        self.late: list[tuple[Phone, dict[str, Any]]] = []

    def new_phone(self, role: str) -> Phone:
        return Phone(role, self.relay.parties[role], self.in_flight)

    def phone(self, data: st.DataObject) -> Phone:
        return self.phones[data.draw(st.sampled_from(sorted(PEER_OF)), "phone")]

    # --- apps and network at work ---------------------------------------------------------------

    @rule(data=st.data(), count=st.integers(1, 4), quick=st.integers(0, 4))
    def post(self, data: st.DataObject, count: int, quick: int) -> None:
        phone = self.phone(data)
        for index in range(count):
            if not phone.is_over:
                self.number += 1
                phone.post(self.number, quick=index == quick)

    @rule(data=st.data(), rounds=st.integers(1, 4))
    def work(self, data: st.DataObject, rounds: int) -> None:
        """Let time pass, with as much done at each end as is drawn."""
        for _ in range(rounds):
            self.now_s += data.draw(st.sampled_from([0.02, 0.3]), "pass")
            for phone in self.phones.values():
                if phone.end is None and not phone.is_over:
                    phone.connect(self.now_s)
                phone.pump(self.now_s)
                serve, hear, take = data.draw(AMOUNTS, phone.role)
                for _ in range(serve):
                    self._serve(phone)
                for _ in range(hear):
                    self._hear(phone)
                for _ in range(take):
                    phone.take()

    def _hear(self, phone: Phone) -> None:
        if phone.end is not None and phone.end.out:
            phone.hear(self.now_s)
            if phone.is_over:
                self._drop(phone, 0)

    def _serve(self, phone: Phone) -> None:
        if phone.end is None or not phone.up:
            return
        frame = phone.up.popleft()
        if frame["op"] == "attach":
            self.relay.attach(phone.end, phone.role, frame)
        elif self.relay.closed is None:
            if frame["op"] == "post" and self.moods:
                self._answer_badly(phone, phone.end, frame, self.moods.pop())
            else:
                self.relay.take(phone.end, frame)

    def _answer_badly(self, phone: Phone, end: End, frame: dict[str, Any], mood: str) -> None:
        match mood:
            case "unsure, stored":
                self.relay.store(phone.role, frame)
                end.send({"op": "unsure", "id": frame["id"], "retry_after_ms": 300})
            case "unsure":
                end.send({"op": "unsure", "id": frame["id"], "retry_after_ms": 300})
            case "guard away" if frame["kind"] != "quick" and not frame.get("again"):
                self.guard_was_away = True
                end.send(self.relay.refused(frame, "guard_away", 300))
            case "refused" if not frame.get("again"):
                end.send(self.relay.refused(frame, "channel_full"))
            case _:
                end.send(self.relay.refused(frame, "store_away", 300))

    # --- what goes wrong ------------------------------------------------------------------------

    @rule(moods=MOODS)
    def trouble(self, moods: list[str]) -> None:
        """Have the next posts answered so."""
        self.moods = moods

    @rule(data=st.data(), late=st.integers(0, 3))
    def drop(self, data: st.DataObject, late: int) -> None:
        self._drop(self.phone(data), late)

    def _drop(self, phone: Phone, late: int) -> None:
        """End a connection; the first `late` posts under way reach the store after all, later."""
        if phone.end is not None:
            posts = [frame for frame in phone.up if frame["op"] == "post"]
            self.late += [(phone, frame) for frame in posts[:late]]
            self.relay.leave(phone.end)
            phone.end = None
            phone.up.clear()
            phone.conversation.dropped()

    @precondition(lambda self: self.late)
    @rule()
    def write_late(self) -> None:
        phone, frame = self.late.pop(0)
        if phone in self.phones.values():
            self.relay.store(phone.role, frame)

    @rule(data=st.data())
    def kill_app(self, data: st.DataObject) -> None:
        phone = self.phone(data)
        self._drop(phone, 0)
        phone.start()

    @precondition(lambda self: self.relay.log)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send an old message again."""
        phone = self.phone(data)
        if phone.end is not None and phone.conversation.is_attached and not phone.end.out:
            entry = data.draw(st.sampled_from(self.relay.log), "entry")
            phone.end.send(self.relay.message(entry, phone.role))

    @precondition(lambda self: self.relay.closed is None and self.relay.log)
    @rule(
        data=st.data(), count=st.integers(1, 4), same_places=st.booleans(),
        then=st.sampled_from(["", "", "talk", "close"]),
    )  # fmt: skip
    def fail_over(self, data: st.DataObject, count: int, same_places: bool, then: str) -> None:
        """Forget the last messages; perhaps one app alone goes on before it is over, or none."""
        for phone in self.phones.values():
            self._drop(phone, 0)
        # What came over a connection goes to no store but the one whose log the relay has compared
        # with what that app was served.
        self.late.clear()
        self.relay.lose_tail(min(count, len(self.relay.log)), same_places=same_places)
        if then == "talk":
            self._talk_alone(self.phone(data))
        if then and len(self.relay.log) > 4:
            self.close()

    def _talk_alone(self, phone: Phone) -> None:
        """Attach, post, and take in what comes."""
        if phone.is_over:
            return
        phone.connect(self.now_s)
        self.number += 1
        phone.post(self.number)
        for _ in range(3):
            self.now_s += 1.0
            phone.pump(self.now_s)
            while phone.up:
                self._serve(phone)
            while phone.end is not None and phone.end.out:
                phone.hear(self.now_s)
            while phone.events or phone.last is not None:
                phone.take()

    @precondition(lambda self: self.relay.closed is None and len(self.relay.log) > self.relay.epoch)
    @rule(data=st.data())
    def reassign(self, data: st.DataObject) -> None:
        leaving = self.phone(data)
        self.relay.reassign(leaving.role, f"{leaving.role}-{self.relay.epoch + 1}")
        self._drop(leaving, 0)
        self.gone.append(leaving)
        self.phones[leaving.role] = self.new_phone(leaving.role)

    @precondition(lambda self: len(self.relay.log) > 8)
    @rule()
    def close(self) -> None:
        if self.relay.closed is None:
            self.relay.close("ended")

    # --- judgement ------------------------------------------------------------------------------

    def teardown(self) -> None:
        self.moods = []
        if self.number % 3 == 0:
            self.close()
        for _ in range(400):
            self.now_s += 0.5
            for phone in self.phones.values():
                if phone.end is None and not phone.is_over:
                    phone.connect(self.now_s)
                phone.pump(self.now_s)
                while phone.up:
                    self._serve(phone)
            for phone in self.phones.values():
                while phone.end is not None and phone.end.out:
                    phone.hear(self.now_s)
                while phone.events or phone.last is not None:
                    phone.take()
            if all(self._is_quiet(phone) for phone in self.phones.values()):
                break
        else:
            raise AssertionError("the conversations do not come to rest")
        for phone in self.phones.values():
            self._judge(phone, self.phones[PEER_OF[phone.role]])

    def _is_quiet(self, phone: Phone) -> bool:
        busy = phone.up or (phone.end is not None and phone.end.out)
        return not busy and (phone.is_over or not phone.conversation.ledger.outbox.posts())

    def _judge(self, author: Phone, reader: Phone) -> None:
        screen = author.screen
        everyone = [reader, *(p for p in self.gone if p.role == reader.role)]
        shown_by = {p.party: p.screen.shown for p in everyone}

        for ids in shown_by.values():
            assert len(ids) == len(set(ids)), "a message was shown twice"
        order = [post_id for post_id, _ in author.posted]
        for ids in shown_by.values():
            own = [post_id for post_id in ids if post_id in order]
            if self.guard_was_away:
                own = [post_id for post_id in own if "quick" not in post_id]
            if self.in_flight == 1:
                assert own == sorted(own, key=order.index), "messages were shown out of order"

        assert not author.conversation.ledger.saved().outbox, "the storage keeps a settled post"
        assert not screen.own, "a post came back as if it were another install's"
        for post_id, epoch in author.posted:
            for phone in everyone:
                if post_id in phone.screen.texts:
                    self._judge_text(post_id, *phone.screen.texts[post_id], screen)
            outcomes = (post_id in screen.refused) + (post_id in screen.back)
            assert outcomes <= 1, "a post was handed back twice"
            shown = [party for party, ids in shown_by.items() if post_id in ids]
            assert len(shown) <= 1, "a post was shown to two parties"
            if not outcomes:
                assert shown, "a post vanished"
                assert post_id in screen.confirmed, "nobody told the author"
            if post_id in screen.refused:
                assert not shown, "a refused post was shown"
            known = post_id in screen.accepted and not self.relay.losses
            if known and post_id in screen.back and epoch == self.relay.epoch:
                assert post_id in self.relay.undelivered(author.role), "it was delivered"
            if epoch is not None and shown:
                stored = {e for role, i, e in self.relay.history if i == post_id}
                assert stored <= {epoch}, "a post reached a party it was not written for"

    def _judge_text(
        self, post_id: str, text: str, notices: tuple[str, ...], author: Screen
    ) -> None:
        number = post_id.rpartition("-")[2]
        is_altered = REDACTED in number and "quick" not in post_id
        told = author.altered.get(post_id)
        if is_altered:
            assert text == f"text {number.replace(REDACTED, MASK)}"
            assert notices == (NOTICE,), "a notice did not come with the message"
            assert told == text or post_id not in author.accepted, "the author was not told"
        else:
            assert text == ("the sentence of arrived" if "quick" in post_id else f"text {number}")
            assert told is None and not notices
        for entry in self.relay.log:
            if entry.post["id"] == post_id and "quick" not in post_id:
                assert entry.post["text"] == f"text {number}", "it was posted as it was altered"


SETTINGS = settings(
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class FastTrip(Trip):
    """The same with several posts under way: each still once, but not always in order."""

    in_flight = 4


TestTrip = Trip.TestCase
TestTrip.settings = SETTINGS
TestFastTrip = FastTrip.TestCase
TestFastTrip.settings = SETTINGS
