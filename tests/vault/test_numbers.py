"""Phone numbers: only real ones come in, a written one is found, a sealed one is only ciphertext.

The tests that decrypt do it with the cryptography library and an encoding written out here: the
relay opens a number for its guard alone.
"""

from __future__ import annotations

import os

import phonenumbers
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.ids import Role
from relay.vault.envelope import DataKey, MessageCipher, Unreadable, unwrap
from relay.vault.evidence import open_evidence
from relay.vault.numbers import (
    SEALED_NUMBER_BYTES,
    InvalidPhone,
    PhoneNumber,
    SealedNumber,
    guarding,
    reads_as_number,
    seal_number,
)
from relay.vault.ring import Key, KeyRing, KeyUnavailable, Purpose
from relay.vault.staff import open_totp

NOW_MS = 1_732_233_600_000
RING = KeyRing().extended(NOW_MS, 3_600_000, os.urandom)
KEY = RING.current(Purpose.NUMBERS, NOW_MS)

INDONESIAN = "+6281234567890"


def examples() -> list[str]:
    """A valid mobile number of every region that has one."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if number is not None:
            found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return found


EXAMPLES = examples()


def place(key: Key, trip: str, epoch: int, role: Role) -> bytes:
    fields = ["relay number 1", key.id, trip, str(epoch), role.value, "phone"]
    return "".join(f"{len(field)}:{field}" for field in fields).encode()


def decrypted(sealed: bytes, key: Key, trip: str, epoch: int, role: Role) -> bytes:
    assert sealed[:4].hex() == key.id
    return AESGCM(key.material).decrypt(sealed[4:16], sealed[16:], place(key, trip, epoch, role))


def test_numbers_of_every_country_are_accepted_and_sealed_to_one_length() -> None:
    for text in EXAMPLES:
        sealed = seal_number(
            KEY, PhoneNumber(text), trip="t", epoch=1, role=Role.DRIVER, nonce=os.urandom(12)
        )
        assert len(sealed) == SEALED_NUMBER_BYTES == 48
        assert decrypted(sealed, KEY, "t", 1, Role.DRIVER) == text.encode().ljust(16, b"\0")


def test_the_examples_differ_in_length() -> None:
    """Or the test above would say little."""
    assert len(EXAMPLES) > 200
    assert {len(text) for text in EXAMPLES} >= {9, 10, 11, 12, 13, 14}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "6281234567890",
        "081234567890",
        "0081234567890",
        "+0081234567890",
        "+62 812 3456 7890",
        "+62-81234567890",
        " +6281234567890",
        "+6281234567890 ",
        "+6281234567890\n",
        "++6281234567890",
        "+62081234567890",  # the zero of inside the country
        "+628123",
        "+62812345678901234",
        "+9991234567890",  # no such country
        "+12125550",
        "+15555550100",  # no such area
        "+62\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",
        "\uff0b6281234567890",
        "+6281234567890;ext=5",
        "tel:+6281234567890",
        "+628123456789O",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhone):
        PhoneNumber(text)


def accepted_by_the_library(text: str) -> bool:
    """Whether it is the one E.164 text of a valid number, as the library goes about it."""
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed) and text == phonenumbers.format_number(
        parsed, phonenumbers.PhoneNumberFormat.E164
    )


def kinds_of_examples() -> list[str]:
    """Valid numbers of every kind of every region, and of those that belong to none."""
    found = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in range(11)
    ]
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    found += [phonenumbers.example_number_for_non_geo_entity(code) for code in codes]
    return [
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for number in found
        if number is not None
    ]


@settings(max_examples=500)
@given(
    st.sampled_from(kinds_of_examples()), st.integers(2, 15), st.integers(0, 3),
    st.from_regex(r"[0-9]{0,4}", fullmatch=True),
)  # fmt: skip
def test_accepted_is_what_the_library_accepts(text: str, at: int, out: int, put: str) -> None:
    text = text[:at] + put + text[at + out :]
    try:
        PhoneNumber(text)
        accepted = True
    except InvalidPhone:
        accepted = False
    assert accepted == (7 <= len(text[1:]) <= 15 and accepted_by_the_library(text))


@given(st.one_of(st.text(max_size=20), st.from_regex(r"\+?[0-9]{0,17}", fullmatch=True)))
def test_a_refusal_shows_no_digit(text: str) -> None:
    refusal = None
    try:
        PhoneNumber(text)
    except InvalidPhone as error:
        refusal = error
    if refusal is not None:
        assert not any(character.isdigit() for character in str(refusal) + repr(refusal))
        assert refusal.__cause__ is refusal.__context__ is None


@given(
    st.tuples(st.text("a1:.", max_size=3), st.sampled_from([1, 2, 12]), st.sampled_from(Role)),
    st.tuples(st.text("a1:.", max_size=3), st.sampled_from([1, 2, 12]), st.sampled_from(Role)),
)
def test_a_sealed_number_belongs_to_its_place(
    here: tuple[str, int, Role], there: tuple[str, int, Role]
) -> None:
    trip, epoch, role = here
    sealed = seal_number(
        KEY, PhoneNumber(INDONESIAN), trip=trip, epoch=epoch, role=role, nonce=os.urandom(12)
    )
    if here == there:
        assert decrypted(sealed, KEY, *there).startswith(INDONESIAN.encode())
    else:
        with pytest.raises(InvalidTag):
            decrypted(sealed, KEY, *there)


def test_a_sealed_number_belongs_to_its_key() -> None:
    sealed = seal_number(
        KEY, PhoneNumber(INDONESIAN), trip="t", epoch=1, role=Role.DRIVER, nonce=os.urandom(12)
    )
    namesake = Key(KEY.id, KEY.purpose, KEY.from_ms, KEY.until_ms, os.urandom(32))
    with pytest.raises(InvalidTag):
        decrypted(sealed, namesake, "t", 1, Role.DRIVER)
    renamed = Key("ffffffff", KEY.purpose, KEY.from_ms, KEY.until_ms, KEY.material)
    with pytest.raises(InvalidTag):
        decrypted(bytes.fromhex("ffffffff") + sealed[4:], renamed, "t", 1, Role.DRIVER)


@given(st.integers(32, SEALED_NUMBER_BYTES * 8 - 1))
def test_no_bit_of_a_sealed_number_can_be_changed(bit: int) -> None:
    sealed = bytearray(
        seal_number(
            KEY, PhoneNumber(INDONESIAN), trip="t", epoch=1, role=Role.DRIVER, nonce=bytes(12)
        )
    )
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidTag):
        decrypted(bytes(sealed), KEY, "t", 1, Role.DRIVER)


@given(st.sampled_from(Role), st.text("a1:", max_size=3), st.sampled_from([1, 2]))
def test_what_opens_data_keys_and_messages_does_not_open_a_number(
    role: Role, trip: str, epoch: int
) -> None:
    """Not even someone who uses the numbers' key in the place of a messages' or data key."""
    sealed = seal_number(
        KEY, PhoneNumber(INDONESIAN), trip=trip, epoch=epoch, role=role, nonce=os.urandom(12)
    )
    cipher = MessageCipher(DataKey(KEY.material), trip=trip, epoch=epoch)
    for post_id in ("", "phone", KEY.id):
        with pytest.raises(Unreadable):
            cipher.open(role, post_id, sealed[4:])
    with pytest.raises(Unreadable):
        unwrap(RING, sealed, trip=trip)
    misused = KeyRing([Key(KEY.id, Purpose.MESSAGES, KEY.from_ms, KEY.until_ms, KEY.material)])
    with pytest.raises(Unreadable):
        unwrap(misused, sealed + bytes(16), trip=trip)
    with pytest.raises(KeyUnavailable):
        unwrap(RING, sealed + bytes(16), trip=trip)


def test_what_opens_evidence_and_second_factors_does_not_open_a_number() -> None:
    """Nor with the numbers' key under another purpose."""
    sealed = seal_number(
        KEY, PhoneNumber(INDONESIAN), trip="t", epoch=1, role=Role.DRIVER, nonce=os.urandom(12)
    )
    misused = Key(KEY.id, Purpose.EVIDENCE, KEY.from_ms, KEY.until_ms, KEY.material)
    with pytest.raises(KeyUnavailable):
        open_evidence(RING, sealed, case="t")
    with pytest.raises(Unreadable):
        open_evidence(KeyRing([misused]), sealed, case="t")
    misused = Key(KEY.id, Purpose.STAFF, KEY.from_ms, KEY.until_ms, KEY.material)
    with pytest.raises(KeyUnavailable):
        open_totp(RING, sealed, operator="t")
    with pytest.raises(Unreadable):
        open_totp(KeyRing([misused]), sealed, operator="t")


def test_the_guard_gets_the_digits_and_only_what_it_makes_of_them_comes_out() -> None:
    sealed = [
        SealedNumber(
            seal_number(
                KEY, PhoneNumber(text), trip="t", epoch=epoch, role=role, nonce=os.urandom(12)
            ),
            "t", epoch, role,
        )
        for text, epoch, role in (
            (INDONESIAN, 2, Role.DRIVER), ("+12025550123", 1, Role.CUSTOMER),
        )
    ]  # fmt: skip
    seen: list[tuple[str, ...]] = []
    assert guarding(RING, sealed, lambda digits: seen.append(digits) or "made") == "made"
    assert seen == [("6281234567890", "12025550123")]
    driver = sealed[0]
    for moved in (
        driver._replace(trip="u"), driver._replace(epoch=1), driver._replace(role=Role.CUSTOMER),
        driver._replace(sealed=driver.sealed[:-1] + bytes([driver.sealed[-1] ^ 1])),
        driver._replace(sealed=driver.sealed[:-1]), driver._replace(sealed=b""),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            guarding(RING, [moved], seen.append)
    with pytest.raises(KeyUnavailable):
        guarding(KeyRing(), [driver], seen.append)
    assert len(seen) == 1


@pytest.mark.parametrize("purpose", [Purpose.MESSAGES, Purpose.REPORTS])
def test_only_a_numbers_key_seals(purpose: Purpose) -> None:
    with pytest.raises(ValueError, match="numbers"):
        seal_number(
            RING.current(purpose, NOW_MS),
            PhoneNumber(INDONESIAN),
            trip="t",
            epoch=1,
            role=Role.DRIVER,
            nonce=bytes(12),
        )


@pytest.mark.parametrize("length", [0, 8, 11, 13])
def test_a_nonce_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        seal_number(
            KEY, PhoneNumber(INDONESIAN), trip="t", epoch=1, role=Role.DRIVER, nonce=bytes(length)
        )


def test_two_of_the_same_number_are_not_equal() -> None:
    """So that no code can tell by comparing whether a guess was right."""
    one, same = PhoneNumber(INDONESIAN), PhoneNumber(INDONESIAN)
    assert one != same
    assert len({one, same}) == 2
    with pytest.raises(TypeError):
        assert one < same  # type: ignore[operator]


# Where each script's digit zero is; digits follow in order.
ZEROS = {
    "ascii": 0x30,
    "arabic": 0x660,
    "persian": 0x6F0,
    "devanagari": 0x966,
    "thai": 0xE50,
    "javanese": 0xA9D0,
    "full width": 0xFF10,
    "bold": 0x1D7CE,
    "monospace": 0x1D7F6,
}


@pytest.mark.parametrize("zero", ZEROS.values(), ids=ZEROS)
def test_a_number_in_any_script_is_found(zero: int) -> None:
    text = "".join(chr(zero + int(digit)) for digit in "081234567890")
    assert PhoneNumber(INDONESIAN).stands_in(f"call {text} now")


@pytest.mark.parametrize(
    "text",
    [
        INDONESIAN,
        "6281234567890",
        "081234567890",
        "81234567890",
        "0062 812-3456-7890",
        "(0812) 3456.7890",
        "driver_0812_3456_7890",
        "0 8 1 2 3 4 5 6 7 8 9 0",
        "0\u20e38\u20e31\u20e32\u20e33\u20e34\u20e35\u20e36\u20e37\u20e38\u20e39\u20e30\u20e3",
        "0\u200b812\u20603456\u00ad7890",
        "\u24ea\u2467\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468\u24ea",
        "\u2070\u2078\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u2070",
        "\u246b34567890",  # a circled twelve
        "\u3007\u516b\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u3007",
        "234567890",  # the last nine
        "x" * 10_000 + "234567890",
        "http://wa.me/6281234567890?text=hi",
    ],
)
def test_a_number_in_any_style_is_found(text: str) -> None:
    assert PhoneNumber(INDONESIAN).stands_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Budi",
        "B 1234 XYZ",
        "34567890",  # the last eight
        "+6281234567891",
        "081234567809",
        "2024-11-22T01:02:03.456789Z",
        "098765432180",
        "23456789",
        "\u00bd" * 20,
    ],
)
def test_what_is_not_the_number_is_not_found(text: str) -> None:
    assert not PhoneNumber(INDONESIAN).stands_in(text)


@given(st.sampled_from(EXAMPLES), st.data())
def test_however_it_is_grouped_it_is_found(text: str, data: st.DataObject) -> None:
    gaps = st.text(st.characters(exclude_categories=["Nd", "Nl", "No", "Lo", "Cs"]), max_size=3)
    zeros = st.sampled_from(list(ZEROS.values()))
    national = phonenumbers.national_significant_number(phonenumbers.parse(text, None))
    written = data.draw(st.text(max_size=5))
    for digit in national[-9:] if data.draw(st.booleans()) else national:
        written += chr(data.draw(zeros) + int(digit)) + data.draw(gaps)
    assert PhoneNumber(text).stands_in(written + data.draw(st.text(max_size=5)))


@given(st.text("0123456789+- ", max_size=40))
def test_nothing_is_found_that_does_not_stand_there(text: str) -> None:
    digits = "".join(character for character in text if character.isdigit())
    assert PhoneNumber(INDONESIAN).stands_in(text) == ("234567890" in digits)


def test_a_shorter_national_number_is_searched_for_whole() -> None:
    number = PhoneNumber("+6581234567")
    assert number.stands_in("8123 4567")
    assert not number.stands_in("123 4567")


# --- what is typed in the place of something else -------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "081234567890", "6281234567890", "81234567890", "+6281234567890", "006281234567890",
        "62-812-3456-7890", "0812.3456.7890", "62812~34567890", "6591234567", "447400123456",
        *(number.removeprefix("+") for number in EXAMPLES if len(number) > 9),
    ],
)  # fmt: skip
def test_a_mobile_number_reads_as_one_however_it_is_written(text: str) -> None:
    assert reads_as_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "drv-1", "7", "1234567", "29051234", "20261122000123", "100000000001", "202611220001",
        "drv081234567890", "081234567890x", "0812345678901234567890", "0-8-1-2", "62" * 32,
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    ],
)  # fmt: skip
def test_what_no_mobile_phone_has_does_not(text: str) -> None:
    assert not reads_as_number(text)
