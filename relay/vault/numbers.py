"""Phone numbers: how one comes in, what may be asked of it, and how it is put away for good.

A number can be sealed, a text can be searched for it, and a trip's guard can be made that keeps it
out of the messages. Those are the only three things that touch its digits, and all are in this
module. There is no read path, not for operators and not for the relay itself: a sealed number is
opened for the guard alone, in memory, while the channel is open, and the guard gives no digit back.

Numbers are not compared with each other either, and no hash of one is kept: the ten digits of a
mobile number are guessed from any hash in minutes.

Of a text that is meant to be something else (`reads_as_number`) nothing is made but a yes or no.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, NamedTuple, TypeVar, final

import phonenumbers
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.core.ids import Role
from relay.vault.binding import bind
from relay.vault.envelope import Unreadable
from relay.vault.opaque import Opaque
from relay.vault.ring import Key, KeyRing, Purpose

__all__ = [
    "SEALED_NUMBER_BYTES", "InvalidPhone", "PhoneNumber", "SealedNumber", "guarding",
    "reads_as_number", "seal_number",
]  # fmt: skip

Guard = TypeVar("Guard")

_GROUPED: Final = re.compile(r"\+?[0-9]+(?:[-_.:~ ()]+[0-9]+)*")
_HOME: Final = "ID"  # where a number is written without its country's code
_MOBILE: Final = frozenset({
    phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
})  # fmt: skip
_NO_DIGITS: Final = bytes(set(range(128)) - set(b"0123456789"))
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PADDED_BYTES: Final = 16  # a plus sign and at most 15 digits
_NONCE_BYTES: Final = 12
_SEARCHED_DIGITS: Final = 9
_ONE_DIGIT: Final = frozenset(map(float, range(10)))

SEALED_NUMBER_BYTES: Final = 4 + _NONCE_BYTES + _PADDED_BYTES + 16
"""The length of every sealed number: key id, nonce, padded number, tag."""


class InvalidPhone(ValueError):
    """The text isn't a phone number in the form asked for. Says so without a digit of it."""

    def __init__(self) -> None:
        super().__init__(
            "This is not a phone number that can be called from abroad, so nothing was stored. "
            "Send it in the international form: a plus sign, the country code, the number without "
            "the zero that is dialled inside the country; digits only."
        )


@final
class PhoneNumber(Opaque):
    """A valid phone number, made from E.164 text (``+``, country code, subscriber number).

    It does not print, format, pickle, copy or serialise, and two of the same number are not equal.
    Raises ``InvalidPhone`` for anything but the canonical text of a number that its country has
    assigned, by the numbering plans of phonenumberslite.
    """

    __slots__ = ("__e164", "__needle")

    __e164: str
    __needle: str

    def __init__(self, text: str) -> None:
        needle = _needle_of(text)
        if not needle:
            del text, needle  # a traceback that prints local variables must not show it
            raise InvalidPhone
        object.__setattr__(self, "_PhoneNumber__e164", text)
        object.__setattr__(self, "_PhoneNumber__needle", needle)

    def stands_in(self, text: str) -> bool:
        """Whether the number is written in the text, in any grouping, with or without its prefixes.

        Digits of every script count, as do full-width, circled and raised ones and CJK numerals;
        all else is dropped. Found is the national number, or its last nine digits where it has
        more. So a text may match by chance, about once in 10^8 for thirty digits, more often for a
        country's very short numbers. Words for digits and a
        number in reverse are not found.
        """
        if len(text) < len(self.__needle) and text.isascii():
            return False
        return self.__needle in _digits_of(text)

    def _sealed_by(self, key: Key, place: bytes, nonce: bytes) -> bytes:
        return AESGCM(key.material).encrypt(
            nonce, self.__e164.encode("ascii").ljust(_PADDED_BYTES, b"\0"), place
        )


def reads_as_number(text: str) -> bool:
    """Whether a whole text could be somebody's mobile number: as it is dialled in Indonesia, or
    with any country's code, in any grouping, with or without a plus sign.

    Fewer than nine digits do not, nor do those that no country has assigned to mobile phones; of
    other strings of ten to twelve digits one or two in ten do by chance.
    """
    if not _GROUPED.fullmatch(text):
        return False
    digits = _digits_of(text)
    if not 9 <= len(digits) <= 17:  # with the two zeros that are dialled before a country's code
        return False
    abroad = "+" + digits.removeprefix("00")
    return _is_mobile(abroad, None) or _is_mobile(digits, _HOME)


def _is_mobile(text: str, region: str | None) -> bool:
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(parsed) in _MOBILE


def seal_number(
    key: Key, number: PhoneNumber, *, trip: str, epoch: int, role: Role, nonce: bytes
) -> bytes:
    """Encrypt a party's number for good: ``SEALED_NUMBER_BYTES`` bytes, however long the number.

    ``key`` is the current one for numbers, ``nonce`` 12 random bytes that are used once. Trip,
    epoch, role and key are authenticated with it. Raises ``ValueError``.
    """
    if key.purpose is not Purpose.NUMBERS:
        raise ValueError(f"a number is sealed by a key for {Purpose.NUMBERS}")
    if len(nonce) != _NONCE_BYTES:
        raise ValueError(f"a nonce is {_NONCE_BYTES} random bytes, used once")
    place = _place(key.id, trip, epoch, role)
    return bytes.fromhex(key.id) + nonce + number._sealed_by(key, place, nonce)


class SealedNumber(NamedTuple):
    """A party's number as it is stored. ``epoch`` is the one in which the party came in."""

    sealed: bytes
    trip: str
    epoch: int
    role: Role


def guarding(
    ring: KeyRing, numbers: Iterable[SealedNumber], make: Callable[[tuple[str, ...]], Guard]
) -> Guard:
    """Make what watches over these numbers: ``make`` gets their digits in E.164, without the plus.

    Only what ``make`` gives back leaves this function, so it must be a thing that tells no digit.
    Raises ``KeyUnavailable`` when a key is gone, ``Unreadable`` for anything but an intact number
    of that place.
    """
    return make(tuple(_digits(ring, number) for number in numbers))


def _digits(ring: KeyRing, number: SealedNumber) -> str:
    sealed, trip, epoch, role = number
    if len(sealed) != SEALED_NUMBER_BYTES:
        raise Unreadable
    key = ring.get(Purpose.NUMBERS, sealed[:4].hex())
    nonce, rest = sealed[4 : 4 + _NONCE_BYTES], sealed[4 + _NONCE_BYTES :]
    try:
        padded = AESGCM(key.material).decrypt(nonce, rest, _place(key.id, trip, epoch, role))
    except InvalidTag:
        raise Unreadable from None
    return padded.rstrip(b"\0").decode("ascii").removeprefix("+")


def _place(key_id: str, trip: str, epoch: int, role: Role) -> bytes:
    return bind("relay number 1", key_id, trip, epoch, role.value, "phone")


def _needle_of(text: str) -> str:
    """The digits that a text is searched for; none if it isn't a valid number."""
    if not _E164.fullmatch(text):
        return ""
    return (_as_usual(text) or _as_any(text))[-_SEARCHED_DIGITS:]


def _as_usual(text: str) -> str:
    """The national number of a mobile phone, as nearly all are. What is none may be valid all the
    same, but to tell that takes eight times as long."""
    for start in range(2, 5):
        if plan := _mobile_plan(text[1:start]):
            national = text[start:]
            return national if plan.fullmatch(national) else ""
    return ""


@cache
def _mobile_plan(calling_code: str) -> re.Pattern[str] | None:
    """What mobile numbers are like after this calling code, where it is one. Of countries that
    share it that is the main one, which the library asks first.

    What begins with what is only dialled inside the country is left to the library, which takes it
    away from some and not from others.
    """
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code), ())
    plan = phonenumbers.PhoneMetadata.metadata_for_region(regions[0]) if regions else None
    if plan is None or plan.leading_digits is not None:
        return None
    mobile = plan.fixed_line if plan.same_mobile_and_fixed_line_pattern else plan.mobile
    kinds = [kind for kind in (plan.general_desc, mobile) if kind and kind.national_number_pattern]
    if len(kinds) < 2:
        return None
    inside = plan.national_prefix_for_parsing
    conditions = [f"(?!{inside})"] if inside else []
    for kind in kinds:
        conditions.append(rf"(?=(?:{kind.national_number_pattern})\Z)")
        if kind.possible_length:
            lengths = "|".join(f"[0-9]{{{length}}}" for length in kind.possible_length)
            conditions.append(rf"(?=(?:{lengths})\Z)")
    return re.compile("".join(conditions) + "[0-9]*")


def _as_any(text: str) -> str:
    """The national number of any valid one; else nothing."""
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(parsed):
        return ""
    if phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != text:
        return ""
    return phonenumbers.national_significant_number(parsed)


def _digits_of(text: str) -> str:
    if text.isascii():
        return text.encode().translate(None, _NO_DIGITS).decode()
    # First to the compatible form: it takes a circled twelve apart into a one and a two.
    values = [unicodedata.numeric(char, -1.0) for char in unicodedata.normalize("NFKC", text)]
    return "".join(str(int(value)) for value in values if value in _ONE_DIGIT)
