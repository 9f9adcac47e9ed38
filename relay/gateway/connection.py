"""One WebSocket: RFC 6455 and the wire's frames on one side, the gate on the other.

picows parses and writes single frames. Reserved bits, fragments, control frames, the close
handshake and the bound on unread output are this module's.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from ..core.bucket import Bucket
from ..core.codes import (
    CloseCode,
    ErrorCode,
    NotReportedCode,
    RefusedCode,
    close_reason,
    may_be_sent,
)
from ..core.frames import (
    MAX_FRAME_BYTES,
    OP_OF,
    BadField,
    BadFrame,
    Codec,
    Error,
    Frame,
    NotReported,
    Refused,
    UnknownOp,
    Unsure,
)
from ..core.ids import Role
from ..core.session import RemoteProtocolError, Session, Side, State
from ..core.websocket import BINARY, SHORT_HEADS, TEXT, Assembler, FrameError, head_of
from .lease import LEASE_S
from .limits import CLOSE_TIMEOUT_S, MAX_UNREAD_BYTES

if TYPE_CHECKING:
    from ..store.pipe import Line
    from ..store.records import Landmark
    from ..vault.tokens import PartyToken
    from .channel import Channel
    from .door import Door

log = structlog.get_logger(__name__)

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _CLOSE = WSMsgType.PING, WSMsgType.CLOSE
_OPCODES: Final = {_CONTINUATION: 0, _TEXT: 1, _BINARY: 2}
# Python 3.11 takes its time to find a member in an enum's class.
_CLOSED: Final = State.CLOSED
_TAKES_REPORTS: Final = frozenset({State.REPLAYING, State.LIVE, State.REPORTING})

#: A connection that goes on being refused for its frames is not an app but a flood.
_MAX_COMPLAINTS: Final = 200
#: What is written before the end of a tick.
_FLUSH_AT_BYTES: Final = 16 * 1024
#: Nor is one that posts on while this many refusals wait behind answers of the store.
_MAX_REFUSALS: Final = 1000
#: Refused for these, an app is not to blame: its connection stays, and its rate bounds it.
_NO_FAULT_OF_APPS: Final = frozenset({RefusedCode.STORE_AWAY, RefusedCode.KEY_AWAY})


class Answer(Protocol):
    """A post's place in the line of answers; `frame` is None until it is known."""

    @property
    def frame(self) -> Frame | None: ...


class Gate(Protocol):
    """What a connection needs of the node."""

    def connected(self, connection: Connection) -> None: ...
    def in_turn(self, connection: Connection, message: bytes) -> None: ...
    def take(self, connection: Connection, frame: Any) -> None: ...
    def has_room(self, connection: Connection) -> None: ...
    def flush_soon(self, connection: Connection) -> None: ...
    def closes(self, code: CloseCode) -> None: ...
    def dropped(self, connection: Connection) -> None: ...


class Connection(WSListener):
    """An app's connection, from the handshake to the end.

    `channel` and `role` are set while it holds its party's seat; its posts are taken from `pace`.
    `n` and `head` tell up to which entry of the log it has been served, `head_post` the id of the
    message there, `known_n` how many there are to its knowledge, `line` over which of the
    connections to the store (`Lease.line`) the log was seen to hold that entry. `resume_from` is
    where reading goes on once the app has room for more. `reporter` is set while it is attached for
    reports only, and holds no seat; `reporting` while one is being taken. `door` is the socket that
    it came in by, until that is gone; `address` what it counts under.
    """

    __slots__ = (
        "_assembler", "_bucket", "_choked", "_closing", "_complaints", "_decode", "_encode",
        "_flood", "_gate", "_heads", "_kind", "_loop", "_max_frames", "_opcode",
        "_transport", "_unsent", "_unsent_bytes", "_unsent_since_s", "acknowledged", "address",
        "answers", "catching_up", "channel", "door", "frames", "head", "head_post", "heard_s", "id",
        "known_n", "line", "locale", "n", "opened_s", "pace", "pinged_s", "replayed", "reporter",
        "reporting", "resume_from", "role", "session", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        gate: Gate,
        identity: str,
        incoming: Codec,
        outgoing: Codec,
        bucket: Bucket,
        max_frames_per_s: float,
        door: Door | None,
    ) -> None:
        self._gate = gate
        self.door = door
        self.address = "" if door is None else door.address
        self._decode = incoming.decode
        self._encode = outgoing.encode
        self._kind = _TEXT if incoming.is_text else _BINARY
        self._opcode = TEXT if incoming.is_text else BINARY
        self._heads = SHORT_HEADS[self._opcode]
        self._assembler = Assembler(MAX_FRAME_BYTES)
        self._bucket = bucket
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._max_frames = max_frames_per_s
        #: How many came since the liveness clock last looked, about a second ago.
        self.frames = 0
        #: How many messages wait for their turn.
        self.waiting = 0
        #: Heads and bodies of frames that wait for the end of this tick.
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._unsent_since_s = 0.0
        self._choked = False
        self._closing = False
        self._complaints = 0
        #: Refusals that wait behind answers of the store.
        self._flood = 0
        self.id = identity
        self.session = Session(Side.RELAY)
        self.channel: Channel | None = None
        self.role: Role | None = None
        self.pace: Bucket | None = None
        self.locale = ""
        # A list: there are few at a time, and an empty deque takes 600 bytes of every connection.
        self.answers: list[Answer] = []
        self.n = 0
        self.head: bytes = b"0-0"
        self.head_post = ""
        self.known_n = 0
        self.line: Line | None = None
        self.catching_up = False
        self.replayed = False
        self.resume_from: bytes | str | None = None
        self.reporter: PartyToken | None = None
        self.reporting = False
        self.acknowledged: set[bytes] = set()
        self.opened_s = self.heard_s = self._loop.time()
        self.pinged_s = 0.0

    def __repr__(self) -> str:
        return f"Connection({self.id})"

    # --- from picows ------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._gate.connected(self)
        transport.underlying_transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES // 4)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard_s = self._loop.time()
        self.pinged_s = 0.0
        self.frames += 1
        if self.frames > self._max_frames:
            self.abort()
            return
        kind = frame.msg_type
        if self._closing:
            if kind == _CLOSE:
                transport.disconnect()
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(CloseCode.PROTOCOL_ERROR)
        elif kind in _OPCODES:
            try:
                message = self._assembler.feed(
                    _OPCODES[kind], frame.fin, frame.get_payload_as_bytes()
                )
            except FrameError as error:
                self.close(error.code)
                return
            if message is not None:
                self._came(message)
        elif kind == _PING:
            if not self._choked:
                self.flush()
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            self._closing = True
            code = CloseCode.NORMAL
            if frame.payload_size:
                # picows gives an int and calls it an enum.
                code = int(frame.get_close_code())  # type: ignore[call-overload]
            answer = code if may_be_sent(code) else CloseCode.PROTOCOL_ERROR
            self.flush()
            transport.send_close(answer)  # type: ignore[arg-type]
            transport.disconnect()
            self._loop.call_later(CLOSE_TIMEOUT_S, self.abort)

    def _came(self, message: bytes) -> None:
        is_text = self._assembler.opcode == 1
        if is_text:
            try:
                message.decode()
            except UnicodeDecodeError:
                self.close(CloseCode.INVALID_TEXT)
                return
        if is_text is not (self._kind is _TEXT):
            self.close(CloseCode.BAD_FRAME)
            return
        self._gate.in_turn(self, message)

    def act_on(self, message: bytes) -> None:
        """Do what an app says, whose turn it is."""
        try:
            frame = self._decode(message)
            op = OP_OF[type(frame)]
            if op != "post" and self._bucket.take(self.heard_s):
                self.complain(ErrorCode.TOO_MANY, "Too many frames; slow down or be cut off.")
                return
            self.session.receive(op)
            if op == "attach" and frame.report_only:
                self.session.only_to_report()
        except BadFrame:
            self.close(CloseCode.BAD_FRAME)
        except UnknownOp:
            self.complain(
                ErrorCode.UNKNOWN_OP, "The relay knows no such op; the frame was ignored."
            )
        except BadField as error:
            is_report = error.op == "report" and self.session.state in _TAKES_REPORTS
            if error.frame_id is not None and is_report:
                self.not_reported(error.frame_id, NotReportedCode.MALFORMED, str(error))
            elif error.frame_id is not None and error.op == "post" and self.channel is not None:
                self.refuse_at_once(error.frame_id, RefusedCode.MALFORMED, str(error))
            else:
                self.complain(ErrorCode.BAD_FIELD, str(error))
        except RemoteProtocolError as error:
            if op == "post" and self.session.state is State.REPORTING:
                words = "This connection is for reports only."
                self.refuse_at_once(frame.id, RefusedCode.NOT_ATTACHED, words)
            elif op == "post" and self.session.state is not State.NEW:
                self.refuse_at_once(frame.id, RefusedCode.NOT_ATTACHED, "Wait for `attached`.", 200)
            elif op == "report" and self.session.state is not State.NEW:
                words = "Wait for `attached`."
                self.not_reported(frame.id, NotReportedCode.NOT_ATTACHED, words, 200)
            else:
                self.complain(ErrorCode.OUT_OF_TURN, f"{error}; the frame was ignored.")
        else:
            if self.session.state is not _CLOSED:
                self._gate.take(self, frame)

    def stop_reading(self) -> None:
        """Take no more from the app for now: what it says next waits in its socket."""
        if self._transport is not None and not self._closing:
            self._transport.underlying_transport.pause_reading()

    def read_on(self) -> None:
        """Go on reading."""
        if self._transport is not None and not self._closing:
            self._transport.underlying_transport.resume_reading()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        if self.resume_from is not None:
            self._gate.has_room(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self._transport = None
        # It holds this; what holds each other, only the garbage collector would find, and late.
        self.door = None
        self._gate.dropped(self)

    # --- to the app -------------------------------------------------------------------------------

    def attached(self) -> None:
        """Note that this is no stranger any more."""
        if self.door is not None:
            self.door.attached()

    @property
    def landmark(self) -> Landmark:
        """The last entry that it has been served."""
        return self.head, self.head_post

    @property
    def closed(self) -> bool:
        return self._closing

    @property
    def choked(self) -> bool:
        """Whether the app reads too slowly for more to be sent just now."""
        return self._choked

    def send(self, frame: Frame) -> None:
        """Send a frame, unless the connection is ending, with all else of this tick."""
        if self._closing or self._transport is None:
            return
        self.session.send(OP_OF[type(frame)])
        data = self._encode(frame)
        size = len(data)
        if not self._unsent:
            self._unsent_since_s = time.monotonic()
            self._gate.flush_soon(self)
        self._unsent.append(self._heads[size] if size < 126 else head_of(self._opcode, size))
        self._unsent.append(data)
        self._unsent_bytes += size
        if self._unsent_bytes > _FLUSH_AT_BYTES:
            self.flush()  # whoever sends a lot sees at once whether the app takes it

    def flush(self) -> bool:
        """Write what was sent. Cuts off an app that does not read.

        False if it was given up: this process was frozen since, and the channel may have closed
        meanwhile. The app comes back and is told how things stand.
        """
        transport = self._transport
        if not self._unsent or transport is None:
            return True
        written = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if time.monotonic() - self._unsent_since_s > LEASE_S:
            log.warning("overslept")
            code, retry_after_ms = _overslept()
            self.close(code, retry_after_ms=retry_after_ms)
            return False
        if transport.is_close_frame_sent:
            return True  # by picows, over a frame that is none: nothing may follow
        transport.underlying_transport.write(written)
        if (
            self._choked
            and transport.underlying_transport.get_write_buffer_size() > MAX_UNREAD_BYTES
        ):
            self.close(CloseCode.SLOW_READER)
        return True

    def settle(self) -> None:
        """Send the answers that are known, in the order of the posts."""
        answers = self.answers
        while answers and (frame := answers[0].frame) is not None:
            if type(answers.pop(0)) is _Flood:
                self._flood -= 1
            self.send(frame)

    def refuse_at_once(
        self, post_id: str, code: RefusedCode, message: str, retry_after_ms: int = 0
    ) -> None:
        """Refuse a post that never left this node, when its turn to be answered comes."""
        self._answer_at_once(Refused(post_id, code, message, retry_after_ms), code)

    def unsure_at_once(self, post_id: str, why: RefusedCode, retry_after_ms: int) -> None:
        """The same where an earlier try may have stored the post."""
        self._answer_at_once(Unsure(post_id, retry_after_ms), why)

    def _answer_at_once(self, answer: Refused | Unsure, why: RefusedCode) -> None:
        is_flood = why not in _NO_FAULT_OF_APPS
        self._flood += is_flood
        self.answers.append(_Flood(answer) if is_flood else _Known(answer))
        self.settle()
        if self._flood > _MAX_REFUSALS:
            self.close(CloseCode.TOO_MANY, retry_after_ms=5000)

    def not_reported(
        self, report_id: str, code: NotReportedCode, message: str, retry_after_ms: int = 0
    ) -> None:
        """Say that a report was not taken; cut off who goes on sending such."""
        if not self._is_fed_up():
            self.send(NotReported(report_id, code, message, retry_after_ms))

    def _is_fed_up(self) -> bool:
        self._complaints += 1
        if self._complaints <= _MAX_COMPLAINTS:
            return False
        self.close(CloseCode.TOO_MANY, retry_after_ms=5000)
        return True

    def complain(self, code: ErrorCode, message: str) -> None:
        """Say that a frame was not acted on; cut off who goes on sending such."""
        if self._is_fed_up():
            return
        if self.session.state is not State.CLOSED:
            self.send(Error(code, message))
            if self.session.state is State.NEW:
                # Nobody has shown a token yet, and this is not how one begins.
                self.close(CloseCode.BAD_FRAME)

    def ping(self, now_s: float) -> None:
        """Ask for a sign of life."""
        self.pinged_s = now_s
        if self._transport is not None and not self._closing:
            self.flush()
            self._transport.send_ping()

    def close(self, code: CloseCode, *, retry_after_ms: int = 0) -> None:
        """Begin to end the connection; it is gone after `CLOSE_TIMEOUT_S` at the latest."""
        transport = self._transport
        if self._closing or transport is None:
            return
        if self.waiting:
            self.read_on()  # its own close frame is among what it has still to say
        self._closing = True
        if not self.flush():
            code, retry_after_ms = _overslept()
        self._gate.closes(code)
        # picows names a few codes and sends any.
        transport.send_close(code, close_reason(code, retry_after_ms))  # type: ignore[arg-type]
        self._loop.call_later(CLOSE_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


def _overslept() -> tuple[CloseCode, int]:
    # All apps of a node that was frozen; they are not to come back at once.
    return CloseCode.STORE_AWAY, random.randint(500, 1500)


class _Known:
    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class _Flood(_Known):
    """The answer to what an app should not have posted."""

    __slots__ = ()
