"""An app as the load plays it: the wire protocol on a bare WebSocket, checked frame by frame.

It does what PROTOCOL.md asks of an app, a `got` for each delivery included, and nothing that costs
the load process more than it must: tens of thousands of messages a second go through one of these.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport

from ..core.codes import advised_delay_ms
from ..core.frames import (
    FROM_APP_MSGPACK,
    SUBPROTOCOL_MSGPACK,
    TO_APP_MSGPACK,
    Accepted,
    Attach,
    Attached,
    Closed,
    Frame,
    Got,
    Message,
    Post,
    Reassigned,
    Refused,
    Replayed,
    Reported,
    UnknownOp,
    Unsure,
)
from .checking import Stream, Violations
from .dialling import dial
from .tally import Tally
from .texts import Text

_BINARY: Final = WSMsgType.BINARY
_CLOSE: Final = WSMsgType.CLOSE
_HEADERS: Final = {"Sec-WebSocket-Protocol": SUBPROTOCOL_MSGPACK}
CONNECT_S: Final = 20.0
#: How it is told that there is no relay to be heard.
NOT_CONNECTED: Final = (OSError, TimeoutError, WSError)
_NO_CODE: Final = 1006

_encode = FROM_APP_MSGPACK.encode
_decode = TO_APP_MSGPACK.decode
_now = time.monotonic


class Party:
    """One party of one trip; `connect` may be called again after the connection ended.

    `says` is what it sends to its peer and `hears` what the peer sends to it, which the two share.
    """

    __slots__ = (
        "_peer_pos", "advised_ms", "attempt", "before", "close_code", "closed", "epoch",
        "forbidden", "gateway_url", "hears", "is_attached", "is_back", "line", "name",
        "on_answered", "on_dropped", "reported", "says", "tally", "then", "token", "violations",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        gateway_url: str,
        token: str,
        says: Stream,
        hears: Stream,
        *,
        tally: Tally,
        violations: Violations,
        forbidden: tuple[bytes, ...],
    ) -> None:
        self.name = name
        self.gateway_url = gateway_url
        self.token = token
        self.says = says
        self.hears = hears
        #: What it said to the peer before this one.
        self.before = says
        self.tally = tally
        self.violations = violations
        #: Digits that no frame may hold: the numbers of both parties.
        self.forbidden = forbidden
        self._peer_pos: str | None = None
        self.attempt = 0
        self.epoch = 1
        self.line: _Line | None = None
        self.is_attached = False
        #: Whether it has also been given what it missed, and so may say something new.
        self.is_back = False
        self.close_code = 0
        #: How long it was told to stay away, if it was.
        self.advised_ms: int | None = None
        #: The `closed` frame, once it came.
        self.closed: Closed | None = None
        self.reported: set[str] = set()
        #: Called when one of its posts was accepted, or refused for good.
        self.on_answered: Callable[[Party], None] | None = None
        #: Called when a connection that was attached is over, unless it was cut here.
        self.on_dropped: Callable[[Party], None] | None = None
        #: What it says and hears once another party sits opposite.
        self.then: tuple[Stream, Stream] | None = None

    # --- the connection ---------------------------------------------------------------------------

    async def connect(self, after: str | None = None) -> bool:
        """Attach, resuming where this party was, or after `after`. False if it was sent away.

        Raises one of `NOT_CONNECTED` where there is no relay to be heard.
        """
        line = _Line(self)
        self.close_code, self.is_attached, self.is_back, self.line = 0, False, False, line
        self.advised_ms = None
        self.attempt += 1
        try:
            await dial(self.gateway_url, _HEADERS, CONNECT_S, line)
        except BaseException:
            line.has_ended()
            raise
        pending = self.says.pending()[:100]
        self.send(
            Attach(
                self.token, epoch=self.epoch, after=after or self._peer_pos, device="bench",
                attempt=self.attempt, pending=pending or None,
            )
        )  # fmt: skip
        try:
            await line.is_replayed(CONNECT_S)
        except BaseException:
            self.cut()
            raise
        self.is_back = self.is_attached
        return self.is_attached

    async def come_back(self) -> bool:
        """Attach again, and post again what nobody knows of. As `connect`."""
        if await self.connect():
            for name in self.says.unanswered():
                self.post_again(name)
        return self.is_attached

    def cut(self) -> None:
        """Drop the connection without a word, as a tunnel does."""
        self.is_attached = self.is_back = False
        if self.line is not None and self.line.transport is not None:
            self.line.transport.underlying_transport.abort()

    def pause(self, on: bool) -> None:
        """Stop reading what comes, as a phone on a bad network."""
        if self.line is not None and self.line.transport is not None:
            under = self.line.transport.underlying_transport
            if not under.is_closing():
                under.pause_reading() if on else under.resume_reading()

    async def gone(self, within_s: float) -> bool:
        """Wait until the connection is over; False if it still stands after that time."""
        if self.line is None:
            return True
        try:
            await asyncio.wait_for(asyncio.shield(self.line.over), within_s)
        except TimeoutError:
            return False
        return True

    # --- what it says -----------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        if self.line is not None and self.line.transport is not None:
            self.line.transport.send(_BINARY, _encode(frame))

    def post(self, text: Text, intended_s: float | None = None) -> str:
        """Post a message that was meant to be sent at that moment (now). An app that is away keeps
        it until it has come back, and has posted again what came before."""
        name = self.says.post(text, _now() if intended_s is None else intended_s)
        if self.is_back:
            self.send(Post(name, text=text.text, epoch=self.epoch))
        return name

    def post_again(self, name: str) -> None:
        """Post what may be stored already."""
        if self.is_attached and name in self.says.under_way:
            self.send(Post(name, text=self.says.repeat(name), epoch=self.epoch, again=True))

    def post_as_before(self, name: str) -> None:
        """Post what was refused for a while: the same frame, for by that try it is not stored."""
        if self.is_attached and name in self.says.under_way:
            sent = self.says.retry(name)
            again = sent.is_repeated or None
            self.send(Post(name, text=sent.text, epoch=self.epoch, again=again))

    # --- what it hears ----------------------------------------------------------------------------

    def heard(self, line: _Line, frame: Any) -> None:
        """Anything but what `_Line` deals with at once."""
        kind = type(frame)
        if kind is Attached:
            self._sit_opposite(frame.epoch)
            self.is_attached = True
            self.tally.counts["attached"] += 1
            for name in frame.lost:
                self.post_again(name)
        elif kind is Replayed:
            if not line.replayed.done():
                line.replayed.set_result(None)
        elif kind is Refused:
            self._refused(frame)
        elif kind is Unsure:
            self.tally.counts["unsure"] += 1
            self._later(frame.retry_after_ms, self.post_again, frame.id)
        elif kind is Closed:
            self.closed = frame
            self.says.undelivered(frame.undelivered)
        elif kind is Reassigned:
            self._sit_opposite(frame.epoch)
            # Told once more before a replay: what was said to the earlier peer stays with it.
            self.before.undelivered(frame.undelivered)
        elif kind is Reported:
            self.reported.add(frame.id)

    def _sit_opposite(self, epoch: int) -> None:
        """Another party may sit opposite now, and the log begin anew."""
        if epoch == self.epoch or self.then is None:
            return
        self.epoch, self._peer_pos = epoch, None
        self.before, (self.says, self.hears), self.then = self.says, self.then, None

    def _refused(self, frame: Refused) -> None:
        self.tally.counts[f"refused {frame.code}"] += 1
        if frame.retry_after_ms:
            self._later(frame.retry_after_ms, self.post_as_before, frame.id)
            return
        self.says.refused(frame.id)
        if self.on_answered is not None:
            self.on_answered(self)

    def _later(self, wait_ms: int, post: Callable[[str], None], name: str) -> None:
        asyncio.get_running_loop().call_later(wait_ms / 1000, post, name)


class _Line(WSListener):
    """One connection of a party."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self.transport: WSTransport | None = None
        loop = asyncio.get_running_loop()
        #: The replay is complete, or the connection over before it was.
        self.replayed: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    async def is_replayed(self, within_s: float) -> None:
        """Wait until `replayed` is done. Raises `TimeoutError`."""
        late = asyncio.get_running_loop().call_later(within_s, self._is_late)
        try:
            await self.replayed
        finally:
            late.cancel()

    def _is_late(self) -> None:
        if not self.replayed.done():
            self.replayed.set_exception(TimeoutError())

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        party = self.party
        if frame.msg_type is not _BINARY:
            if frame.msg_type is _CLOSE:
                self._closed(transport, frame)
            return
        data = frame.get_payload_as_bytes()
        for digits in party.forbidden:
            if digits in data:
                party.violations.add("leaked", f"{party.name}, a frame of {len(data)} bytes")
        try:
            said = _decode(data)
        except UnknownOp:
            return
        kind = type(said)
        tally = party.tally
        if kind is Message:
            if said.sender == "peer":
                sent = party.hears.delivered(said.id, said.pos, said.text)
                party._peer_pos = said.pos
                if sent is not None:
                    tally.delivered += 1
                    tally.delivery.add(_now() - sent.intended_s)
                transport.send(_BINARY, _encode(Got(said.pos, epoch=party.epoch)))
            elif said.sender == "you" and party.says.accepted(said.id, said.pos, said.text):
                # Posted on an earlier connection, whose answer never came.
                tally.accepted += 1
                if party.on_answered is not None:
                    party.on_answered(party)
            return
        if kind is Accepted:
            sent = party.says.accepted(said.id, said.pos, said.text)
            if sent is not None:
                tally.accepted += 1
                tally.accept.add(_now() - sent.intended_s)
            if party.on_answered is not None:
                party.on_answered(party)
            return
        party.heard(self, said)

    def _closed(self, transport: WSTransport, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        code = int.from_bytes(data[:2], "big") if len(data) >= 2 else _NO_CODE
        self.party.close_code = code
        self.party.advised_ms = advised_delay_ms(data[2:].decode(errors="replace"))
        self.party.tally.counts[f"closed {code}"] += 1
        transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        party = self.party
        if party.line is self:
            was_attached, party.is_attached, party.is_back = party.is_attached, False, False
            if was_attached and not party.close_code:
                party.tally.counts[f"closed {_NO_CODE}"] += 1
            party.close_code = party.close_code or _NO_CODE
            if was_attached and party.on_dropped is not None:
                party.on_dropped(party)
        self.has_ended()

    def has_ended(self) -> None:
        """Or never began."""
        for future in (self.replayed, self.over):
            if not future.done():
                future.set_result(None)
