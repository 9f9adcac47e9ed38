"""Every word of the console, in English and Indonesian.

The keys are the pages' own; those that end in a word of a closed set (`reason.safety`) hold all of
its members. Names in braces are filled in by the page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal, get_args

from markupsafe import Markup, escape

from ..core.ids import Role
from .catalogue import CATALOGUE

Locale = Literal["en", "id"]
LOCALES: Final[tuple[Locale, ...]] = get_args(Locale)

_MONTHS: Final[dict[Locale, tuple[str, ...]]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
}

_ID: Final = Markup('{}<span class="id">{}</span>')
_ROLES: Final[dict[str, str]] = {role.letter: role.value for role in Role}


def chosen(accept_language: str) -> Locale:
    """The language of ours that a browser asks for first; English if it asks for neither."""
    for part in accept_language.split(","):
        # The order is the preference in what browsers send.
        tag = part.partition(";")[0].strip().lower().partition("-")[0]
        if tag in ("id", "in"):
            return "id"
        if tag == "en":
            return "en"
    return "en"


class Words:
    """The catalogue in one language; called with a key it gives the text."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self._index = LOCALES.index(locale)

    def __call__(self, key: str, **values: object) -> str:
        """The text, escaped as any other value of a page is. Raises `KeyError`."""
        text = CATALOGUE[key][self._index]
        return text.format(**values) if values else text

    def knows(self, key: str) -> bool:
        return key in CATALOGUE

    def maybe(self, prefix: str, name: str) -> str:
        """The text for a stored word; one that a later relay has stored is shown as it is."""
        key = f"{prefix}.{name}"
        return self(key) if key in CATALOGUE else name

    def role(self, name: str) -> str:
        """A role, by its name or its letter."""
        return self.maybe("role", _ROLES.get(name, name))

    # --- stored words that need a second look -----------------------------------------------------

    def reason(self, name: str) -> str:
        """Why an act was done, whichever kind of act it was."""
        for prefix in ("reason", "purpose", "sanction_reason", "case_outcome", "alarm"):
            if f"{prefix}.{name}" in CATALOGUE:
                return self(f"{prefix}.{name}")
        return name

    def close_detail(self, detail: str) -> str:
        """Who closed a channel and why; not what the platform wrote in words of its own."""
        kind, _, reason = detail.partition(": ")
        if kind == "operator":
            return f"{self('by_operator')}: {self.maybe('reason', reason)}"
        return self("by_platform")

    def step_detail(self, kind: str, detail: str) -> str:
        """What is known of a step in a channel's timeline besides its name."""
        return self.maybe("closed_why" if kind == "closed" else "bar", detail)

    def history(self, what: str, by: str) -> Markup:
        """A step in a case's history: an act, whom or what it was about, and whose it was."""
        act, _, about = what.partition(" ")
        if act == "assign" and about == by:
            act, about = "take", ""
        text = escape(self.maybe("history", act))
        if act == "close":
            text += ": " + self.maybe("case_outcome", about)
        elif about:
            text += _ID.format(" ", about)
        return text + _ID.format(" · ", by)

    # --- times ------------------------------------------------------------------------------------

    def iso(self, ms: int) -> str:
        """A time for machines."""
        return _at(ms).isoformat(timespec="seconds").replace("+00:00", "Z")

    def time(self, ms: int, now_ms: int | None = None) -> str:
        """A time for people, with its year if that is not the year of now; the page's script turns
        it into their own zone's."""
        at = _at(ms)
        year = f"{at.year} " if now_ms is not None and at.year != _at(now_ms).year else ""
        return f"{at.day} {_MONTHS[self.locale][at.month - 1]} {year}{at:%H:%M} UTC"

    def span(self, ms: int) -> str:
        """How long, as a clock shows it: 1:05:00; what is past has a minus."""
        seconds = abs(ms) // 1000
        sign = "−" if ms < 0 and seconds else ""  # noqa: RUF001 - the minus sign, not a hyphen
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{sign}{hours}:{minutes:02}:{seconds:02}"
        return f"{sign}{minutes}:{seconds:02}"


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
