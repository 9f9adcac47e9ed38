"""Messages from the platform into a trip's channel, sealed like those of the parties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ..core.body import pack_body, problem_with
from ..core.frames import MAX_TEXT_BYTES
from ..core.lifecycle import State
from ..store.store import Store, position, time_ms
from ..vault.envelope import NONCE_BYTES, MessageCipher, unwrap
from ..vault.ring import KeyRing
from .auth import KeyScope
from .calls import Answer, Asked, Call
from .problems import Code, Problem, invalid, no_trip, refused
from .types import PostSystemMessage, SystemMessage

#: The log's field that says from whom an entry is and, if not for both, for whom.
_SENDER: Final[dict[Literal["both", "driver", "customer"], str]] = {
    "both": "s",
    "driver": "sd",
    "customer": "sc",
}
_TRIES: Final = 2


class SystemMessages:
    """The call `POST /v1/trips/{trip}/system-messages`."""

    def __init__(
        self,
        store: Store,
        *,
        ring: Callable[[], KeyRing],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._ring = ring
        self._random_bytes = random_bytes

    def calls(self) -> list[Call]:
        """Every call of this module."""
        return [
            Call(
                "POST", "/v1/trips/{trip}/system-messages", "postSystemMessage",
                "Post a message from the platform", self.post,
                {201: SystemMessage, 200: SystemMessage},
                "201 if it was stored now, 200 if a message of this id for the same recipients was "
                "there already.",
                frozenset({KeyScope.PLATFORM}), PostSystemMessage,
                codes=(Code.NO_TRIP, Code.CLOSED, Code.KEYS_UNAVAILABLE, Code.BUSY),
            )
        ]  # fmt: skip

    async def post(self, asked: Asked[PostSystemMessage]) -> Answer:
        trip, body = asked.trip(), asked.body
        if problem_with("text", body.text, None, None, MAX_TEXT_BYTES) is not None:
            raise invalid(
                "text",
                f"must be 1 to {MAX_TEXT_BYTES} bytes of UTF-8, not only white space, with no "
                "control characters but line feed and tab.",
            )
        plaintext = pack_body("system", body.text)
        for _ in range(_TRIES):
            state, epoch, wrapped = await self._store.messages_key(trip)
            if state is None:
                raise no_trip()
            if state == State.CLOSED:
                raise refused("is_closed")
            cipher = MessageCipher(unwrap(self._ring(), wrapped, trip=trip), trip=trip, epoch=epoch)
            outcome, entry, _n = await self._store.post(
                trip,
                epoch=epoch,
                sender=_SENDER[body.to],
                post_id=body.id,
                sealed=cipher.seal("system", body.id, plaintext, self._random_bytes(NONCE_BYTES)),
                tell=True,
            )
            if outcome in ("stored", "held"):
                return Answer(
                    201 if outcome == "stored" else 200,
                    SystemMessage(trip, epoch, body.id, position(entry), time_ms(entry)),
                )
            if outcome != "epoch":
                raise refused(outcome)
            # A party was reassigned between the two steps: the message goes to the new pairing.
        raise Problem(
            Code.BUSY,
            "The parties of this trip changed again and again while the message was on its way, so "
            "it was not stored. Repeat the call as it is.",
        )
