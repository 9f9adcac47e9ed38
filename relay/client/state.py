"""What an app remembers between two runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .errors import StorageError
from .events import Finding, Post
from .frames import pack, unpack

#: 1 knew neither quick replies nor findings; up to 2 the keys of messages were those of one epoch.
_VERSION: Final = 3


class Refusal(NamedTuple):
    """Why the relay will never carry a post."""

    code: str
    message: str
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class SavedPost:
    """A post whose outcome the application may not know yet.

    `epoch` is the pairing it was written for, if one was known; `pos` where the log holds it, if it
    does; `refused` the relay's final answer.
    """

    post: Post
    epoch: int | None
    pos: str | None
    refused: Refusal | None = None


@dataclass(slots=True)
class SavedState:
    """All that survives a run. A fresh one knows nothing but its device."""

    device: str
    attempt: int = 0
    trip: str | None = None
    epoch: int | None = None
    after: str | None = None
    after_id: str | None = None
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
                "after_id": self.after_id,
                "seen": self.seen,
                "known": self.known,
                "outbox": [_packed(saved) for saved in self.outbox],
            }
        )

    @classmethod
    def read(cls, data: bytes) -> SavedState:
        """Read what `to_bytes` wrote. Raises `StorageError`."""
        try:
            state: Any = unpack(data)
            version = state.pop("v")
            if version not in (1, 2, _VERSION):
                raise ValueError
            if version < _VERSION:
                epoch = state.get("epoch") or 1
                state["known"] = [f"{epoch}/{key}" for key in state.get("known", ())]
            state["outbox"] = [_unpacked(*saved) for saved in state["outbox"]]
            return cls(**state)
        except Exception:  # noqa: BLE001 - whatever it is made of; its content is not for an error message
            raise StorageError(
                "The stored state cannot be read: it is damaged, or a later version of the SDK "
                "wrote it. Nothing was sent. Without it the app starts afresh: it gets all "
                "messages again and forgets posts that were not yet delivered."
            ) from None


def _packed(saved: SavedPost) -> list[Any]:
    post, refused = saved.post, None
    if saved.refused is not None:
        code, message, findings = saved.refused
        found = [[one.finding_class, one.rule, one.length] for one in findings]
        refused = [code, message, found]
    place = post.lat, post.lon
    return [post.id, post.kind, post.text, *place, saved.epoch, saved.pos, refused, post.key]


def _unpacked(
    post_id: str,
    kind: str,
    text: str | None,
    lat: float | None,
    lon: float | None,
    epoch: int | None,
    pos: str | None,
    refused: list[Any] | None,
    key: str | None = None,
) -> SavedPost:
    refusal = None
    if refused is not None:
        code, message, *found = refused
        refusal = Refusal(code, message, tuple(Finding(*one) for one in (found and found[0])))
    return SavedPost(Post(post_id, text, kind, lat, lon, key), epoch, pos, refusal)
