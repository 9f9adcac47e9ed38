"""Whether a phone number can be found in bytes, in any of the forms a number hides in. Pure."""

from __future__ import annotations

import base64


def hides_in(data: bytes, phone: str) -> bool:
    """Whether the E.164 number, or the part of it that makes it callable at home, is in the data.

    Looked for as digits, as an integer of eight bytes (which is how a store keeps a string of
    digits), in hexadecimal and in base64 at each of its three alignments.
    """
    lowered = data.lower()
    return any(form in data for form in _forms(phone)) or any(
        form in lowered for form in _hexadecimal(phone)
    )


def _digits(phone: str) -> tuple[bytes, bytes]:
    digits = phone.removeprefix("+").encode()
    return digits, digits[-9:]


def _forms(phone: str) -> list[bytes]:
    whole, end = _digits(phone)
    forms = [end]
    for digits in (whole, whole[2:]):
        forms += [int(digits).to_bytes(8, "little"), int(digits).to_bytes(8, "big")]
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + end)
        # Six bits a character: only those between hold nothing of what stands beside the number.
        inner = coded[-(-shift * 8 // 6) : (shift + len(end)) * 8 // 6]
        forms += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return forms


def _hexadecimal(phone: str) -> list[bytes]:
    return [_digits(phone)[1].hex().encode()]
