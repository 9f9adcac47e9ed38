"""What can go wrong for an application, in words that say what to do."""

from __future__ import annotations

from typing import Final

from .events import Closed, Finding

_WORDS: Final = {
    "ended": "the trip has ended",
    "expired": "the channel's time is over",
    "closed": "the service closed the channel",
    "reassigned": "this party no longer belongs to the trip",
    "taken_over": "the party attached from another device; offer the person to continue here",
    "bad_token": "the token is unknown or was revoked; ask your backend for the state of the trip",
    "token_expired": "the token is too old; connect again with a new one from your backend, "
    "or give `connect` a callable that fetches one",
    "bad_frame": "the relay could not read what this app sent: a bug, please report it",
    "unsupported": "the relay cannot serve this version of the app; update it, "
    "and check the gateway's address",
    "wrong_trip": "the token is for another trip than the storage; give each trip its own",
    "no_gateway": "there is no gateway at this address (HTTP 404)",
    "left": "the application left the channel",
}


class RelayError(Exception):
    """Any error of this package."""


class ChannelClosed(RelayError):
    """The channel is over for this app. `closed` tells why, with the close code."""

    def __init__(self, closed: Closed) -> None:
        words = _WORDS.get(closed.reason, "the relay ended the connection for good")
        code = "" if closed.code is None else f", code {closed.code}"
        super().__init__(
            f"Nothing more can be posted or received: {words} ({closed.reason}{code})."
        )
        self.closed = closed


class AttachRefused(ChannelClosed):
    """The relay never let this app attach."""


class PostRefused(RelayError):
    """The relay will not carry this post; this is final. `findings` are those of `Refused`."""

    def __init__(
        self, post_id: str, code: str, message: str, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(f"The post {post_id} was refused ({code}): {message}")
        self.post_id = post_id
        self.code = code
        self.findings = findings


class ReportRefused(RelayError):
    """The relay will not take this report; this is final."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"The report was not taken ({code}): {message}")
        self.code = code


class HandedBack(RelayError):
    """The party opposite changed before this post was delivered; it reaches nobody."""

    def __init__(self, post_id: str) -> None:
        super().__init__(
            f"The post {post_id} was not delivered: another party sits opposite now. "
            "Ask the person before posting it again."
        )
        self.post_id = post_id


class OutboxFull(RelayError):
    """Too many posts wait for the peer's confirmation."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The outbox holds {limit} posts that the peer has not confirmed, as many as a channel "
            "can carry; this one was not taken. Post again when some have been delivered."
        )


class StorageError(RelayError):
    """The storage could not be read or written."""
