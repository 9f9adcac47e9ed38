"""The short trip that `relay demo --script` plays, with what each side sees and what the store has.

Every line it shows comes from the SDK's events, from an answer of the API or from a read of the
store; every claim is checked, and the first that is not so ends it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.maint_notifications import MaintNotificationsConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..client import (
    Attached,
    AttachRefused,
    Channel,
    ChannelClosed,
    Closed,
    Event,
    MemoryStorage,
    Message,
    Presence,
    connect,
)
from ..core.ids import Role
from ..store import keys
from ..vault.numbers import SEALED_NUMBER_BYTES
from .api import Api, ApiError, trip_path
from .chat_posts import Mark, OwnPost, OwnPosts, text_of
from .number_search import hides_in
from .words import visible

_WIDTH: Final = 100
_DEADLINE_S: Final = 5.0
#: So many digits of a number may be left when it is taken out.
_MOST_LEFT: Final = 2
_COLUMNS: Final = {"the driver sees": 30, "the customer sees": 30, "in the store": 36}


class NotSo(Exception):
    """Something that the demo claims is not so."""


def claim(is_so: bool, text: str) -> None:
    """Raise `NotSo` unless it is so."""
    if not is_so:
        raise NotSo(text)


class _Phone:
    """A party's app: an SDK channel and what its person has seen since last asked."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._storage = MemoryStorage()
        self._own = OwnPosts()
        self._news = asyncio.Event()
        self._seen: list[str | OwnPost] = []
        self._listening: asyncio.Task[None] | None = None
        self.alias = ""
        self.events: list[Event] = []
        self.channel: Channel = connect(url, token, storage=self._storage)

    async def start(self) -> None:
        """Attach, as a started app does; it remembers what it had."""
        self.channel = connect(self._url, self._token, storage=self._storage)
        await self.channel.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        await self.channel.wait_attached()

    async def stop(self) -> None:
        """Drop the connection, as an app does that the system has put away."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait((self._listening,))
            self._listening = None
            await self.channel.__aexit__(None, None, None)

    async def _listen(self) -> None:
        async for event in self.channel:
            self.events.append(event)
            for own in self._own.apply(event):
                if own.mark is Mark.SEEN and own not in self._seen:
                    self._seen.append(f"· seen: {own.text}")
            match event:
                case Attached():
                    self.alias = event.alias
                    online = "online" if event.online else "not there yet"
                    self._seen.append(f"· attached; {event.alias} is {online}")
                case Presence():
                    online = "online" if event.online else "offline"
                    self._seen.append(f"· {self.alias} is {online}")
                case Message():
                    self._seen.append(f"{self.alias}: {text_of(event)}")
                    self._seen += [f"! {notice}" for notice in event.notices]
                    await self.channel.seen(event)
                case Closed():
                    self._seen.append(f"· closed: {event.reason}")
            self._news.set()

    async def post(self, text: str) -> OwnPost:
        """Post a text and wait until the relay has it."""
        return await self._posted(await self.channel.post(text))

    async def post_quick(self, key: str) -> OwnPost:
        """Post a quick reply and wait until the relay has it."""
        return await self._posted(await self.channel.post_quick(key))

    async def post_location(self, lat: float, lon: float, label: str) -> OwnPost:
        """Post a place and wait until the relay has it."""
        return await self._posted(await self.channel.post_location(lat, lon, label))

    async def _posted(self, delivery: Any) -> OwnPost:
        own = self._own.add(delivery.post)
        self._seen.append(own)
        await delivery.accepted()
        await self.until(lambda: own.mark is not Mark.WAITING, "a post is not marked as accepted")
        return own

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for events until the condition holds. Raises `NotSo` when that takes too long."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise NotSo(what) from None

    async def event(self, kind: type[Event], count: int = 1) -> Event:
        """The event of a kind that comes as number `count`."""

        def found() -> list[Event]:
            return [event for event in self.events if isinstance(event, kind)]

        await self.until(lambda: len(found()) >= count, f"no {kind.__name__} came")
        return found()[count - 1]

    def news(self) -> list[Text]:
        """What the person has seen since the last call."""
        seen, self._seen = self._seen, []
        lines = []
        for one in seen:
            lines.append(self._line(one))
            if isinstance(one, OwnPost) and one.remark:
                lines.append(self._line(f"· {one.remark}"))
        return lines

    def _line(self, one: str | OwnPost) -> Text:
        if isinstance(one, OwnPost):
            mark = Text(f" {one.mark}", style="bold cyan")
            return Text(visible(one.text), style="green").append_text(mark)
        return Text(visible(one), style="dim" if one.startswith("·") else "")


class _Shelf:
    """What lies in the store, read with a client of its own, and all bytes that were ever read."""

    def __init__(self, url: str, trip: str) -> None:
        self._redis: Any = Redis.from_url(
            url, maint_notifications_config=MaintNotificationsConfig(enabled=False)
        )
        self._trip = trip
        self._entries = 0
        self.bytes_read = 0
        self._read: list[bytes] = []

    async def close(self) -> None:
        await self._redis.aclose()

    async def record(self) -> dict[str, bytes]:
        """The fields of the trip's record."""
        found = await self._redis.hgetall(keys.trip(self._trip))
        return {name.decode(): value for name, value in found.items()}

    async def new_entries(self) -> list[tuple[str, str, bytes]]:
        """(position, sender, ciphertext) of what the log has gained since the last call."""
        found = await self._redis.xrange(keys.log(self._trip, 1))
        fresh, self._entries = found[self._entries :], len(found)
        return [
            (entry.decode(), name.decode(), value)
            for entry, fields in fresh
            for name, value in fields.items()
            if name != b"i"
        ]

    async def log_exists(self) -> bool:
        return bool(await self._redis.exists(keys.log(self._trip, 1)))

    async def post_past_the_relay(self) -> Any:
        """What a node would do that has not heard of the end: its very command for a post."""
        return await self._redis.xadd(
            keys.log(self._trip, 1), {"i": "late", "d": "late"}, nomkstream=True
        )

    async def dump(self) -> int:
        """Read every key, raw (DUMP) and as values; give how many there are."""
        count = 0
        async for key in self._redis.scan_iter(count=1000):
            count += 1
            self.remember(key, await self._redis.dump(key) or b"")
            match await self._redis.type(key):
                case b"hash":
                    found = await self._redis.hgetall(key)
                    self.remember(*(part for pair in found.items() for part in pair))
                case b"stream":
                    for _, fields in await self._redis.xrange(key):
                        self.remember(*(part for pair in fields.items() for part in pair))
        return count

    def remember(self, *data: bytes) -> None:
        """Keep what was read for the search at the end."""
        self._read += data
        self.bytes_read += sum(map(len, data))

    def holds(self, text: str) -> bool:
        """Whether a text is in anything that was read."""
        return any(text.encode() in data for data in self._read)

    def shows(self, phone: str) -> bool:
        """Whether a number is in anything that was read."""
        return hides_in(b"\0\0".join(self._read), phone)


class Play:
    """The trip `trip` (the body of its `open`), played by both of its parties and the platform."""

    def __init__(self, api: Api, gateway_url: str, store_url: str, trip: dict[str, Any]) -> None:
        self._api, self._gateway_url, self._trip = api, gateway_url, trip
        self._name: str = trip["trip_id"]
        self._shelf = _Shelf(store_url, self._name)
        self._phones: dict[Role, _Phone] = {}
        self._typed: list[str] = []  # numbers, as a person typed them
        self._step = 0
        self._console = Console(
            width=_WIDTH, highlight=False, markup=False, emoji=False, soft_wrap=False
        )

    async def run(self) -> bool:
        """Play it; say whether all was as claimed."""
        try:
            await self._open()
            await self._attach()
            await self._talk()
            await self._give_number()
            await self._place()
            await self._reconnect()
            await self._end()
            await self._post_late()
            self._search()
        except (NotSo, ApiError, ChannelClosed) as error:
            self._console.print(Text(f"✗ not as claimed: {visible(str(error))}", "bold red"))
            return False
        finally:
            for phone in self._phones.values():
                await phone.stop()
            await self._shelf.close()
        self._console.print(Text("✓ everything above is as claimed", "bold green"))
        return True

    # --- the steps --------------------------------------------------------------------------------

    async def _open(self) -> None:
        opened = await self._call("POST", "/v1/trips", self._trip)
        for role in Role:
            self._phones[role] = _Phone(self._gateway_url, opened[role]["token"])
        record = await self._shelf.record()
        state, epoch = record["state"].decode(), record["epoch"].decode()
        lines = [f"state {state}, epoch {epoch}"]
        for name in ("d.phone", "c.phone"):
            is_sealed = len(record[name]) == SEALED_NUMBER_BYTES
            claim(is_sealed, "a number is not sealed as it has to be")
            lines.append(f"{name}  {_keyed(record[name])}")
        lines.append(f"messages_key  {_keyed(record['messages_key'])}")
        claim(await self._shelf.log_exists(), "an open channel has no log")
        await self._show("The platform opens the trip", lines)

    async def _attach(self) -> None:
        driver, customer = self._both()
        await driver.start()
        await customer.start()
        await driver.event(Presence)
        record = await self._shelf.record()
        claim("d.seat" in record and "c.seat" in record, "a seat is not taken")
        await self._show("Both apps attach", ["d.seat  taken", "c.seat  taken"])

    async def _talk(self) -> None:
        driver, customer = self._both()
        await self._say(driver, customer, "Halo Kak Rani, saya Budi. Sudah di depan lobi ya.")
        await self._say(customer, driver, "Baik Pak, saya turun sekarang. Pakai jaket merah.")
        await self._show_log("They write", 2)

    async def _give_number(self) -> None:
        driver, customer = self._both()
        digits = str(self._trip[Role.DRIVER]["phone"]).removeprefix("+62")
        typed = f"0{digits[:3]}-{digits[3:7]}-{digits[7:]}"
        own = await self._say(driver, customer, f"Telepon saya di {typed} ya.")
        self._typed.append(typed)
        claim(bool(own.found) and own.text != own.seen_as, "the driver was not told of the guard")
        message = customer.events[-1]
        assert isinstance(message, Message)
        left = sum(char.isdigit() for char in message.text)
        claim(left <= _MOST_LEFT, "a number that was typed came through")
        claim(bool(message.notices), "the customer was not warned")
        quick = await customer.post_quick("coming_out")
        await self._arrives(customer, driver, quick)
        message = driver.events[-1]
        claim(
            isinstance(message, Message) and message.key == "coming_out",
            "a quick reply is not told by its key",
        )
        await self._show_log("The driver types his number, she taps a quick reply", 2)

    async def _place(self) -> None:
        driver, customer = self._both()
        own = await driver.post_location(-6.200123, 106.816789, "pintu utara")
        await self._arrives(driver, customer, own)
        message = customer.events[-1]
        claim(
            isinstance(message, Message) and message.lat == -6.20012,
            "the place is not, to a metre, where it was",
        )
        await self._show_log("The driver shares where he is", 1)

    async def _reconnect(self) -> None:
        driver, customer = self._both()
        presences = sum(isinstance(event, Presence) for event in driver.events)
        await customer.stop()
        await driver.event(Presence, presences + 1)
        own = await driver.post("Tidak apa-apa Kak, saya tunggu.")
        claim(own.mark is Mark.ACCEPTED, "a message to nobody counts as delivered")
        await self._show_log("The customer is in a lift, the driver writes", 1)
        await customer.start()
        await self._arrives(driver, customer, own)
        await self._say(customer, driver, "Maaf, tadi tidak ada sinyal. Sampai!")
        await self._show_log("The customer is back: it comes now, once", 1)

    async def _end(self) -> None:
        path = trip_path(self._name, "end")
        ended = await self._call("POST", path, {"reason": "completed"})
        claim(ended["state"] == "closed", "the channel is not closed")
        for phone in self._both():
            closed = await phone.event(Closed)
            claim(isinstance(closed, Closed) and closed.reason == "ended", "an app was not told")
            claim(not getattr(closed, "undelivered", ()), "a message is said not to have arrived")
        record = await self._shelf.record()
        lines = [f"state {record['state'].decode()}"]
        for name in ("d.phone", "c.phone", "messages_key"):
            claim(name not in record, f"{name} is still there")
            lines.append(f"{name}  gone")
        claim(not await self._shelf.log_exists(), "the log is still there")
        await self._show("The platform ends the trip", [*lines, "log  gone"])

    async def _post_late(self) -> None:
        driver, _ = self._both()
        try:
            await driver.post("Kak, boleh minta nomor WhatsApp?")
        except ChannelClosed as refused:
            here = f"· not sent: {refused.closed.reason}"
        else:
            raise NotSo("a post after the end was taken")
        async with connect(self._gateway_url, driver._token) as other:
            delivery = await other.post("Kak, boleh minta nomor WhatsApp?")
            try:
                await other.wait_attached()
            except AttachRefused as refused:
                there = f"· another phone: refused ({refused.closed.code})"
            else:
                raise NotSo("the token still attaches")
            claim(await _is_refused(delivery), "a post after the end was accepted")
        stored = await self._shelf.post_past_the_relay()
        claim(stored is None, "a node that has not heard of the end could store a message")
        claim(not await self._shelf.log_exists(), "a late post made the log anew")
        driver._seen += [here, there]
        await self._show("The driver writes once more", ["XADD NOMKSTREAM  → nil", "log  gone"])

    def _search(self) -> None:
        sent = json.dumps(self._trip).encode()
        for phone in self._both():
            for event in phone.events:
                self._shelf.remember(json.dumps(dataclasses.asdict(event)).encode())
        for role in Role:
            number: str = self._trip[role]["phone"]
            claim(hides_in(sent, number), "the search finds nothing, not even what was sent")
            claim(not self._shelf.shows(number), f"the {role}'s number can be read")
        for typed in self._typed:
            claim(not self._shelf.holds(typed), "a number that was typed can be read")
        self._console.print(
            "✓ neither phone number occurs in anything that was read: every key of the store at "
            f"each step, raw and as values, every event of both apps, every answer of the API "
            f"({self._shelf.bytes_read:,} bytes; as digits, integers, hexadecimal, base64, and as "
            "the driver typed it)"
        )

    # --- what the steps do ------------------------------------------------------------------------

    def _both(self) -> tuple[_Phone, _Phone]:
        return self._phones[Role.DRIVER], self._phones[Role.CUSTOMER]

    async def _call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = await asyncio.to_thread(self._api.call, method, path, body)
        self._shelf.remember(json.dumps(answer).encode())
        return answer

    async def _say(self, sender: _Phone, receiver: _Phone, text: str) -> OwnPost:
        own = await sender.post(text)
        await self._arrives(sender, receiver, own)
        return own

    async def _arrives(self, sender: _Phone, receiver: _Phone, own: OwnPost) -> None:
        """Wait until the other person has seen a post; it has come once, as the sender was told."""

        def came() -> list[Message]:
            return [e for e in receiver.events if isinstance(e, Message) and e.id == own.id]

        await receiver.until(lambda: bool(came()), "a message did not arrive")
        await sender.until(lambda: own.mark is Mark.SEEN, "it was not told that a message was seen")
        if not came()[0].key:
            expected = own.seen_as or own.text
            claim([text_of(message) for message in came()] == [expected], "a message came altered")
        claim(len(came()) == 1, "a message came twice")

    async def _show_log(self, title: str, count: int) -> None:
        entries = await self._shelf.new_entries()
        entries = [entry for entry in entries if entry[1] != "o"]  # the one that opens the log
        claim(len(entries) == count, f"the log has gained {len(entries)} entries, not {count}")
        lines = []
        for position, sender, sealed in entries:
            in_clear = any(said.text.encode() in sealed for said in self._said())
            claim(not in_clear, "a text lies in clear")
            lines.append(f"{position[-8:]} {sender}  {sealed[:8].hex()}… {len(sealed)} B")
        await self._show(title, lines)

    def _said(self) -> list[Message]:
        events = [event for phone in self._both() for event in phone.events]
        return [event for event in events if isinstance(event, Message)]

    async def _show(self, title: str, store: list[str]) -> None:
        """Print a step: what each side has seen of it, and what the store holds."""
        count = await self._shelf.dump()
        self._step += 1
        driver, customer = self._both()
        if self._step == 1:
            self._print_row(*(Text(name, style="bold underline") for name in _COLUMNS))
        lines = [Text(visible(line), style="yellow") for line in store]
        lines.append(Text(f"{count} keys in all", style="dim"))
        self._console.rule(Text(f"{self._step}  {title}", style="bold"), align="left", style="dim")
        cells = driver.news(), customer.news(), lines
        self._print_row(*(Text("\n").join(cell) for cell in cells))

    def _print_row(self, *cells: Text) -> None:
        row = Table.grid(padding=(0, 2, 0, 0))
        for width in _COLUMNS.values():
            row.add_column(width=width, overflow="fold")
        row.add_row(*cells)
        self._console.print(row)


async def _is_refused(delivery: Any) -> bool:
    try:
        await delivery.accepted()
    except ChannelClosed:
        return True
    return False


def _keyed(sealed: bytes) -> str:
    """The id of the key that sealed it, the beginning of the rest, and the length."""
    return f"{sealed[:4].hex()} {sealed[4:8].hex()}… {len(sealed)} B"
