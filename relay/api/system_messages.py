"""Messages from the platform into a trip's channel, guarded and sealed like the parties' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import structlog
from msgspec import UNSET

from ..core.body import MAX_TEXT_CHARS, Body, pack_body, problem_with, system_body, unpack_body
from ..core.frames import MAX_TEXT_BYTES
from ..core.lifecycle import State
from ..guard import Entry, Memory, Policy
from ..guard.gate import may_matter
from ..store.records import After, position, time_ms
from ..store.store import Store
from ..trip_guard import trip_guard
from ..vault.envelope import NONCE_BYTES, MessageCipher, unwrap
from ..vault.ring import KeyRing
from .auth import KeyScope
from .calls import Answer, Asked, Call
from .problems import Code, Problem, invalid, no_trip, refused
from .types import PostSystemMessage, SystemMessage

log = structlog.get_logger(__name__)

#: The log's field that says from whom an entry is and, if not for both, for whom.
_SENDER: Final[dict[Literal["both", "driver", "customer"], str]] = {
    "both": "s",
    "driver": "sd",
    "customer": "sc",
}
_TRIES: Final = 4
_PAGE: Final = 256
#: The platform may well speak of codes and of paying; contacts it has no more to give than anybody.
_POLICY: Final = Policy({"otp_request": "off", "otp_code": "off", "solicit": "off"})


class SystemMessages:
    """The call `POST /v1/trips/{trip}/system-messages`."""

    def __init__(
        self,
        store: Store,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def calls(self) -> list[Call]:
        """Every call of this module."""
        return [
            Call(
                "POST", "/v1/trips/{trip}/system-messages", "postSystemMessage",
                "Post a message from the platform", self.post,
                {201: SystemMessage, 200: SystemMessage},
                "201 if it was stored now, 200 if a message of this id for the same recipients was "
                "there already. A text goes through the guard, which takes out what looks like a "
                "contact and is not in the trip's `allow`, without a word in this answer: it must "
                "not tell anybody which digits belong to a party. A template always passes.",
                frozenset({KeyScope.PLATFORM}), PostSystemMessage,
                codes=(
                    Code.NO_TRIP, Code.CLOSED, Code.KEYS_UNAVAILABLE, Code.GUARD_UNAVAILABLE,
                    Code.BUSY,
                ),
            )
        ]  # fmt: skip

    async def post(self, asked: Asked[PostSystemMessage]) -> Answer:
        trip, asks = asked.trip(), asked.body
        body = _body(asks)
        for _ in range(_TRIES):
            state, epoch, wrapped = await self._store.messages_key(trip)
            if state is None:
                raise no_trip()
            if state == State.CLOSED:
                raise refused("is_closed")
            cipher = MessageCipher(unwrap(self._ring(), wrapped, trip=trip), trip=trip, epoch=epoch)
            guarded, after = body, None
            if not body.key and may_matter(body.text):
                guarded, after = await self._guarded(trip, epoch, cipher, body)
            changed = guarded.text != body.text
            sealed = cipher.seal(
                "system", asks.id, pack_body(guarded), self._random_bytes(NONCE_BYTES)
            )
            outcome, entry, _n = await self._store.post(
                trip, epoch=epoch, sender=_SENDER[asks.to], post_id=asks.id, sealed=sealed,
                masked=changed, after=after,
            )  # fmt: skip
            if outcome in ("stored", "held"):
                return Answer(
                    201 if outcome == "stored" else 200,
                    SystemMessage(trip, epoch, asks.id, position(entry), time_ms(entry)),
                )
            if outcome not in ("epoch", "moved"):
                raise refused(outcome)
            # A party was reassigned, or spoke, between the two steps.
        raise Problem(
            Code.BUSY,
            "So much happened in this trip while the message was on its way that it was not "
            "stored. Repeat the call as it is.",
        )

    async def _guarded(
        self, trip: str, epoch: int, cipher: MessageCipher, body: Body
    ) -> tuple[Body, After]:
        """The message as the parties may see it, and after which entry that holds.

        The platform's own messages are remembered as a party's are, so that nobody with an API key
        can find out digits by posting guesses.
        """
        guard = await trip_guard(self._store, self._ring(), trip, _POLICY)
        memory = Memory(guard.masks_before if guard is not None else None)
        n, last = 0, ("o", "")
        head = b"0-0"
        while page := await self._store.log_page(trip, epoch, head, _PAGE):
            for head, fields in page:
                post_id, sender = fields[1].decode(), fields[2].decode()
                n, last = n + 1, (sender, post_id)
                if sender[0] == "s":
                    said = unpack_body(cipher.open("system", post_id, fields[3]))
                    if not said.key:
                        name = f"{sender}:{post_id}"
                        memory.feed(Entry(name, "s", said.text, time_ms(head), position(head)))
        if guard is None or n == 0:
            raise refused("is_closed")
        try:
            verdict = guard.guard.screen(memory, "s", body.text, self._now_ms())
        except Exception as error:  # noqa: BLE001 - whatever fails, the text must not pass
            log.error("guard_failed", error=type(error).__name__)
            raise Problem(
                Code.GUARD_UNAVAILABLE,
                "The text could not be checked, so it was not stored. Try again, or send one of "
                "the templates, which need no check.",
            ) from None
        return body._replace(text=verdict.text), After(n, *last)


def _body(asks: PostSystemMessage) -> Body:
    """The message as the platform means it. Raises `Problem`."""
    text, template = asks.text, asks.template
    if (text is UNSET) is (template is UNSET):
        raise invalid("text", "or `template` has to be given, and not both.")
    if template is not UNSET:
        return system_body(template)
    if text is UNSET or problem_with("text", text, None, None, MAX_TEXT_BYTES) is not None:
        raise invalid(
            "text",
            f"must be 1 to {MAX_TEXT_CHARS} characters, {MAX_TEXT_BYTES} bytes of UTF-8 at most, "
            "not only white space, with no control characters but line feed and tab.",
        )
    return Body("system", text)
