"""What every command that calls the relay's API does: take the key, make the call, say what failed.

The key is never taken from the command line, which every user of the machine can read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .api import Api, ApiError
from .confidential import secret
from .output import MISUSED, fail


def api_of(url: str, key_file: Path | None) -> Api:
    """The API at this address, called with the key of the file or of the environment."""
    key = secret("API key", option="--api-key-file", file=key_file, variable="RELAY_API_KEY")
    if not key.isascii() or not key.isprintable():
        fail("the API key holds characters that no key has", MISUSED)
    try:
        return Api(url, key)
    except ValueError as error:
        fail(f"--url: {error}", MISUSED)


def called(
    api: Api, method: str, path: str, body: dict[str, Any] | None = None, *, repeatable: bool = True
) -> Any:
    """The answer to a call; a refusal becomes one line."""
    try:
        return api.call(method, path, body, repeatable=repeatable)
    except ApiError as error:
        fail(str(error))
