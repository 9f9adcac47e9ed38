"""A connection for one report and nothing else: it takes no seat, and works after the close too."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..core.codes import CloseCode, CloseReason
from ..core.session import RemoteProtocolError, Session, Side, State
from .backoff import reconnect_delay_s
from .connection import NO_CLOSE_FRAME, Ending, Token
from .errors import AttachRefused, ReportRefused
from .events import Closed
from .frames import BadFrame, Frame, decode, field, pack
from .reports import read_answer
from .wire import open_socket

#: The relay answers within milliseconds; on a connection that does not, the report is sent again.
ANSWER_TIMEOUT_S: Final = 10.0


async def send_report(
    url: str, token: Token, frame: Frame, *, tls: ssl.SSLContext | None, rng: Callable[[], float]
) -> None:
    """Send a report until the relay has taken it. Raises `AttachRefused` or `ReportRefused`."""
    tries = 0
    while (ending := await _one_connection(url, token, frame, tls)) is not None:
        if ending.code == CloseCode.TOKEN_EXPIRED and token.can_renew:
            token.expire()
        elif ending.is_final or ending.code == CloseCode.TOKEN_EXPIRED:
            code = None if ending.code == NO_CLOSE_FRAME else ending.code
            raise AttachRefused(Closed(ending.reason, code))
        await asyncio.sleep(reconnect_delay_s(tries, ending.advised_ms, rng))
        tries += 1


async def _one_connection(
    url: str, token: Token, frame: Frame, tls: ssl.SSLContext | None
) -> Ending | None:
    """Connect once. Gives None if the report was taken, else why the connection is over."""
    try:
        text = await token.value()
    except Exception as error:  # noqa: BLE001 - the application's code; its words may be secret
        return Ending.broken(f"no token ({type(error).__name__})")
    try:
        socket = await open_socket(url, tls)
    except (OSError, WebSocketException) as error:
        return Ending.of(error)
    session = Session(Side.APP)
    try:
        session.send("attach")
        session.only_to_report()
        await socket.send(pack({"op": "attach", "token": text, "report_only": True}))
        while True:
            heard = await _hear(socket, session)
            if heard["op"] == "attached":
                break
            if heard["op"] == "closed":
                return Ending(_code_of(heard), "the channel closed", final_reason=_reason(heard))
        return await _until_taken(socket, session, frame)
    except (ConnectionClosed, TimeoutError) as error:
        return Ending.of(error)
    except (BadFrame, RemoteProtocolError) as error:
        await socket.close(CloseCode.PROTOCOL_ERROR)
        return Ending.broken(f"the relay broke the protocol: {error}")
    finally:
        await socket.close()


async def _until_taken(socket: ClientConnection, session: Session, frame: Frame) -> Ending | None:
    while True:
        session.send("report")
        await socket.send(pack(frame))
        while True:
            heard = await _hear(socket, session)
            if heard["op"] == "closed":
                return Ending(_code_of(heard), "the channel closed", final_reason=_reason(heard))
            if heard["op"] not in ("reported", "not_reported"):
                continue
            report_id, answer = read_answer(heard)
            if report_id == frame["id"]:
                break
        if not answer.code:
            return None
        if answer.retry_after_s is None:
            raise ReportRefused(answer.code, answer.message)
        await asyncio.sleep(answer.retry_after_s)


async def _hear(socket: ClientConnection, session: Session) -> Frame:
    """The next frame of an op that is known. Raises `TimeoutError` and what reading raises."""
    while True:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            frame = decode(await socket.recv())
        try:
            session.receive(frame["op"])
        except RemoteProtocolError as error:
            if not error.unknown:
                raise
            continue  # of a later version
        if session.state is State.REPORTING or frame["op"] in ("attached", "closed"):
            return frame


def _reason(closed: Frame) -> str:
    return field(closed, "reason", str)


def _code_of(closed: Frame) -> int:
    gone = _reason(closed) == CloseReason.REASSIGNED
    return CloseCode.REASSIGNED if gone else CloseCode.CHANNEL_CLOSED
