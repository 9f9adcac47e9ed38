"""What an app remembers between two runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from .errors import StorageError
from .events import Post
from .frames import pack, unpack

_VERSION: Final = 1


@dataclass(slots=True)
class SavedPost:
    """A post whose outcome the application may not know yet.

    `epoch` is the pairing it was written for, if one was known; `pos` where the log holds it, if it
    does; `refused` the relay's final (code, message).
    """

    post: Post
    epoch: int | None
    pos: str | None
    refused: tuple[str, str] | None = None


@dataclass(slots=True)
class SavedState:
    """All that survives a run. A fresh one knows nothing but its device."""

    device: str
    attempt: int = 0
    trip: str | None = None
    epoch: int | None = None
    after: str | None = None
    seen: str | None = None
    known: list[str] = field(default_factory=list, repr=False)
    outbox: list[SavedPost] = field(default_factory=list, repr=False)

    def to_bytes(self) -> bytes:
        """The state for a `Storage`."""
        return pack(
            {
                "v": _VERSION,
                "device": self.device,
                "attempt": self.attempt,
                "trip": self.trip,
                "epoch": self.epoch,
                "after": self.after,
                "seen": self.seen,
                "known": self.known,
                "outbox": [
                    [p.id, p.kind, p.text, p.lat, p.lon, saved.epoch, saved.pos, saved.refused]
                    for saved in self.outbox
                    for p in (saved.post,)
                ],
            }
        )

    @classmethod
    def read(cls, data: bytes) -> SavedState:
        """Read what `to_bytes` wrote. Raises `StorageError`."""
        try:
            state: Any = unpack(data)
            if state.pop("v") != _VERSION:
                raise ValueError
            state["outbox"] = [
                SavedPost(Post(post_id, text, kind, lat, lon), epoch, pos, refused and (*refused,))
                for post_id, kind, text, lat, lon, epoch, pos, refused in state["outbox"]
            ]
            return cls(**state)
        except Exception:  # noqa: BLE001 - whatever it is made of; its content is not for an error message
            raise StorageError(
                "The stored state cannot be read: it is damaged, or a later version of the SDK "
                "wrote it. Nothing was sent. Without it the app starts afresh: it gets all "
                "messages again and forgets posts that were not yet delivered."
            ) from None
