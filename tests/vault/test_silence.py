"""What holds a number or a key shows none of it, however it is printed, encoded or crashed with."""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import logging
import os
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgpack
import msgspec
import pytest
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from relay.core.ids import Role
from relay.keyfile import KeyFile, KeyFileError, ring_text
from relay.live_ring import LiveRing
from relay.vault.envelope import DataKey, MessageCipher, wrap
from relay.vault.evidence import seal_evidence
from relay.vault.numbers import InvalidPhone, PhoneNumber, seal_number
from relay.vault.opaque import Opaque
from relay.vault.ring import BadKeyRing, Key, KeyRing, Purpose
from relay.vault.staff import seal_totp, sign_cookie
from relay.vault.tags import ReportTags
from relay.vault.tokens import (
    BadToken,
    new_api_key,
    new_party_token,
    parse_api_key,
    parse_party_token,
)

NOW_MS = 1_732_233_600_000
# In pieces, because a traceback also prints lines of this file.
DIGITS = "62812" + "34567" + "890"
RING = KeyRing().extended(NOW_MS, 0, os.urandom)
MATERIAL = [key.material for key in RING]
KEK = RING.current(Purpose.MESSAGES, NOW_MS)
DATA_MATERIAL = os.urandom(32)


def forms_of_number() -> list[str]:
    """The ways a number hides from a search for its text."""
    integer = int(DIGITS)
    pairs = " ".join(DIGITS[i : i + 2] for i in range(0, len(DIGITS), 2))
    return [
        DIGITS[-9:],
        DIGITS[:9],
        pairs,
        f"{integer:x}",
        integer.to_bytes(8, "little").hex(),
        integer.to_bytes(8, "big").hex(),
        repr(integer.to_bytes(8, "little"))[2:-1],
        *forms_of_bytes(DIGITS.encode()),
        *forms_of_bytes(("+" + DIGITS).encode()),
    ]


def forms_of_bytes(secret: bytes) -> list[str]:
    return [
        repr(secret)[2:-1],
        secret.hex(),
        secret.hex(" "),
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        ", ".join(map(str, secret)),
    ]


def holders() -> dict[str, tuple[Opaque, list[str]]]:
    """Each thing that holds a secret, with the forms its secret could take."""
    number = forms_of_number()
    keys = [form for material in MATERIAL for form in forms_of_bytes(material)]
    data = forms_of_bytes(DATA_MATERIAL)
    return {
        "PhoneNumber": (PhoneNumber("+" + DIGITS), number),
        "Key": (KEK, keys),
        "KeyRing": (RING, keys),
        "DataKey": (DataKey(DATA_MATERIAL), data),
        "MessageCipher": (MessageCipher(DataKey(DATA_MATERIAL), trip="t", epoch=1), data),
        "ReportTags": (ReportTags(RING.current(Purpose.REPORTS, NOW_MS)), keys),
    }


HOLDERS = holders()
each_holder = pytest.mark.parametrize(("holder", "forms"), HOLDERS.values(), ids=HOLDERS)


def crash(holder: Opaque) -> None:
    """Fail with the holder, and a few things that hold it, among the local variables."""
    inside = {"phone": holder, "list": [holder, (holder,)]}
    error = RuntimeError(f"while working on {holder}", holder)
    error.add_note(f"{inside}")
    raise error


def crash_report(error: BaseException, tb: TracebackType | None) -> str:
    """What crash reporters make of an exception: messages, locals, everything it is chained to."""
    report = traceback.TracebackException(type(error), error, tb, capture_locals=True)
    text = "".join(report.format())
    console = Console(file=io.StringIO(), width=500)
    console.print(Traceback.from_exception(type(error), error, tb, show_locals=True, extra_lines=0))
    text += console.file.getvalue()  # type: ignore[attr-defined]
    linked: list[BaseException | None] = [error]
    for link in linked:
        if link is not None:
            text += f"{link!r} {link.args!r} {vars(link)!r}"
            linked += [link.__cause__, link.__context__]
    return text


def attempts(holder: Opaque) -> Iterator[Callable[[], Any]]:
    """Ways in which it could come out by accident; each gives something to print, or fails."""
    yield lambda: (repr(holder), str(holder), ascii(holder))
    yield lambda: f"{holder}|{holder!r}|{holder!s}|{holder!a}|{holder:>60}|{holder:d}"
    yield lambda: "{0} {0:x} {0:,}".format(holder)  # noqa: UP032
    yield lambda: "%s %r" % (holder, holder)  # noqa: UP031
    yield lambda: "%d" % holder  # noqa: UP031
    yield lambda: [holder, {holder: holder}]
    yield lambda: pprint.pformat([holder])
    yield lambda: pretty_repr(holder)
    yield lambda: logging.LogRecord("x", 10, "x", 1, "%s %r", (holder, holder), None).getMessage()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield lambda protocol=protocol: pickle.dumps(holder, protocol)  # type: ignore[misc]
    yield lambda: copy.copy(holder)
    yield lambda: copy.deepcopy([holder])
    yield lambda: json.dumps(holder)
    yield lambda: json.dumps({"phone": holder}, default=str)
    yield lambda: json.dumps({"phone": holder}, default=vars)
    yield lambda: msgspec.json.encode(holder)
    yield lambda: msgspec.msgpack.encode([holder])
    yield lambda: msgspec.to_builtins(holder)
    yield lambda: msgspec.json.encode(holder, enc_hook=repr)
    yield lambda: msgpack.packb(holder)
    yield lambda: msgpack.packb(holder, default=str)
    yield lambda: dataclasses.asdict(holder)  # type: ignore[call-overload]
    yield lambda: vars(holder)
    yield holder.__getstate__
    yield holder.__reduce__
    yield lambda: bytes(holder)  # type: ignore[call-overload]
    yield lambda: int(holder)  # type: ignore[call-overload]
    yield lambda: dict(holder)  # type: ignore[call-overload]
    yield lambda: memoryview(holder)  # type: ignore[arg-type]
    yield lambda: crash(holder)


def shown(text: str, forms: list[str]) -> list[str]:
    return [form for form in forms if form in text]


@each_holder
def test_nothing_comes_out_by_accident(holder: Opaque, forms: list[str]) -> None:
    for attempt in attempts(holder):
        try:
            result = attempt()
        except Exception as error:  # noqa: BLE001
            # Without this test's own frame, in which the secret does stand.
            text = crash_report(error, error.__traceback__ and error.__traceback__.tb_next)
        else:
            text = f"{result} {result!r}"
            if isinstance(result, bytes):
                text += result.hex() + base64.b64encode(result).decode()
        assert not shown(text, forms)


@each_holder
def test_this_search_would_find_a_secret(holder: Opaque, forms: list[str]) -> None:
    """The same search, over what a holder would print if it were an ordinary object."""
    fields: dict[str, Any] = {}
    for cls in type(holder).__mro__:
        for name in getattr(cls, "__slots__", ()):
            mangled = f"_{cls.__name__}{name}" if name.startswith("__") else name
            fields[mangled] = getattr(holder, mangled)
    if isinstance(holder, KeyRing):
        fields = {key.id: key.material for key in holder}
    if isinstance(holder, MessageCipher | ReportTags):
        fields["material"] = DATA_MATERIAL if isinstance(holder, MessageCipher) else MATERIAL[-1]
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(fields)
    assert shown(crash_report(caught.value, None), forms)


@each_holder
def test_it_can_be_neither_changed_nor_extended(holder: Opaque, forms: list[str]) -> None:
    assert not hasattr(holder, "__dict__")
    for name in ("material", "id", "_aead", "anything"):
        with pytest.raises(AttributeError, match="immutable") as caught:
            setattr(holder, name, DIGITS)
        assert DIGITS not in str(caught.value)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(holder, name)


def test_a_subclass_without_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="__slots__"):
        type("Careless", (Opaque,), {})


@pytest.mark.parametrize("encoder", [msgspec.json.encode, msgspec.msgpack.encode, msgpack.packb])
def test_encoders_refuse_a_phone_number(encoder: Callable[[Any], bytes]) -> None:
    with pytest.raises(TypeError):
        encoder({"phone": PhoneNumber("+" + DIGITS)})


def test_repr_shows_what_helps() -> None:
    assert repr(PhoneNumber("+" + DIGITS)) == "PhoneNumber(****)"
    assert repr(KEK) == f"Key({KEK.id} messages {KEK.from_ms}..{KEK.until_ms})"
    for key in RING:
        assert key.id in repr(RING)
        assert f"{key.from_ms}..{key.until_ms}" in repr(RING)
    assert repr(KeyRing()) == "KeyRing(empty)"


def test_a_large_rings_repr_is_short() -> None:
    assert len(repr(KeyRing().extended(NOW_MS, 30 * 24 * 3_600_000, os.urandom))) < 500


# What is refused must not stand in the report of its refusal: not in the message, nor in the local
# variables of any frame of ours or of a library, nor in an exception that it is chained to.


def damaged() -> Any:
    document = RING.to_document()
    document["reports"][0]["until_ms"] = -1
    return document


def ring_file(folder: Path, text: str) -> KeyFile:
    path = folder / "ring.json"
    path.write_text(text)
    path.chmod(0o600)
    return KeyFile(path)


REFUSALS: dict[str, tuple[type[Exception], Callable[[Path], Any], list[str]]] = {
    "number with spaces": (
        InvalidPhone,
        lambda _: PhoneNumber("+" + DIGITS + " "),
        forms_of_number(),
    ),
    "number of no country": (
        InvalidPhone,
        lambda _: PhoneNumber("+999" + DIGITS[3:]),
        [DIGITS[3:]],
    ),
    "number too long": (
        InvalidPhone,
        lambda _: PhoneNumber("+" + DIGITS + "99"),
        forms_of_number(),
    ),
    "number with a zero": (
        InvalidPhone,
        lambda _: PhoneNumber("+" + DIGITS[:2] + "0" + DIGITS[2:]),
        [DIGITS[2:]],
    ),
    "number with a bad nonce": (
        ValueError,
        lambda _: seal_number(
            RING.current(Purpose.NUMBERS, NOW_MS),
            PhoneNumber("+" + DIGITS),
            trip="t",
            epoch=1,
            role=Role.DRIVER,
            nonce=b"",
        ),
        forms_of_number() + forms_of_bytes(MATERIAL[0]),
    ),
    "key too long": (
        BadKeyRing,
        lambda _: Key("0a1b2c3d", Purpose.NUMBERS, 0, 1, DATA_MATERIAL + b"x"),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "key with a bad span": (
        BadKeyRing,
        lambda _: Key("0a1b2c3d", Purpose.NUMBERS, 1, 1, DATA_MATERIAL),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "keys that are the same": (
        BadKeyRing,
        lambda _: KeyRing([KEK, KEK]),
        forms_of_bytes(KEK.material),
    ),
    "data key too long": (
        ValueError,
        lambda _: DataKey(DATA_MATERIAL + b"x"),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "wrapping with a bad nonce": (
        ValueError,
        lambda _: wrap(KEK, DataKey(DATA_MATERIAL), trip="t", nonce=b""),
        forms_of_bytes(DATA_MATERIAL) + forms_of_bytes(KEK.material),
    ),
    "evidence with a bad nonce": (
        ValueError,
        lambda _: seal_evidence(
            RING.current(Purpose.EVIDENCE, NOW_MS), DATA_MATERIAL, case="c", nonce=b""
        ),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "evidence under a messages' key": (
        ValueError,
        lambda _: seal_evidence(KEK, DATA_MATERIAL, case="c", nonce=bytes(12)),
        forms_of_bytes(DATA_MATERIAL) + forms_of_bytes(KEK.material),
    ),
    "second factor with a bad nonce": (
        ValueError,
        lambda _: seal_totp(
            RING.current(Purpose.STAFF, NOW_MS), DATA_MATERIAL, operator="o", nonce=b""
        ),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "session of too many bytes": (
        ValueError,
        lambda _: sign_cookie(RING.current(Purpose.STAFF, NOW_MS), DATA_MATERIAL),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "damaged document": (
        BadKeyRing,
        lambda _: KeyRing.from_document(damaged()),
        [form for material in MATERIAL for form in forms_of_bytes(material)],
    ),
    "damaged file": (
        KeyFileError,
        lambda folder: ring_file(folder, json.dumps(damaged())).read(),
        [form for material in MATERIAL for form in forms_of_bytes(material)],
    ),
    "file that is cut": (
        KeyFileError,
        lambda folder: ring_file(folder, ring_text(RING)[:-1]).read(),
        [form for material in MATERIAL for form in forms_of_bytes(material)],
    ),
    "damaged variable": (
        KeyFileError,
        lambda _: LiveRing.of_environment({"RELAY_KEYRING": json.dumps(damaged())}),
        [form for material in MATERIAL for form in forms_of_bytes(material)],
    ),
    "variable that is cut": (
        KeyFileError,
        lambda _: LiveRing.of_environment({"RELAY_KEYRING": ring_text(RING)[:-1]}),
        [form for material in MATERIAL for form in forms_of_bytes(material)],
    ),
    "token cut at the end": (
        BadToken,
        lambda _: parse_party_token(new_party_token("t", Role.DRIVER, DATA_MATERIAL[:16])[:-1]),
        forms_of_bytes(DATA_MATERIAL[:16]),
    ),
    "token for a bad trip": (
        ValueError,
        lambda _: new_party_token("-", Role.DRIVER, DATA_MATERIAL[:16]),
        forms_of_bytes(DATA_MATERIAL[:16]),
    ),
    "token of too many bytes": (
        ValueError,
        lambda _: new_party_token("t", Role.DRIVER, DATA_MATERIAL),
        forms_of_bytes(DATA_MATERIAL),
    ),
    "API key with a newline": (
        BadToken,
        lambda _: parse_api_key(new_api_key(DATA_MATERIAL[:20]) + "\n"),
        forms_of_bytes(DATA_MATERIAL[4:20]),
    ),
    "API key of too many bytes": (
        ValueError,
        lambda _: new_api_key(DATA_MATERIAL),
        forms_of_bytes(DATA_MATERIAL),
    ),
}


@pytest.mark.parametrize(("kind", "refused", "forms"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_refused_is_not_in_the_report(
    kind: type[Exception], refused: Callable[[Path], Any], forms: list[str], tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        refused(tmp_path)
    frames = caught.value.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next  # ours to hide is what happens in the relay, not in this test
    assert frames is not None
    assert not shown(crash_report(caught.value, frames), forms)
