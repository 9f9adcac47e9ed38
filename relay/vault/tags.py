"""Report tags: proof of what a message said, which outlives the message.

Each message goes to the apps with a tag, a keyed BLAKE2b (RFC 7693, section 2.9; 128 bits) over
its place in the log and its text. When a party reports it, perhaps after the message has been
destroyed, the tag shows that the relay did deliver this text there from that sender, and that the
reporter has not altered a word of it. Only the relay can make or check one, so it proves nothing to
an outsider and gives nothing away.

The text form is ``<key id>.<22 characters of base64url>``.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from typing import Final, final

from relay.vault.binding import SENDERS, Sender, bind
from relay.vault.opaque import Opaque
from relay.vault.ring import Key, KeyRing, Purpose

__all__ = ["ReportTags", "channel_place", "verify_tag"]

_TAG: Final = re.compile(r"([0-9a-f]{8})\.[A-Za-z0-9_-]{22}")
_TAG_BYTES: Final = 16
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def channel_place(trip: str, epoch: int) -> bytes:
    """What the tags of one epoch of a channel have in common; make it once."""
    return bind("relay report tag 2", trip, epoch)


@final
class ReportTags(Opaque):
    """Makes tags under one report key. One for each node: it serves all channels.

    It keeps the hash's keyed state and copies it for each tag. That costs half of an HMAC-SHA256,
    which was used at first. Raises ``ValueError`` if the key is not one for reports.
    """

    __slots__ = ("_keyed", "_prefix", "key_id")

    key_id: str
    _keyed: hashlib.blake2b
    _prefix: str

    def __init__(self, key: Key) -> None:
        if key.purpose is not Purpose.REPORTS:
            raise ValueError(f"a tag is made by a key for {Purpose.REPORTS}")
        object.__setattr__(self, "key_id", key.id)
        object.__setattr__(self, "_prefix", key.id + ".")
        object.__setattr__(
            self, "_keyed", hashlib.blake2b(key=key.material, digest_size=_TAG_BYTES)
        )

    def _public(self) -> str:
        return self.key_id

    def sign(self, place: bytes, pos: str, post_id: str, sender: Sender, text: str) -> str:
        """The tag of a message: ``place`` is its channel's, ``text`` is what the peer was shown."""
        code = self._keyed.copy()
        # The two lengths, the one letter and the text at the end make this unambiguous.
        rest = f"{len(pos)} {len(post_id)} {SENDERS[sender]}{pos}{post_id}{text}"
        code.update(place + rest.encode("utf-8", "surrogatepass"))
        cut = binascii.b2a_base64(code.digest(), newline=False)[:22]
        return self._prefix + cut.translate(_URL_SAFE).decode("ascii")


def verify_tag(
    ring: KeyRing, tag: str, place: bytes, pos: str, post_id: str, sender: Sender, text: str
) -> bool:
    """Whether the relay gave out this tag for this message; as slow for every wrong tag.

    Raises ``KeyUnavailable`` if the report key it names isn't in the ring: then nothing is proven
    either way. A tag that has not the form of one is false.
    """
    named = _TAG.fullmatch(tag)
    if named is None:
        return False
    genuine = ReportTags(ring.get(Purpose.REPORTS, named[1])).sign(
        place, pos, post_id, sender, text
    )
    return hmac.compare_digest(genuine, tag)
