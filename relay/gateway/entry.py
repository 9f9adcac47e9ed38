"""One message of a log, and the frame that shows it to a party."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from ..core.body import Body
from ..core.frames import Message
from ..core.ids import Role
from ..guard.notices import notice_text
from ..vault.envelope import Unreadable

#: What a stored message that is damaged raises when it is opened.
UNREADABLE: Final = (Unreadable, ValueError, struct.error)


class Entry(NamedTuple):
    """One message of the log.

    `pos` and `at_ms` are what its `id` says, `sender` is the letter it is stored under; see
    `addressed_to`. `sign` makes the tag of a text of this entry.
    """

    id: bytes
    pos: str
    at_ms: int
    sender: str
    post_id: str
    body: Body
    tag: str
    sign: Callable[[str], str]

    def tag_in(self, locale: str) -> str:
        """The tag of the text that a reader with this locale gets."""
        return self.sign(self.body.text_in(locale)) if self.body.key else self.tag

    def addressed_to(self, role: Role) -> bool:
        """Whether `role` is to be shown it: what a party wrote and, of the platform's messages,
        those for both or for this role."""
        return self.sender[0] != "s" or self.sender in ("s", "s" + role.letter)

    def frame_for(self, role: Role, locale: str) -> Message:
        """The message as `role` is told, whose language `locale` names."""
        if self.sender[0] == "s":
            sender = "system"
        else:
            sender = "you" if self.sender == role.letter else "peer"
        body = self.body
        message = Message(
            self.pos, self.post_id, sender, self.at_ms, body.kind, body.text_in(locale),
            self.tag_in(locale), body.lat, body.lon, body.key or None,
        )  # fmt: skip
        if body.notices and sender != "you":
            message.notices = [notice_text(notice, locale) for notice in body.notices]
        return message
