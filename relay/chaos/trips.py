"""A trip of a run: the platform that opens, changes and ends it, and the apps of its parties."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum, auto
from typing import Any, Final, NamedTuple

from ..client import (
    Accepted,
    Attached,
    Channel,
    ChannelClosed,
    Closed,
    MemoryStorage,
    Message,
    Reassigned,
    Refused,
    RelayError,
    connect,
)
from ..client import Post as Posted
from ..rig.platform import Answer, Platform
from ..rig.texts import chat, numbered
from .account import Account, Post, Seat, Wrong

#: Made up. They only have to be numbers that the Indonesian numbering plan knows.
_PHONES: Final = {"driver": "+6281234567890", "customer": "+6285711122233"}
_PAUSE_S: Final = 0.02, 0.1
#: An app that waited as long as a real one would hide how soon the relay serves again.
_IMPATIENCE: Final = 0.1
_CALL_TIMEOUT_S: Final = 4.0
_AGAIN_S: Final = 0.2
_HAS_TO_HAPPEN_S: Final = 60.0
_STAYS_S: Final = 3600.0
#: How soon the nodes notice that a primary has been replaced, and say again what is final.
_SAID_AGAIN_S: Final = 3.0
#: So many are posted at the very moment in which the platform hears that a trip is over.
_LATE_POSTS: Final = 2
#: Of a very long talk with many figures the guard takes these out.
_FIGURES_UP_TO: Final = 100
#: Who waits for so many answers says no more until some come.
_MOST_UNANSWERED: Final = 8
#: As many bytes as a text may have.
_LONG: Final = " ลา" * 270


class Backend:
    """The platform's backend: calls any node, and again until it is answered."""

    def __init__(
        self, account: Account, nodes: Sequence[Platform], rng: random.Random, *, replicated: bool
    ) -> None:
        self._replicated = replicated
        self._account = account
        self._nodes = nodes
        self._rng = rng

    async def call(self, method: str, path: str, body: Any, *expected: int) -> Answer:
        """What a node answered in the end. An answer that nobody expects is noted."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _HAS_TO_HAPPEN_S
        while True:
            answer = None
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CALL_TIMEOUT_S):
                    answer = await self._rng.choice(self._nodes).call(method, path, body)
            if answer is not None and answer.status in expected:
                return answer
            if answer is not None and answer.status < 500 and answer.status != 429:
                code = answer.body.get("code") if isinstance(answer.body, dict) else None
                words = f"{method} was answered {answer.status} ({code})"
                self._account.saw(Wrong.STUCK, loop.time(), words)
                return answer
            if loop.time() > until_s:
                words = f"{method} was not answered within {_HAS_TO_HAPPEN_S:.0f} s"
                self._account.saw(Wrong.STUCK, loop.time(), words)
                return Answer(0, None)
            await asyncio.sleep(_AGAIN_S)

    def slack_s(self, answer: Answer) -> float:
        """For how long a failover may hold up what was answered: an answer of `local`, where there
        are replicas, says that the nodes may have to say it again to a new primary."""
        return _SAID_AGAIN_S if self._replicated and answer.body["kept"] == "local" else 0.0

    def close(self) -> None:
        for node in self._nodes:
            node.close()


class Fate(NamedTuple):
    """How a trip goes: when its driver is replaced (never if None), when it is over, and how."""

    reassigned_after_s: float | None
    over_after_s: float
    how: str

    @classmethod
    def drawn(cls, rng: random.Random, lasts_s: tuple[float, float]) -> Fate:
        over_s = rng.uniform(*lasts_s)
        reassigned_s = over_s * rng.uniform(0.3, 0.7) if rng.random() < 0.3 else None
        how = rng.choices(("ended", "graced", "expires"), (4, 1, 1))[0]
        return cls(reassigned_s, max(1.0, round(over_s)) if how == "expires" else over_s, how)


class Manner(StrEnum):
    """How the parties of a trip talk."""

    CHATTING = auto()
    QUIET = auto()
    """Nobody says anything."""
    CHATTERBOX = auto()
    """The driver says as much as it can, in long texts, to a customer who says nothing."""


class App:
    """One party's app: posts texts that can be told apart, and notes what it is given."""

    def __init__(
        self, account: Account, seat: Seat, words: str, url: str, token: str, rng: random.Random,
        admit: Callable[[App], Any], manner: Manner,
    ) -> None:  # fmt: skip
        self.seat = seat
        self.epoch = 0
        #: When the newest post was made that is accepted, and the newest that was shown here.
        self.served_s = self.heard_s = 0.0
        self.began_s = asyncio.get_running_loop().time()
        self.closed: Closed | None = None
        self.is_quiet = manner is Manner.QUIET
        #: How often it has attached.
        self.attached = 0
        #: How many of its posts are accepted.
        self.accepted = 0
        self._account, self._words, self._rng, self._admit = account, words, rng, admit
        self._url, self._token = url, token
        self._storage = MemoryStorage()
        self._manner = manner
        self._channel: Channel | None = None
        self._mine: dict[str, Post] = {}
        self._unanswered: set[str] = set()

    async def run(self) -> None:
        """Talk and listen until the channel is over for this party."""
        while self.closed is None:
            async with connect(
                self._url, self._token, storage=self._storage,
                rng=lambda: self._rng.random() * _IMPATIENCE,
            ) as channel:  # fmt: skip
                self._channel = channel
                talking = asyncio.create_task(self._talk(channel))
                try:
                    async for event in channel:
                        self._hear(event)
                finally:
                    talking.cancel()
                    await asyncio.gather(talking, return_exceptions=True)
            assert channel.closed is not None
            token = None
            if channel.closed.reason == "bad_token":
                # A failover may have forgotten that the trip was opened: it is opened again.
                token = await self._admit(self)
            if token is None:
                # What is left in the outbox is as good as given back.
                self._give_back(channel.closed.kept)
                self.closed = channel.closed
            else:
                self._token = token

    async def _talk(self, channel: Channel) -> None:
        with suppress(ChannelClosed):
            await channel.wait_attached()
            while True:
                if not self.is_quiet and len(self._unanswered) < _MOST_UNANSWERED:
                    await self.post()
                pause_s = self._rng.uniform(*_PAUSE_S)
                await asyncio.sleep(0.001 if self._manner is Manner.CHATTERBOX else pause_s)

    async def post(self) -> None:
        """Post one text. Raises `ChannelClosed`."""
        channel = self._channel
        if channel is None or channel.attached is None:
            return
        self.epoch = channel.attached.epoch
        number = self._account.next_serial(self.seat)
        said = chat(number) if number < _FIGURES_UP_TO else numbered(number)
        if self._manner is Manner.CHATTERBOX:
            said += _LONG
        if channel.closed is not None:
            raise ChannelClosed(channel.closed)
        now_s = asyncio.get_running_loop().time()
        post = self._account.posted(f"{self._words} {said}", self.seat, self.epoch, now_s)
        try:
            delivery = await channel.post(post.text)
        except ChannelClosed:
            self._account.returned(post)
            raise
        self._mine[delivery.id] = post
        self._unanswered.add(delivery.id)
        if self._manner is Manner.CHATTERBOX:
            with suppress(RelayError):
                await delivery.accepted()

    def _hear(self, event: Any) -> None:
        now_s = asyncio.get_running_loop().time()
        match event:
            case Message(sender="peer"):
                post = self._account.shown(event.text, self.seat, now_s)
                if post is not None:
                    self.heard_s = max(self.heard_s, post.posted_s)
            case Accepted():
                post = self._mine[event.id]
                self._unanswered.discard(event.id)
                self.accepted += 1
                self._account.accepted(post, event.at_ms, now_s)
                self.served_s = max(self.served_s, post.posted_s)
                if event.text is not None:
                    words = f"the guard changed a text: {event.text}"
                    self._account.saw(Wrong.STRAYED, now_s, words)
            case Refused(code="closed" | "reassigned"):
                self._account.returned(self._mine[event.id])
            case Refused():
                self._unanswered.discard(event.id)
                self._account.returned(self._mine[event.id])
                words = f"a post was refused for good: {event.code}"
                self._account.saw(Wrong.STUCK, now_s, words)
            case Attached():
                self.attached += 1
            case Reassigned() | Closed():
                if isinstance(event, Closed):
                    self._account.closed(self.seat, event.reason, now_s)
                self._give_back(event.undelivered)

    def _give_back(self, posts: Sequence[Posted]) -> None:
        for post in posts:
            self._unanswered.discard(post.id)
            self._account.returned(self._mine[post.id])


class Trip:
    """One trip. `live` plays it to its end."""

    def __init__(
        self, number: int, account: Account, backend: Backend, urls: dict[str, str],
        rng: random.Random, manner: Manner = Manner.CHATTING,
    ) -> None:  # fmt: skip
        self.name = f"talk-{numbered(number)}"
        self._word = numbered(number)
        self._account, self._backend, self._rng = account, backend, rng
        self._urls = urls
        self._manner = manner
        self._epoch = 1
        self._opening: dict[str, Any] = {}
        self._running: dict[App, asyncio.Task[None]] = {}
        #: Those who sit in it now.
        self.apps: dict[str, App] = {}
        self.is_over = False

    # --- its life ---------------------------------------------------------------------------------

    async def open(self, max_duration_s: float = _STAYS_S) -> None:
        """Open it and let both parties talk."""
        seats = {role: Seat(self.name, role, f"{role}-{self._word}-1") for role in _PHONES}
        self._account.paired(1, **seats)
        self._opening = {
            "trip_id": self.name,
            **{role: _party(seat) for role, seat in seats.items()},
            "max_duration_s": int(max_duration_s),
            "requested_at": int(time.time() * 1000),
        }
        asked_s = _now_s()
        answer = await self._backend.call("POST", "/v1/trips", self._opening, 200, 201, 409)
        if answer.status not in (200, 201):
            self.is_over = True  # its time was over before the answer came through
            return
        if max_duration_s < _STAYS_S:
            self._expect_end(answer.body["deadline"], at_least_s=asked_s)
        for role, seat in seats.items():
            self._sit(seat, answer.body[role]["token"])

    async def live(self, fate: Fate) -> None:
        """Play it to its end."""
        began_s = _now_s()
        await self.open(fate.over_after_s if fate.how == "expires" else _STAYS_S)
        if self.is_over:
            return
        if fate.reassigned_after_s is not None:
            await asyncio.sleep(began_s + fate.reassigned_after_s - _now_s())
            await self.reassign()
        await asyncio.sleep(began_s + fate.over_after_s - _now_s())
        if fate.how != "expires":
            await self.end(1 if fate.how == "graced" else 0)
        await self.gone()

    async def reassign(self) -> None:
        """Replace the driver."""
        if self.is_over or any(app.closed for app in self.apps.values()):
            return
        old, epoch = self.apps["driver"], self._epoch
        seat = Seat(self.name, "driver", f"driver-{self._word}-{epoch + 1}")
        self._account.paired(epoch + 1, driver=seat, customer=self.apps["customer"].seat)
        answer = await self._seat(seat, epoch)
        if answer.status != 200:
            return  # its time was over before
        await self._post_late(old, self.apps["customer"])
        self._sit(seat, answer.body["token"])

    async def end(self, grace_s: int = 0) -> None:
        """End it as the platform does."""
        answer = await self._backend.call(
            "POST", f"/v1/trips/{self.name}/end", {"grace_s": grace_s}, 200
        )
        if answer.status != 200:
            return
        self.is_over = True
        if answer.body["state"] == "grace":
            self._expect_end(answer.body["deadline"])
            return
        slack_s = self._backend.slack_s(answer)
        self._account.over(
            self.name, self._epoch, answered_s=_now_s() + slack_s,
            over_ms=answer.body["closed_at"] + int(slack_s * 1000),
        )  # fmt: skip
        await self._post_late(*self.apps.values())

    async def gone(self) -> None:
        """Wait until no app believes that it is still open."""
        if self._running:
            await asyncio.wait(self._running.values())
        self.is_over = True

    async def check_closed(self) -> None:
        """See that it is still closed, and that it cannot be opened again."""
        answer = await self._backend.call("GET", f"/v1/trips/{self.name}", None, 200, 404)
        if answer.status == 200 and answer.body["state"] != "closed":
            words = f"{self.name} is {answer.body['state']} again"
            self._account.saw(Wrong.LATE, _now_s(), words)
        answer = await self._backend.call("POST", "/v1/trips", self._opening, 409, 200, 201)
        if answer.status in (200, 201):
            self._account.saw(Wrong.LATE, _now_s(), f"{self.name} could be opened again")

    def hush(self) -> None:
        """Let nobody say any more."""
        for app in self.apps.values():
            app.is_quiet = True

    @property
    def is_settled(self) -> bool:
        """Whether nothing more has to become of what was posted in it."""
        return self._account.is_settled(self.name)

    def look(self) -> None:
        """Raise what an app failed with."""
        for task in self._running.values():
            if task.done():
                task.result()

    async def leave(self) -> None:
        """Let every app go."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    # --- its parts --------------------------------------------------------------------------------

    async def _seat(self, seat: Seat, epoch: int) -> Answer:
        """Have the platform put another driver in the place of the one of `epoch`."""
        answer = await self._backend.call(
            "PUT", f"/v1/trips/{self.name}/parties/driver",
            {"epoch": epoch} | _party(seat), 200, 404, 409, 412,
        )  # fmt: skip
        if answer.status == 200:
            slack_s = self._backend.slack_s(answer)
            self._account.over(self.name, epoch, answered_s=_now_s() + slack_s, over_ms=None)
            self._epoch = answer.body["epoch"]
        return answer

    def _sit(self, seat: Seat, token: str) -> None:
        words = f"{self._word} {seat.role} {numbered(self._epoch)}"
        manner = self._manner
        if manner is Manner.CHATTERBOX and seat.role == "customer":
            manner = Manner.QUIET
        app = App(
            self._account, seat, words, self._urls[seat.role], token, self._rng, self._admit, manner
        )
        self.apps[seat.role] = app
        self._running[app] = asyncio.create_task(app.run())

    def _expect_end(self, deadline_ms: int, at_least_s: float = 0.0) -> None:
        deadline_s = max(at_least_s, _now_s() + deadline_ms / 1000 - time.time())
        self._account.ends(self.name, self._epoch, deadline_ms=deadline_ms, deadline_s=deadline_s)

    async def _admit(self, app: App) -> str | None:
        """A token for a party whose token is not known; None if it does not sit in the trip."""
        if self.is_over or app is not self.apps.get(app.seat.role):
            return None
        answer = await self._backend.call(
            "POST", f"/v1/trips/{self.name}/parties/{app.seat.role}/token",
            {"party_id": app.seat.party}, 200, 404, 409,
        )  # fmt: skip
        if answer.status == 409 and answer.body["code"] == "party":
            # A failover has forgotten that the platform seated it: that is to be done again.
            view = await self._backend.call("GET", f"/v1/trips/{self.name}", None, 200, 404)
            if view.status == 200 and view.body["state"] == "open":
                customer = self.apps["customer"].seat
                epoch = view.body["epoch"]
                self._account.paired(epoch + 1, driver=app.seat, customer=customer)
                answer = await self._seat(app.seat, epoch)
        if answer.status == 200:
            token: str = answer.body["token"]
            return token
        if answer.status == 404 and self._epoch == 1:
            answer = await self._backend.call("POST", "/v1/trips", self._opening, 200, 201, 409)
            if answer.status == 201 and self._opening["max_duration_s"] < _STAYS_S:
                self._account.began_anew(self.name, 1)
                self._expect_end(answer.body["deadline"])
            if answer.status in (200, 201):
                found: str = answer.body[app.seat.role]["token"]
                return found
        return None

    async def _post_late(self, *apps: App) -> None:
        """Post before the apps have heard that it is over."""
        for app in apps:
            with suppress(ChannelClosed):
                for _ in range(_LATE_POSTS):
                    await app.post()


def _party(seat: Seat) -> dict[str, str]:
    return {"party_id": seat.party, "phone": _PHONES[seat.role], "alias": "Budi"}


def _now_s() -> float:
    return asyncio.get_running_loop().time()
