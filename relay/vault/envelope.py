"""Envelope encryption of messages: a data key for each trip, wrapped by a key of the ring.

That is a key for messages, or one for evidence while a legal hold keeps the trip's messages from
being destroyed.

AES-256-GCM throughout (NIST SP 800-38D). A wrapped data key is ``key id (4 bytes) + nonce (12) +
ciphertext and tag (48)``; a sealed message is ``nonce (12) + ciphertext and tag (16 more than the
plaintext)``.

What is authenticated with each names its place: a message that is moved to another trip, epoch,
sender or post id, and a data key that is moved to another trip, do not open. Neither opens as the
other, nor as a phone number, because the label that comes first differs.

Nonces are random and come from the caller, who must never use one twice. A data key sees the
messages of one trip and a wrapping key the trips of one day: both far from the 2^32 for which
random nonces are good.
"""

from __future__ import annotations

from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.vault.binding import SENDERS, Sender, bind
from relay.vault.opaque import Opaque
from relay.vault.ring import KEY_BYTES, Key, KeyRing, Purpose

__all__ = [
    "NONCE_BYTES",
    "DataKey",
    "MessageCipher",
    "Unreadable",
    "unwrap",
    "wrap",
    "wrapping_key_id",
]

NONCE_BYTES: Final = 12
_KEY_ID_BYTES: Final = 4
_TAG_BYTES: Final = 16
_WRAPPING: Final = (Purpose.MESSAGES, Purpose.EVIDENCE)
#: How the place of a sender's messages ends.
_ENDS: Final = {sender: bind(letter, "body") for sender, letter in SENDERS.items()}
_WRAPPED_BYTES: Final = _KEY_ID_BYTES + NONCE_BYTES + KEY_BYTES + _TAG_BYTES


class Unreadable(Exception):
    """A ciphertext that does not open here: damaged, altered, or from another place."""


@final
class DataKey(Opaque):
    """The 32 secret bytes under which one trip's messages are sealed. Raises ``ValueError``."""

    __slots__ = ("material",)

    material: bytes

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            del material
            raise ValueError(f"a data key is {KEY_BYTES} bytes")
        object.__setattr__(self, "material", material)


def wrap(kek: Key, data_key: DataKey, *, trip: str, nonce: bytes) -> bytes:
    """Encrypt a trip's data key under a key for messages or evidence. Raises ``ValueError``."""
    if kek.purpose not in _WRAPPING:
        raise ValueError(f"a data key is wrapped by a key for {' or '.join(_WRAPPING)}")
    _check_nonce(nonce)
    sealed = AESGCM(kek.material).encrypt(nonce, data_key.material, _wrapping_place(kek, trip))
    return bytes.fromhex(kek.id) + nonce + sealed


def wrapping_key_id(wrapped: bytes) -> str:
    """The id of the ring's key under which a data key was wrapped."""
    return wrapped[:_KEY_ID_BYTES].hex()


def unwrap(ring: KeyRing, wrapped: bytes, *, trip: str) -> DataKey:
    """Decrypt a trip's data key with the key that its envelope names.

    Raises ``KeyUnavailable`` if that key is no longer (or not yet) in the ring, ``Unreadable`` if
    this is not the data key of that trip.
    """
    if len(wrapped) != _WRAPPED_BYTES:
        raise Unreadable("A trip's stored data key has the wrong length, so it can't be read.")
    key_id = wrapping_key_id(wrapped)
    held = ring.purpose_of(key_id) is Purpose.EVIDENCE
    kek = ring.get(Purpose.EVIDENCE if held else Purpose.MESSAGES, key_id)
    nonce = wrapped[_KEY_ID_BYTES : _KEY_ID_BYTES + NONCE_BYTES]
    sealed = wrapped[_KEY_ID_BYTES + NONCE_BYTES :]
    try:
        return DataKey(AESGCM(kek.material).decrypt(nonce, sealed, _wrapping_place(kek, trip)))
    except InvalidTag:
        pass
    raise Unreadable("A trip's stored data key is damaged or belongs to another trip.")


@final
class MessageCipher(Opaque):
    """Seals and opens the messages of one epoch of one trip. One for each channel on a node.

    The cipher and the associated data up to the post id are made once, which takes some 3 KiB. A
    call then costs about 1 us for a short message (0.8 to 1.4 on one machine), most of it AES-GCM.
    """

    __slots__ = ("_aead", "_places", "epoch", "trip")

    trip: str
    epoch: int
    _aead: AESGCM
    _places: dict[str, bytes]

    def __init__(self, data_key: DataKey, *, trip: str, epoch: int) -> None:
        object.__setattr__(self, "trip", trip)
        object.__setattr__(self, "epoch", epoch)
        object.__setattr__(self, "_aead", AESGCM(data_key.material))
        place = bind("relay message 1", trip, epoch)
        object.__setattr__(self, "_places", {sender: place + end for sender, end in _ENDS.items()})

    def _public(self) -> str:
        return f"{self.trip} epoch {self.epoch}"

    def seal(self, sender: Sender, post_id: str, plaintext: bytes, nonce: bytes) -> bytes:
        """Encrypt a message; 28 bytes longer than the plaintext. Raises ``ValueError``."""
        if len(nonce) != NONCE_BYTES:
            _check_nonce(nonce)
        # The post id comes last and the rest has its lengths, so it needs none to be unambiguous.
        return nonce + self._aead.encrypt(nonce, plaintext, self._places[sender] + post_id.encode())

    def open(self, sender: Sender, post_id: str, sealed: bytes) -> bytes:
        """Decrypt a message that ``seal`` made with the same arguments. Raises ``Unreadable``."""
        try:
            return self._aead.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._places[sender] + post_id.encode()
            )
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            pass
        raise Unreadable("A stored message is damaged or belongs in another place of the log.")


def _wrapping_place(kek: Key, trip: str) -> bytes:
    return bind("relay data key 1", kek.purpose.value, kek.id, trip)


def _check_nonce(nonce: bytes) -> None:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce is {NONCE_BYTES} random bytes, used once")
