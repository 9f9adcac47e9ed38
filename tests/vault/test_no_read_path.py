"""There is no read path for numbers: only the guard gets a sealed one opened, and tells no digit.

This reads the source of the whole package and holds it to a short list. It is a tripwire for a
change that brings a read path in, not a proof: whoever wants to get around it can. That what opens
other things does not open a sealed number is shown in ``test_numbers.py``.
"""

from __future__ import annotations

import ast
import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import relay
from relay.guard import Guard

PACKAGE = Path(relay.__file__).parent

# Everything in the package that decrypts: data keys, messages, the evidence of cases, operators'
# second factors, and numbers for the guard. Numbers have one opener, in a module of their own.
DECRYPTING = {
    ("vault/evidence.py", "open_evidence"),
    ("vault/staff.py", "open_totp"),
    ("vault/envelope.py", "unwrap"),
    ("vault/envelope.py", "MessageCipher.open"),
    ("vault/numbers.py", "_digits"),
}
# Where opened numbers go.
GUARDING = {("trip_guard.py", "<module>"), ("trip_guard.py", "trip_guard")}
# Everything in the package that touches a number's digits. None returns them.
DIGITS = {
    ("vault/numbers.py", "PhoneNumber.__init__"),
    ("vault/numbers.py", "PhoneNumber.stands_in"),
    ("vault/numbers.py", "PhoneNumber._sealed_by"),
}
ENCRYPTING_MODULES = {
    "vault/checkpoints.py", "vault/envelope.py", "vault/evidence.py", "vault/numbers.py",
    "vault/staff.py",
}  # fmt: skip


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Each function with its qualified name, and what is outside of all of them as ``<module>``."""

    def within(node: ast.AST, path: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{path}.{child.name}".lstrip(".")
                if not isinstance(child, ast.ClassDef):
                    yield name, child
                yield from within(child, name)
            else:
                yield path or "<module>", child
                yield from within(child, path)

    return within(tree, "")


def words(node: ast.AST) -> Iterator[str]:
    """The names and texts that one node itself holds."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.alias):
        yield node.name


def places(sources: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every word of the package with the file and the function it stands in."""
    for file, source in sources.items():
        for function, node in functions(ast.parse(source)):
            for word in words(node):
                yield file, function, word


def package() -> dict[str, str]:
    return {
        str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")
    }


def decrypting(sources: dict[str, str]) -> set[tuple[str, str]]:
    return {
        (file, function)
        for file, function, word in places(sources)
        if word in {"decrypt", "decrypt_into", "decryptor"}
    }


def touching_digits(sources: dict[str, str]) -> set[tuple[str, str]]:
    return {
        (file, function)
        for file, function, word in places(sources)
        if word in {"__e164", "__needle", "_PhoneNumber__e164", "_PhoneNumber__needle"}
        if function != "PhoneNumber"  # the declaration of the slots
    }


def opening(sources: dict[str, str]) -> set[tuple[str, str]]:
    return {
        (file, function)
        for file, function, word in places(sources)
        if file == "vault/numbers.py" and word == "_digits"
    }


def guarding(sources: dict[str, str]) -> set[tuple[str, str]]:
    return {
        (file, function)
        for file, function, word in places(sources)
        if file != "vault/numbers.py" and word == "guarding"
    }


def encrypting(sources: dict[str, str]) -> set[str]:
    """The files that import a library for encryption."""
    return {
        file
        for file, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for word in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        if word and word.split(".")[0] in {"cryptography", "Crypto", "Cryptodome", "nacl"}
    }


def test_nothing_else_is_ever_decrypted() -> None:
    assert decrypting(package()) == DECRYPTING


def test_what_decrypts_asks_for_keys_of_its_own_purpose() -> None:
    """Only the numbers' module names the numbers' keys, so nothing else finds one to open with."""
    named = {
        file
        for file, _, word in places(package())
        if file.startswith("vault/") and word in {"NUMBERS", "numbers"}
    }
    assert named == {"vault/numbers.py", "vault/ring.py"}


def test_opened_numbers_go_to_the_guard_and_nowhere_else() -> None:
    assert opening(package()) == {("vault/numbers.py", "guarding")}
    assert guarding(package()) == GUARDING


def test_the_guard_gives_no_digit_back() -> None:
    """What `trip_guard` makes of the numbers: nothing that shows, copies or stores them."""
    made = Guard("ID", ("6281234567890", "6285711122233"))
    shown = repr(made) + str(made) + repr(vars(type(made)))
    assert not any(run in shown for run in ("234567", "711122"))
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            take(made)


def test_only_sealing_and_searching_touch_a_numbers_digits() -> None:
    assert touching_digits(package()) == DIGITS


def test_only_the_vault_encrypts() -> None:
    assert encrypting(package()) == ENCRYPTING_MODULES


def test_what_searches_or_seals_returns_no_digits() -> None:
    tree = ast.parse((PACKAGE / "vault/numbers.py").read_text("utf-8"))
    returned = {name: node.returns for name, node in functions(tree) if hasattr(node, "returns")}
    for _, name in DIGITS:
        assert ast.unparse(returned[name]) in {"None", "bool", "bytes"}


def test_the_tripwire_sees_a_read_path() -> None:
    """Ways to bring one in, each seen."""
    sources = package()
    sources["api/numbers.py"] = (
        "class Disclosure:\n"
        "    async def reveal(self, key, sealed):\n"
        "        return (lambda aead: aead.decrypt(sealed[4:16], sealed[16:], b''))(key)\n"
    )
    assert decrypting(sources) - DECRYPTING == {("api/numbers.py", "Disclosure.reveal")}
    sources["api/phones.py"] = "def text(phone):\n    return getattr(phone, '_PhoneNumber__e164')\n"
    assert touching_digits(sources) - DIGITS == {("api/phones.py", "text")}
    sources["api/raw.py"] = "from cryptography.hazmat.primitives import ciphers\n"
    sources["api/late.py"] = "def f():\n    import cryptography.fernet as c\n    return c\n"
    sources["api/peek.py"] = (
        "from ..vault.numbers import guarding\n"
        "def peek(ring, sealed):\n    return guarding(ring, [sealed], lambda digits: digits)\n"
    )
    assert guarding(sources) - GUARDING == {("api/peek.py", "<module>"), ("api/peek.py", "peek")}
    assert encrypting(sources) - ENCRYPTING_MODULES == {"api/raw.py", "api/late.py"}
