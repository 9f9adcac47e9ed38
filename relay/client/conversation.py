"""One party's side of the protocol: what a frame means and what to say next. Pure.

No socket, no clock, no storage: `now_s` (seconds of one monotonic clock) and `unix_ms` are given
in, frames come in and go out as maps. `Channel` drives it; the tests drive two of them through a
relay that drops, repeats and forgets.
"""

from __future__ import annotations

from typing import Final

from ..core.session import RemoteProtocolError, Session, Side, State
from .events import Closed, Event
from .frames import Frame
from .ledger import FINAL_CODES, READERS, Ledger
from .state import SavedState

#: The relay answers `attach` or closes; a connection on which it does neither is given up.
ATTACH_TIMEOUT_S: Final = 10.0

#: Receipts are cumulative and `typing` is only the last word: two frames each 0.15 s at most stay
#: below the 20 a second that the relay allows.
SIGNAL_INTERVAL_S: Final = 0.15

#: The peer forgets after 10 s that we type, so saying it more often would tell nothing.
TYPING_INTERVAL_S: Final = 3.0

_KINDS: Final = ("text", "location", "quick", "system")


class Conversation:
    """A `Ledger`, and the connection it is carried by at present."""

    def __init__(self, saved: SavedState, *, in_flight: int = 1, auto_got: bool = True) -> None:
        self.ledger = Ledger(saved, in_flight=in_flight, auto_got=auto_got)
        self._device = saved.device
        self._session: Session | None = None
        self._opened_s = 0.0
        self._typing: bool | None = None  # to be told
        self._typing_at_s = 0.0  # when it may be told next that we type
        self._signal_at_s = 0.0

    @property
    def is_attached(self) -> bool:
        """Whether posts and receipts may be said now."""
        return self._session is not None and self._session.state in (State.REPLAYING, State.LIVE)

    @property
    def is_live(self) -> bool:
        """Whether all that was missed has been replayed."""
        return self.is_attached and self.ledger.outbox.is_replayed

    @property
    def is_over(self) -> bool:
        """Whether the channel has closed, or this app has to stop."""
        return self.ledger.closed is not None

    def typing(self, on: bool) -> None:
        """Tell the peer, if there is a connection now."""
        if self.is_attached:
            self._typing = on

    def connect(self, unix_ms: int, now_s: float, app: str) -> Frame:
        """Begin a connection: the `attach` frame, but for the token."""
        ledger = self.ledger
        self._session = Session(Side.APP)
        self._session.send("attach")
        self._opened_s = now_s
        ledger.inbox.attach()
        ledger.attempt = max(ledger.attempt + 1, unix_ms)
        ledger.changed = True
        frame: Frame = {
            "op": "attach",
            "device": self._device,
            "attempt": ledger.attempt,
            "kinds": _KINDS,
        }
        if app:
            frame["app"] = app
        if ledger.epoch is not None:
            frame["epoch"] = ledger.epoch
            frame["pending"] = ledger.outbox.pending(ledger.epoch)
            if ledger.inbox.after is not None:
                frame["after"] = ledger.inbox.after
                if ledger.inbox.after_id is not None:
                    frame["after_id"] = ledger.inbox.after_id
        return frame

    def receive(self, frame: Frame, now_s: float) -> list[Event]:
        """Take in one frame and say what the application is to be told.

        Raises `BadFrame` or `RemoteProtocolError` if the relay breaks the protocol, and `WrongTrip`
        if it serves another trip than the ledger is of. The connection is of no use then.
        """
        if self._session is None:
            return []
        op = frame["op"]
        try:
            self._session.receive(op)
        except RemoteProtocolError as error:
            if error.unknown:
                return []  # of a later version
            raise
        read = READERS.get(op)
        return [] if read is None else read(self.ledger, frame, now_s)

    def dropped(self) -> None:
        """Note that the connection is gone."""
        self._session = None
        self._typing = None
        self.ledger.outbox.dropped()
        self.ledger.reports.dropped()

    def stop(self, reason: str, code: int | None) -> Closed:
        """End for good without a `closed` frame."""
        ledger = self.ledger
        if code in FINAL_CODES:
            return ledger.close(reason, code, [])
        ledger.closed = Closed(reason, code, kept=tuple(ledger.outbox.posts()))
        return ledger.closed

    # --- what to send ---------------------------------------------------------------------------

    def due(self, now_s: float) -> list[Frame]:
        """The frames to send now, which count as sent from here on."""
        if self._session is None or not self.is_attached:
            return []
        frames = self.signals(now_s) if now_s >= self._signal_at_s else []
        more = self.ledger.outbox.due(now_s) + self.ledger.reports.due(now_s)
        for frame in more:
            self._session.send(frame["op"])
        return frames + more

    def signals(self, now_s: float) -> list[Frame]:
        """Receipts and `typing`, without regard to their pace."""
        if self._session is None or not self.is_attached:
            return []
        frames = self.ledger.inbox.due(self.ledger.epoch)
        if self._typing is False or (self._typing and now_s >= self._typing_at_s):
            frames.append({"op": "typing", "on": self._typing})
            if self._typing:
                self._typing_at_s = now_s + TYPING_INTERVAL_S
            self._typing = None
        for frame in frames:
            self._session.send(frame["op"])
        if frames:
            self._signal_at_s = now_s + SIGNAL_INTERVAL_S
        return frames

    def due_at_s(self) -> float | None:
        """When to ask `due` and `is_stalled` again if nothing happens before; None for never."""
        if self._session is None:
            return None
        if self._session.state is State.ATTACHING:
            return self._opened_s + ATTACH_TIMEOUT_S
        if not self.is_attached:
            return None
        times = [self.ledger.outbox.due_at_s(), self.ledger.reports.due_at_s()]
        if self.ledger.inbox.is_due or self._typing is False:
            times.append(self._signal_at_s)
        elif self._typing:
            times.append(max(self._signal_at_s, self._typing_at_s))
        return min((time for time in times if time is not None), default=None)

    def is_stalled(self, now_s: float) -> bool:
        """Tell whether the relay owes an answer for too long, so that only a new one helps."""
        if self._session is None:
            return False
        if self._session.state is State.ATTACHING:
            return now_s >= self._opened_s + ATTACH_TIMEOUT_S
        return self.ledger.outbox.unanswered(now_s) or self.ledger.reports.unanswered(now_s)
