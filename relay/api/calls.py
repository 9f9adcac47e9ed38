"""A call: what it takes, what it gives, who may make it; and the ASGI application that runs it.

The calls are the one list from which the routes are made and the OpenAPI document is written, so
neither can know of a call that the other does not.

Written on bare ASGI, because a call costs less than the framework's request and response objects.
Nothing that a caller sent gets into a log: not the path, which may hold a phone number, and of an
unexpected exception only its type and where it was raised.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
import structlog
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from ..core.ids import TRIP_ID, Role
from ..ops.actor import address_of
from ..ops.refusals import Refused
from ..store.endpoint import NotSent, StoreError
from ..store.pipe import StoreRefused
from ..vault.ring import KeyUnavailable
from . import problems
from .admission import Admission
from .auth import ApiKeys, Caller, KeyScope
from .fields import Fields
from .problems import Code, Problem, no_trip, not_found

log = structlog.get_logger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024

#: The media type of an answer that comes line by line.
LINES: Final = "application/x-ndjson"

#: How much of a body that is too large is still read, so that the caller gets to read why.
_MAX_DISCARDED_BYTES: Final = 1024 * 1024

B = TypeVar("B")

_encode: Final = msgspec.json.Encoder().encode
_is_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True, repr=False)
class Asked(Generic[B]):
    """A call as it came in: `body` is decoded and valid, `path` is not checked yet.

    `caller` is whose key it came with (None if the call needs none), `host` where it came from, as
    far as the relay can see.
    """

    path: Mapping[str, str]
    query: Any
    body: B
    caller: Caller | None = None
    host: str = ""

    @property
    def address(self) -> str:
        """Where it came from, if that is an address."""
        return address_of(self.host)

    def trip(self) -> str:
        """The trip in the path. Raises `Problem`."""
        trip = self.path["trip"]
        if not TRIP_ID.fullmatch(trip):
            raise no_trip()
        return trip

    def role(self) -> Role:
        """The role in the path. Raises `Problem`."""
        try:
            return Role(self.path["role"])
        except ValueError:
            raise not_found() from None


class Answer(NamedTuple):
    """What a call gives: a struct to be encoded, bytes of `media_type` as they are, or structs that
    come one after the other and are sent as they come, each as a line of JSON (`LINES`)."""

    status: int
    body: Struct | bytes | AsyncIterator[Struct]
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API.

    `scopes` are those of which the key has one; none means that no key is needed. `answers` are the
    structs of the good answers (None where the body is no JSON), `codes` the problems of this call
    apart from those that every call has. A call that is not `repeatable` does twice what it is
    asked for twice.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[[Asked[Any]], Awaitable[Answer]]
    answers: Mapping[int, type[Struct] | None]
    description: str = ""
    scopes: frozenset[KeyScope] = frozenset()
    body: type[Struct] | None = None
    body_is_optional: bool = False
    query: type[Struct] | None = None
    codes: tuple[Code, ...] = ()
    media_type: str = "application/json"
    survives_outage: bool = False
    repeatable: bool = True
    _decode: Callable[[bytes], Any] = field(init=False, repr=False)
    _body_fields: Fields | None = field(init=False, repr=False)
    _query_fields: Fields | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        decode = msgspec.json.Decoder(self.body).decode if self.body else _nothing
        object.__setattr__(self, "_decode", decode)
        object.__setattr__(self, "_body_fields", Fields(self.body) if self.body else None)
        object.__setattr__(self, "_query_fields", Fields(self.query) if self.query else None)

    def decode_body(self, raw: bytes) -> Any:
        """The body as its struct. Raises `Problem`."""
        if self._body_fields is None:
            return None
        if not raw and self.body_is_optional:
            raw = b"{}"
        try:
            return self._decode(raw)
        except msgspec.ValidationError as error:
            # It stops at the first wrong field; whether the rest is JSON at all comes first.
            if _is_json_text(raw):
                raise self._body_fields.problem(error) from None
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass
        raise Problem(
            Code.MALFORMED, "The body is not JSON, or nested too deeply. Nothing was changed."
        )

    def decode_query(self, raw: bytes) -> Any:
        """The query string as its struct. Raises `Problem`."""
        if self.query is None or self._query_fields is None:
            return None
        try:
            pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=16)
        except ValueError:
            pairs = [("", "")]
        given = dict(pairs)
        if len(given) != len(pairs):
            raise Problem(Code.INVALID, "A parameter is given twice. Nothing was done.")
        try:
            return msgspec.convert(given, self.query, strict=False)
        except msgspec.ValidationError as error:
            raise self._query_fields.problem(error) from None


class _Headers(NamedTuple):
    """The headers of a request that matter here."""

    authorization: bytes | None
    content_type: bytes
    content_length: int
    content_encoding: bytes


class Disconnected(Exception):
    """The caller went away before it had sent its body."""


class Resource:
    """An ASGI application: every call at one path."""

    def __init__(
        self, path: str, calls: Sequence[Call], keys: ApiKeys, admission: Admission
    ) -> None:
        self.path = path
        self._admission = admission
        self._calls = {call.method: call for call in calls}
        if "GET" in self._calls:
            self._calls["HEAD"] = self._calls["GET"]
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun_s = time.perf_counter()
        more: AsyncIterator[bytes] | None = None
        try:
            status, body, media_type = await self._answer(scope, receive)
            extra: Mapping[str, str] = {}
            if isinstance(body, AsyncIterator):
                more = self._lines(body)
                # What keeps it from beginning is answered as with every other call.
                body = await anext(more, b"")
            elif not isinstance(body, bytes):
                body = _encode(body)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - the caller is told, the log holds where
            call = self._calls.get(scope["method"])
            repeatable = call is None or call.repeatable
            status, body, extra = _answer_to(error, self.path, repeatable=repeatable)
            media_type, more = problems.MEDIA_TYPE, None
        await respond(send, status, body, media_type, extra, more)
        log.debug(
            "api_call",
            method=scope["method"] if scope["method"] in self._calls else "other",
            route=self.path,
            status=status,
            duration_ms=round((time.perf_counter() - begun_s) * 1000, 2),
        )

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        call = self._calls.get(scope["method"])
        if call is None:
            allowed = ", ".join(sorted(self._calls))
            raise Problem(
                Code.METHOD,
                f"This address takes {allowed}. Nothing was done.",
                headers={"allow": allowed},
            )
        client = scope.get("client")
        host = client[0] if client else ""
        headers = _headers(scope)
        caller = None
        if call.scopes:
            with self._admission.answering():
                caller = await self._keys.check(
                    headers.authorization,
                    call.scopes,
                    on_unseen=lambda: self._admission.shows_unknown_key(address_of(host)),
                    survives_outage=call.survives_outage,
                )
            self._admission.calls(caller.key_id, is_platform=caller.scope is KeyScope.PLATFORM)
        body = None
        if call.body is not None:
            # Not yet answering: whoever sends it a byte at a time would take the others' places.
            body = call.decode_body(await _read(call, headers, receive))
        query = call.decode_query(scope["query_string"])
        asked = Asked(scope["path_params"], query, body, caller, host)
        if caller is None:
            return await call.run(asked)
        with self._admission.answering():
            return await call.run(asked)

    async def _lines(self, structs: AsyncIterator[Struct]) -> AsyncIterator[bytes]:
        """Each struct as a line; what goes wrong after the first is a problem as the last line."""
        begun = False
        try:
            async for struct in structs:
                yield _encode(struct) + b"\n"
                begun = True
        except Exception as error:
            if not begun:
                raise
            yield _problem_of(error, self.path).document() + b"\n"


async def respond(
    send: Send,
    status: int,
    body: bytes,
    media_type: str,
    extra: Mapping[str, str],
    more: AsyncIterator[bytes] | None = None,
) -> None:
    """Send an answer, and what comes `more` as it comes. No answer is to be cached: most hold
    secrets or a state that changes."""
    headers = [
        (b"content-type", media_type.encode()),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in extra.items()),
    ]
    if more is None:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if more is not None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = b""
        async for part in more:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": body})


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application for every other address."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    problem = not_found()
    await respond(send, problem.status, problem.document(), problems.MEDIA_TYPE, problem.headers)


def _nothing(_: bytes) -> None:
    return None


def _is_json_text(raw: bytes) -> bool:
    try:
        _is_json(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _headers(scope: Scope) -> _Headers:
    authorization, content_type, content_length, content_encoding = None, b"", 0, b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"content-type":
            content_type = value
        elif name == b"content-length":
            content_length = int(value)  # the server has checked it
        elif name == b"content-encoding":
            content_encoding = value
    return _Headers(authorization, content_type, content_length, content_encoding)


async def _read(call: Call, headers: _Headers, receive: Receive) -> bytes:
    """The body. Raises `Problem` if it is too large or of another type, `Disconnected`."""
    if headers.content_length > _MAX_DISCARDED_BYTES:
        raise _too_large(read=False)
    raw, size, more = b"", 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size <= MAX_BODY_BYTES:
            raw += part
        elif size > _MAX_DISCARDED_BYTES:
            raise _too_large(read=False)
    if size > MAX_BODY_BYTES:
        raise _too_large(read=True)
    if raw or not call.body_is_optional:
        kind, _, parameters = headers.content_type.lower().partition(b";")
        charset = parameters.replace(b" ", b"").replace(b'"', b"")
        if (
            kind.strip() != b"application/json"
            or charset not in (b"", b"charset=utf-8")
            or headers.content_encoding.lower() not in (b"", b"identity")
        ):
            raise Problem(
                Code.MEDIA_TYPE,
                "The body must be plain JSON in UTF-8 with `Content-Type: application/json` and no "
                "content encoding. Nothing was changed.",
            )
    return raw


def _too_large(*, read: bool) -> Problem:
    return Problem(
        Code.TOO_LARGE,
        f"The body has more than {MAX_BODY_BYTES} bytes. Nothing was changed.",
        headers={} if read else {"connection": "close"},
    )


def _answer_to(
    error: Exception, route: str, *, repeatable: bool
) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers. Whoever kept the problem itself would keep all that its traceback
    holds, itself included, until the garbage collector comes by."""
    problem = _problem_of(error, route, repeatable=repeatable)
    return problem.status, problem.document(), problem.headers


def _problem_of(error: Exception, route: str, *, repeatable: bool = True) -> Problem:
    """What the caller is told of any exception."""
    again = (
        "Repeat it as it is: that is safe."
        if repeatable
        else "See whether it was done before you repeat it: it may be done twice."
    )
    match error:
        case Problem():
            return error
        case Refused():
            return problems.of_refused(error, of_trip="{trip}" in route)
        case NotSent():
            return Problem(
                Code.STORE_UNAVAILABLE,
                "The relay's store does not answer, so nothing was changed. Repeat the call as it "
                "is: that is safe.",
            )
        case StoreError():
            kind = error.kind if isinstance(error, StoreRefused) else type(error).__name__
            log.warning("api_store_error", route=route, kind=kind)
            return Problem(
                Code.STORE_UNAVAILABLE,
                "The relay's store did not answer as it should, so the call may or may not have "
                f"been done. {again}",
            )
        case KeyUnavailable():
            log.warning("api_key_unavailable", route=route)
            return Problem(
                Code.KEYS_UNAVAILABLE,
                "An encryption key that this call needs is not in the relay's key ring, so nothing "
                "was changed. Repeat the call as it is; if that goes on, `relay keyring rotate` "
                "makes the keys.",
            )
        case _:
            log.error("api_failed", route=route, error=type(error).__name__, at=_frames(error))
            return Problem(
                Code.INTERNAL,
                "The relay failed in a way that it should not; the call may or may not have been "
                f"done. Its log says where. {again}",
            )


def _frames(error: BaseException) -> list[str]:
    """Where an exception was raised, without its text: that may quote what a caller sent."""
    return [
        f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-2:])}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
