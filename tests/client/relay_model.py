"""One trip as PROTOCOL.md describes it, without sockets, clock or store; it can forget and repeat.

The tests drive SDK conversations through it directly, and over real sockets (`scripted_relay`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]

PEER_OF = {"driver": "customer", "customer": "driver"}
MASK = "•••"
NOTICE = "Talk in the app."
FOUND = {"class": "number", "rule": "plain", "length": 4}
AT_MS = 1_790_000_000_000


@dataclass(eq=False)
class End:
    """The relay's end of one connection. `on_out` is told when there is something to send."""

    out: deque[Frame] = field(default_factory=deque)
    role: str | None = None
    alive: bool = True
    on_out: Callable[[], None] = lambda: None

    def send(self, frame: Frame) -> None:
        if self.alive:
            self.out.append(frame)
            self.on_out()


@dataclass
class Entry:
    pos: str
    role: str
    post: Frame
    text: str  # as the peer gets it
    is_altered: bool = False


class RelayModel:
    """The channel of one trip. `in_log` and `history` are for the tests to look at."""

    def __init__(self) -> None:
        self.trip = "trip-1"
        self.epoch = 1
        self.state = "open"
        self.deadline = AT_MS + 3_600_000
        self.limits = {
            "ping_s": 25,
            "text_bytes": 200,
            "posts_per_s": 1000.0,
            "posts_burst": 1000,
            "in_flight": 16,
        }
        self.log: list[Entry] = []
        self.got = {"driver": "", "customer": ""}
        self.seen = {"driver": "", "customer": ""}
        self.seats: dict[str, End | None] = {"driver": None, "customer": None}
        self.parties = {"driver": "driver-1", "customer": "customer-1"}
        self.closed: str | None = None
        self.history: list[tuple[str, str, int]] = []  # (role, id, epoch) ever stored
        self._arrived: dict[tuple[int, str], set[str]] = {}  # of the logs that ended
        self._ms = self._clock = 0
        self.losses = 0
        self.redacts = ""  # what the guard takes out of a text, with a notice to the peer

    @property
    def head(self) -> str:
        return self.log[-1].pos if self.log else ""

    # --- connections ----------------------------------------------------------------------------

    def attach(self, end: End, role: str, frame: Frame) -> None:
        end.role = role
        if self.closed is not None:
            arrived = self._arrived.get((frame.get("epoch", 1), role), set())
            asked = [i for i in frame.get("pending", []) if i not in arrived]
            end.send(self._closed_frame(role, self.closed, asked))
            return
        self.seats[role] = end
        peer = PEER_OF[role]
        held = {entry.post["id"] for entry in self.log if entry.role == role}
        same = frame.get("epoch", 0) == self.epoch
        end.send(
            {
                "op": "attached",
                "trip": self.trip,
                "role": role,
                "epoch": self.epoch,
                "state": self.state,
                "deadline": self.deadline,
                "peer": {
                    "alias": self.parties[peer],
                    "online": self.seats[peer] is not None,
                    **({"got": self.got[peer]} if self.got[peer] else {}),
                    **({"seen": self.seen[peer]} if self.seen[peer] else {}),
                },
                "lost": [i for i in frame.get("pending", []) if same and i not in held],
                "limits": self.limits,
            }
        )
        after, after_id = frame.get("after"), frame.get("after_id")
        start = 0
        if same and after is not None:
            for number, entry in enumerate(self.log, start=1):
                if entry.pos == after and after_id in (None, entry.post["id"]):
                    start = number
        if start:
            self._receipt(role, {"op": "got", "pos": after, "epoch": self.epoch})
        for entry in self.log[start:]:
            end.send(self.message(entry, role))
        end.send({"op": "replayed"})

    def leave(self, end: End) -> None:
        end.alive = False
        if end.role is not None and self.seats[end.role] is end:
            self.seats[end.role] = None

    def message(self, entry: Entry, role: str) -> Frame:
        frame = {
            "op": "message",
            "pos": entry.pos,
            "id": entry.post["id"],
            "from": "you" if entry.role == role else "peer",
            "at": AT_MS,
            "kind": entry.post.get("kind", "text"),
            "text": entry.text,
            "tag": "tag",
        }
        if entry.is_altered and entry.role != role:
            frame["notices"] = [NOTICE]
        for name in ("lat", "lon", "key"):
            if name in entry.post:
                frame[name] = entry.post[name]
        return frame

    # --- what apps say --------------------------------------------------------------------------

    def take(self, end: End, frame: Frame) -> None:
        """Act on a frame of an attached app."""
        role = end.role
        assert role is not None
        match frame["op"]:
            case "post":
                answer = self.store(role, frame)
                if answer is not None:
                    end.send(answer)
            case "got" | "seen":
                self._receipt(role, frame)
            case "typing":
                self._tell(PEER_OF[role], {"op": "typing", "on": frame["on"]})

    def store(self, role: str, frame: Frame) -> Frame:
        """Store a post and deliver it. Returns the answer."""
        if self.closed is not None:
            return self.refused(frame, "closed")
        if frame["epoch"] != self.epoch:
            return self.refused(frame, "reassigned")
        entry = None
        if frame.get("again"):
            mine = (e for e in self.log if e.role == role and e.post["id"] == frame["id"])
            entry = next(mine, None)
        if entry is None:
            self._ms += 1
            entry = self._entry(f"{self._ms:013}-{self._clock:04}", role, frame)
            self.log.append(entry)
            self.history.append((role, frame["id"], self.epoch))
            self._tell(PEER_OF[role], self.message(entry, PEER_OF[role]))
        answer = {"op": "accepted", "id": frame["id"], "pos": entry.pos, "at": AT_MS, "tag": "tag"}
        return {**answer, "text": entry.text, "findings": [FOUND]} if entry.is_altered else answer

    def _entry(self, pos: str, role: str, frame: Frame) -> Entry:
        if frame.get("kind") == "quick":
            return Entry(pos, role, frame, f"the sentence of {frame['key']}")
        text = frame.get("text") or "a place"
        altered = text.replace(self.redacts, MASK) if self.redacts else text
        return Entry(pos, role, frame, altered, altered != text)

    def refused(self, frame: Frame, code: str, retry_after_ms: int = 0) -> Frame:
        retry = {"retry_after_ms": retry_after_ms} if retry_after_ms else {}
        return {"op": "refused", "id": frame["id"], "code": code, "message": "No.", **retry}

    def _receipt(self, role: str, frame: Frame) -> None:
        pos = frame["pos"]
        if pos > self.head or frame["epoch"] != self.epoch:
            return  # of a log that a failover forgot, or of an earlier pairing
        if pos > self.got[role]:
            self.got[role] = pos
            self._tell(PEER_OF[role], {"op": "got", "pos": pos})
        if frame["op"] == "seen" and pos > self.seen[role]:
            self.seen[role] = pos
            self._tell(PEER_OF[role], {"op": "seen", "pos": pos})

    def _tell(self, role: str, frame: Frame) -> None:
        end = self.seats[role]
        if end is not None:
            end.send(frame)

    # --- what happens to the channel ------------------------------------------------------------

    def lose_tail(self, count: int, *, same_places: bool = False) -> None:
        """Forget the last `count` entries, as a failover does, and let the clock go back a bit. What
        comes next may get the `same_places`: the store that took over may have had it meanwhile.

        Nobody may be attached: a relay that sees its store fail over drops its connections.
        """
        assert not any(self.seats.values())
        del self.log[len(self.log) - count :]
        self.losses += 1
        self._clock += not same_places
        self._ms = int(self.head.partition("-")[0] or 0)
        for role in self.got:
            self.got[role] = min(self.got[role], self.head)
            self.seen[role] = min(self.seen[role], self.head)

    def reassign(self, role: str, party: str) -> None:
        """Put another party into the seat of `role`."""
        gone, stays = self.seats[role], self.seats[PEER_OF[role]]
        if gone is not None:
            gone.send(self._closed_frame(role, "reassigned"))
            self.leave(gone)
        undelivered = self.undelivered(PEER_OF[role])
        self._end_log()
        self.epoch += 1
        self.parties[role] = party
        self.log.clear()
        self.got = dict.fromkeys(self.got, "")
        self.seen = dict.fromkeys(self.seen, "")
        if stays is not None:
            stays.send(
                {
                    "op": "reassigned",
                    "epoch": self.epoch,
                    "alias": party,
                    "undelivered": undelivered,
                }
            )

    def close(self, reason: str) -> None:
        for role, end in self.seats.items():
            if end is not None:
                end.send(self._closed_frame(role, reason))
        self.seats = dict.fromkeys(self.seats)
        self.closed = reason
        self._end_log()

    def _end_log(self) -> None:
        for role in self.seats:
            ids = {entry.post["id"] for entry in self.log if entry.role == role}
            self._arrived[self.epoch, role] = ids - {*self.undelivered(role)}

    def undelivered(self, role: str) -> list[str]:
        got = self.got[PEER_OF[role]]
        return [entry.post["id"] for entry in self.log if entry.role == role and entry.pos > got]

    def _closed_frame(self, role: str, reason: str, asked: Sequence[str] = ()) -> Frame:
        listed = self.undelivered(role)
        also = [post_id for post_id in asked if post_id not in listed]
        return {"op": "closed", "reason": reason, "undelivered": [*listed, *also]}
