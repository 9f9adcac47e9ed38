"""Every frame of the wire protocol and the two codecs, one for each subprotocol.

A frame is a map with `op`; unknown fields are ignored. What each field means is told in
PROTOCOL.md. The structs validate while they decode (msgspec), so nothing is checked twice.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, get_args

import msgpack  # type: ignore[import-untyped]
import msgspec
from msgspec import Meta, Struct

from .casework import Category
from .ids import POST_ID

MAX_FRAME_BYTES: Final = 16 * 1024
MAX_TEXT_BYTES: Final = 2000
MAX_REPORTED: Final = 30
MAX_NOTE_CHARS: Final = 1000

SUBPROTOCOL_MSGPACK: Final = "relay.v1.msgpack"
SUBPROTOCOL_JSON: Final = "relay.v1.json"

PostId = Annotated[str, Meta(pattern=rf"^{POST_ID.pattern}\Z")]
Position = Annotated[str, Meta(pattern=r"^[0-9]{13}-[0-9]{4}\Z")]
PositionOrNone = Annotated[str, Meta(pattern=r"^(?:[0-9]{13}-[0-9]{4})?\Z")]
Short = Annotated[str, Meta(max_length=64)]

# The same for what is said with every message: each of msgspec's patterns takes a microsecond, four
# times as long as the rest of the frame. Besides the lengths, `__post_init__` looks at these.
_OftenPostId = Annotated[
    str,
    Meta(min_length=1, max_length=36, extra_json_schema={"pattern": rf"^{POST_ID.pattern}\Z"}),
]
_OftenPosition = Annotated[
    str,
    Meta(min_length=18, max_length=18, extra_json_schema={"pattern": r"^[0-9]{13}-[0-9]{4}\Z"}),
]


def _check_post_id(text: str) -> None:
    plain = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    if not plain and not POST_ID.fullmatch(text):
        raise ValueError("not a post's id - at `$.id`")


def _check_position(text: str) -> None:
    if text[13:14] != "-" or not text.isascii() or not text.replace("-", "", 1).isdigit():
        raise ValueError("not a position - at `$.pos`")


class Frame(Struct, tag_field="op", omit_defaults=True):
    """Any frame."""


# --- from the app ---------------------------------------------------------------------------------


class Attach(Frame, tag="attach"):
    token: Annotated[str, Meta(max_length=256)]
    epoch: int | None = None
    after: PositionOrNone | None = None
    after_id: PostId | None = None
    pending: Annotated[list[PostId], Meta(max_length=100)] | None = None
    device: Short | None = None
    attempt: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    app: Short | None = None
    kinds: Annotated[list[Short], Meta(max_length=32)] | None = None
    report_only: bool | None = None

    def __repr__(self) -> str:
        return "Attach(****)"


class Post(Frame, tag="post"):
    id: _OftenPostId
    kind: Short | None = None
    epoch: int | None = None
    text: str | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None
    key: Short | None = None
    again: bool | None = None

    def __post_init__(self) -> None:
        _check_post_id(self.id)

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, ****)"


class Got(Frame, tag="got"):
    pos: _OftenPosition
    epoch: int | None = None

    def __post_init__(self) -> None:
        _check_position(self.pos)


class Seen(Frame, tag="seen"):
    pos: _OftenPosition
    epoch: int | None = None

    def __post_init__(self) -> None:
        _check_position(self.pos)


class Typing(Frame, tag="typing"):
    on: bool


class ReportedItem(Struct, omit_defaults=True):
    """A message as the reporter's app has kept it: all that its tag binds, and the tag."""

    epoch: Annotated[int, Meta(ge=1, le=2**31)]
    pos: Position
    id: PostId
    sender: Literal["peer", "you", "system"] = msgspec.field(name="from")
    text: str
    tag: Annotated[str, Meta(max_length=64)] | None = None

    def __repr__(self) -> str:
        return f"ReportedItem(pos={self.pos!r}, ****)"


class Report(Frame, tag="report"):
    id: PostId
    category: Category
    note: Annotated[str, Meta(max_length=MAX_NOTE_CHARS)] | None = None
    block: bool | None = None
    items: Annotated[list[ReportedItem], Meta(max_length=MAX_REPORTED)] | None = None

    def __repr__(self) -> str:
        return f"Report(id={self.id!r}, ****)"


class Ping(Frame, tag="ping"):
    pass


FromApp = Attach | Post | Got | Seen | Typing | Report | Ping

# --- to the app -----------------------------------------------------------------------------------


class Peer(Struct, omit_defaults=True):
    alias: str
    online: bool
    got: str | None = None
    seen: str | None = None


class Limits(Struct):
    ping_s: float
    text_bytes: int
    posts_per_s: float
    posts_burst: int
    in_flight: int


class Attached(Frame, tag="attached"):
    trip: str
    role: str
    epoch: int
    state: Literal["open", "grace", "report_only"]
    deadline: int
    peer: Peer
    lost: list[str]
    limits: Limits


class Message(Frame, tag="message"):
    pos: str
    id: str
    sender: str = msgspec.field(name="from")
    at: int
    kind: str
    text: str
    tag: str
    lat: float | None = None
    lon: float | None = None
    key: str | None = None
    notices: list[str] | None = None

    def __repr__(self) -> str:
        return f"Message(pos={self.pos!r}, ****)"


class Replayed(Frame, tag="replayed"):
    pass


class Found(Struct):
    """What the guard found in a post: where in its rules, and how long it was. Never what."""

    kind: str = msgspec.field(name="class")
    rule: str
    length: int


class Accepted(Frame, tag="accepted"):
    id: str
    pos: str
    at: int
    tag: str
    text: str | None = None
    findings: list[Found] | None = None

    def __repr__(self) -> str:
        return f"Accepted(id={self.id!r}, pos={self.pos!r}, ****)"


class Refused(Frame, tag="refused"):
    id: str
    code: str
    message: str
    retry_after_ms: int = 0
    findings: list[Found] | None = None


class Unsure(Frame, tag="unsure"):
    id: str
    retry_after_ms: int


class Reported(Frame, tag="reported"):
    id: str


class NotReported(Frame, tag="not_reported"):
    id: str
    code: str
    message: str
    retry_after_ms: int = 0


class PeerGot(Frame, tag="got"):
    pos: str


class PeerSeen(Frame, tag="seen"):
    pos: str


class PeerTyping(Frame, tag="typing"):
    on: bool


class Presence(Frame, tag="presence"):
    online: bool


class StateChanged(Frame, tag="state"):
    state: Literal["open", "grace", "suspended"]
    deadline: int


class Reassigned(Frame, tag="reassigned"):
    epoch: int
    alias: str
    undelivered: list[str]


class Closed(Frame, tag="closed"):
    reason: str
    undelivered: list[str]


class Error(Frame, tag="error"):
    code: str
    message: str


class Pong(Frame, tag="pong"):
    pass


ToApp = (
    Attached | Message | Replayed | Accepted | Refused | Unsure | Reported | NotReported | PeerGot
    | PeerSeen | PeerTyping | Presence | StateChanged | Reassigned | Closed | Error | Pong
)  # fmt: skip

#: The `op` of each kind of frame.
OP_OF: Final[dict[type[Struct], str]] = {
    frame: str(frame.__struct_config__.tag) for frame in (*get_args(FromApp), *get_args(ToApp))
}

# --- codecs ---------------------------------------------------------------------------------------


#: What is answered by its id, whatever is wrong with the rest of it; and where half a character
#: would most likely stand.
_ANSWERED: Final = {"post": "text", "report": "note"}


class BadFrame(Exception):
    """The bytes are no frame at all: not this codec's map, or without a usable `op`."""


class UnknownOp(Exception):
    """A frame whose op this side does not know."""


class BadField(Exception):
    """A known frame with a field that is missing or of the wrong type.

    `op` and `field` name the place; `frame_id` is set where the frame was a post or a report that
    can be answered. What the field held is not kept.
    """

    def __init__(self, op: str, field: str, frame_id: str | None) -> None:
        super().__init__(f"{op}: the field `{field}` is missing or not as PROTOCOL.md describes it")
        self.op = op
        self.frame_id = frame_id


class Codec:
    """Frames of one direction in one encoding. `is_text` tells the WebSocket message type."""

    __slots__ = ("_decoder", "_loose", "_ops", "encode", "is_text")

    def __init__(self, encoding: Any, frames: Any, *, is_text: bool) -> None:
        self._decoder = encoding.Decoder(frames)
        self._loose = encoding.Decoder(dict[str, msgspec.Raw])
        self._ops = frozenset(frame.__struct_config__.tag for frame in frames.__args__)
        self.encode = encoding.Encoder().encode
        self.is_text = is_text

    def decode(self, data: bytes) -> Any:
        """Decode one frame. Raises `BadFrame`, `UnknownOp` or `BadField`."""
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            # msgspec quotes what it found; only the path at the end is safe to repeat.
            raise self._diagnose(data, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            raise self._salvage(data) from None

    def _salvage(self, data: bytes) -> Exception:
        """Half an emoji, as a text cut in the middle ends with, is no reason to lose the app."""
        try:
            if self.is_text:
                fields = json.loads(data)
            else:
                fields = msgpack.unpackb(data, unicode_errors="surrogatepass")
            op, frame_id = fields.get("op"), fields.get("id")
        except (ValueError, RecursionError, AttributeError, msgpack.UnpackException):
            return BadFrame()
        if not isinstance(op, str) or op not in _ANSWERED:
            return BadFrame()
        if not isinstance(frame_id, str) or not POST_ID.fullmatch(frame_id):
            return BadFrame()
        return BadField(op, _ANSWERED[op], frame_id)

    def _diagnose(self, data: bytes, error: str) -> Exception:
        try:
            fields = self._loose.decode(data)
            decode = msgspec.json.decode if self.is_text else msgspec.msgpack.decode
            op = decode(fields["op"], type=str)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, KeyError):
            return BadFrame()
        if op not in self._ops:
            return UnknownOp()
        if "missing required field `" in error:
            field = error.split("`")[1]
        else:
            field = error.rpartition("`$.")[2].partition("`")[0].partition("[")[0] or "op"
        frame_id = None
        if op in _ANSWERED and field != "id":
            try:
                frame_id = decode(fields["id"], type=PostId)
            except (msgspec.DecodeError, KeyError):
                frame_id = None
        return BadField(op, field, frame_id)


FROM_APP_MSGPACK: Final = Codec(msgspec.msgpack, FromApp, is_text=False)
FROM_APP_JSON: Final = Codec(msgspec.json, FromApp, is_text=True)
TO_APP_MSGPACK: Final = Codec(msgspec.msgpack, ToApp, is_text=False)
TO_APP_JSON: Final = Codec(msgspec.json, ToApp, is_text=True)
