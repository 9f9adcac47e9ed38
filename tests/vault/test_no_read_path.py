"""There is no read path for numbers: nothing in the source could open a sealed one.

This reads the source of the whole package and holds it to a short list. It is a tripwire for a
change that brings a read path in, not a proof: whoever wants to get around it can. That what opens
other things does not open a sealed number is shown in ``test_numbers.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import relay

PACKAGE = Path(relay.__file__).parent

# Everything in the package that decrypts, and it decrypts data keys and messages.
DECRYPTING = {("vault/envelope.py", "unwrap"), ("vault/envelope.py", "MessageCipher.open")}
# Everything in the package that touches a number's digits. None returns them.
DIGITS = {
    ("vault/numbers.py", "PhoneNumber.__init__"),
    ("vault/numbers.py", "PhoneNumber.stands_in"),
    ("vault/numbers.py", "PhoneNumber._sealed_by"),
}
ENCRYPTING_MODULES = {"vault/envelope.py", "vault/numbers.py", "vault/tags.py"}


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


def test_only_data_keys_and_messages_are_ever_decrypted() -> None:
    assert decrypting(package()) == DECRYPTING


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
    assert encrypting(sources) - ENCRYPTING_MODULES == {"api/raw.py", "api/late.py"}
