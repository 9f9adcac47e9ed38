"""The style, the script and the icon: each at an address that holds its hash, so that browsers keep
it for good and fetch it anew when it has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Static(NamedTuple):
    """One file; `path` is its whole address."""

    path: str
    content: bytes
    media_type: str


def load_statics() -> dict[str, Static]:
    """Every static file by its name."""
    found = {}
    for file in sorted(_FOLDER.iterdir()):
        if file.suffix in _MEDIA_TYPES:
            content = file.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            found[file.name] = Static(
                f"/ops/static/{version}/{file.name}", content, _MEDIA_TYPES[file.suffix]
            )
    return found
