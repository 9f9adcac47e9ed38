"""How one connection ends, and what that asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from inspect import isawaitable
from typing import Final, TypeAlias

from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

from ..core.codes import CloseCode, CloseReason, advised_delay_ms, may_reconnect
from .backoff import ADVICE_CAP_S

TokenSource: TypeAlias = str | Callable[[], str | Awaitable[str]]

#: RFC 6455, section 7.1.5: the code of a connection that ended without a close frame.
NO_CLOSE_FRAME: Final = 1006


class Token:
    """The party's token: fetched when it is needed, shown nowhere."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._value: str | None = None

    def __repr__(self) -> str:
        return "Token(****)"

    @property
    def can_renew(self) -> bool:
        return callable(self._source)

    def expire(self) -> None:
        """Fetch another one next time."""
        self._value = None

    async def value(self) -> str:
        """The token. Raises what the callable raises, `TypeError` if it gives no string."""
        if self._value is None:
            value = self._source() if callable(self._source) else self._source
            if isawaitable(value):
                value = await value
            if not isinstance(value, str) or not value:
                raise TypeError("the token is no string, or an empty one")
            self._value = value
        return self._value


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is over. `cause` is for people. `advised_ms` is meant for this app, while
    `at_least_s` was told to all alike."""

    code: int
    cause: str
    advised_ms: int | None = None
    final_reason: str = ""
    at_least_s: float = 0.0

    @property
    def is_final(self) -> bool:
        return bool(self.final_reason) or not may_reconnect(self.code)

    @property
    def reason(self) -> str:
        """The word for it in `Closed.reason`, where it is final."""
        if self.final_reason:
            return self.final_reason
        if self.code == CloseCode.CHANNEL_CLOSED:
            return CloseReason.CLOSED  # the frame that tells more did not come
        try:
            return CloseCode(self.code).name.lower()
        except ValueError:
            return f"code_{self.code}"

    @classmethod
    def broken(cls, cause: str) -> Ending:
        """Without a close frame of the relay's."""
        return cls(NO_CLOSE_FRAME, cause)

    @classmethod
    def of(cls, error: BaseException) -> Ending:
        """From what opening, sending or receiving raised."""
        match error:
            case InvalidStatus() if error.response.status_code == HTTPStatus.NOT_FOUND:
                return cls(NO_CLOSE_FRAME, "HTTP 404", final_reason="no_gateway")
            case NegotiationError():
                return cls(CloseCode.UNSUPPORTED, "the gateway does not speak this protocol")
            case InvalidStatus():
                told = error.response.headers.get("Retry-After", "")
                # Else a date, which a phone's clock may be wrong about.
                at_least_s = float(told) if told.isascii() and told.isdigit() else 0.0
                cause = f"HTTP {error.response.status_code}"
                return cls(NO_CLOSE_FRAME, cause, at_least_s=min(at_least_s, ADVICE_CAP_S))
            case ConnectionClosed():
                return cls._of_close(error)
        return cls.broken(f"no connection ({type(error).__name__})")

    @classmethod
    def _of_close(cls, error: ConnectionClosed) -> Ending:
        received = error.rcvd
        if received is None:
            return cls.broken("the connection broke off")
        if error.rcvd_then_sent is False and received.code < CloseCode.DRAINING:
            # The answer to our own close frame; a code of the relay's own would have crossed it.
            return cls.broken("the connection was given up")
        name = received.reason.partition(";")[0]
        return cls(
            received.code,
            f"closed by the relay ({received.code} {name})".replace(" )", ")"),
            advised_delay_ms(received.reason),
        )
