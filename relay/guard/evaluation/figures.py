"""The guard's figures: recall and false alarms per class, leaks, spans, and how fast it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from statistics import fmean, median, quantiles
from typing import Final, NamedTuple

from ..guard import Guard, TooLong
from ..masks import MASK
from ..policy import Action
from ..window import Entry, Memory
from .cases import Case
from .judge import is_stopped, leaked_digits
from .reader import digits_of, readings

#: So many messages a trip has on average (Indonesia, as Grab has published).
MESSAGES_PER_TRIP: Final = 5.5
_STEP_MS: Final = 20_000
_TIMED: Final = 20_000
_MASKED: Final = re.compile(f"{MASK}{MASK[-1]}*")
#: Digits of a number that are the same however it is dialled.
_SAME_DIGITS: Final = 8
_NUMBER_FORMS: Final = frozenset(("numbers", "words", "mixed and leet", "filler"))


class Outcome(NamedTuple):
    """What became of a case: what arrives of each message, and the strongest action of all."""

    case: Case
    delivered: tuple[str | None, ...]
    action: Action
    stopped: bool

    def __repr__(self) -> str:
        return f"Outcome({self.case!r}, {self.action}, stopped={self.stopped})"


class Share(NamedTuple):
    """`hits` of `cases`, and the Wilson interval of 95 %."""

    name: str
    hits: int
    cases: int

    @property
    def share(self) -> float:
        """Hits by cases; 0 of none."""
        return self.hits / self.cases if self.cases else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share is, in 95 of 100 such lists."""
        return wilson(self.hits, self.cases)


class Figures(NamedTuple):
    """All figures of a list but the speed.

    `recall` is per class; `held_back` (redacted or blocked) and `warned` are per kind of hard
    negative, `touched` is either. `trip_fpr` is the share of trips that would be disturbed.
    `digits_removed` counts the redacted numbers of which two digits at most are left,
    `rest_spared` those around which at least 90 % of the other letters and digits are kept.
    """

    recall: list[Share]
    macro_recall: float
    micro_recall: Share
    number_forms: Share
    otp_requests: Share
    oracle_misses: Share
    split_digits_leaked: float
    held_back: list[Share]
    warned: list[Share]
    all_held_back: Share
    all_warned: Share
    touched: Share
    trip_fpr: float
    digits_removed: Share
    rest_spared: Share


class Speed(NamedTuple):
    """How fast messages are screened, on one core.

    `clean_...` is of messages that may pass and hold neither digits nor number words;
    `stream_per_s` of a stream of seven of them to three with digits.
    """

    stream_per_s: float
    clean_median_us: float
    clean_p99_us: float
    clean_median_chars: float


def wilson(hits: int, cases: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % for a share (E. B. Wilson, JASA 22, 1927)."""
    if not cases:
        return 0.0, 1.0
    z = 1.96
    share = hits / cases
    middle = share + z * z / (2 * cases)
    spread = z * sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    scale = 1 + z * z / cases
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def run(case: Case, own_numbers: Sequence[str] = ()) -> Outcome:
    """Put a case through a guard and a memory of its own; `own_numbers` are those of the trip."""
    numbers = [*own_numbers, case.target] if case.own else own_numbers
    guard = Guard(case.country, numbers, case.allow)
    memory = Memory()
    delivered: list[str | None] = []
    actions: list[Action] = []
    warned = False
    for step, (sender, text) in enumerate(case.turns):
        at_ms = step * _STEP_MS
        try:
            verdict = guard.screen(memory, sender, text, at_ms)
        except TooLong:  # the relay refuses it
            delivered.append(None)
            actions.append(Action.BLOCK)
            continue
        actions.append(verdict.action)
        warned = warned or bool(verdict.notices)
        if verdict.action is Action.BLOCK:
            delivered.append(None)
        else:
            delivered.append(verdict.text)
            memory.feed(Entry(str(step), sender, verdict.text, at_ms), verdict.trace)
    action = max(actions, key=list(Action).index)
    return Outcome(
        case,
        tuple(delivered),
        action,
        case.bad and action is not Action.OFF and is_stopped(case, delivered, warned=warned),
    )


def figures_of(outcomes: Sequence[Outcome]) -> Figures:
    """Count."""
    bad = [one for one in outcomes if one.case.bad]
    good = [one for one in outcomes if not one.case.bad]
    recall = _per(bad, lambda case: case.class_, _stopped)
    split = [one for one in bad if one.case.class_ == "split"]
    touched = _share("hard negatives", good, _touched)
    spans = [span for one in bad if (span := _span_of(one)) is not None]
    return Figures(
        recall=recall,
        macro_recall=_mean(share.share for share in recall),
        micro_recall=_share("all", bad, _stopped),
        number_forms=_share(
            "number forms", [one for one in bad if one.case.class_ in _NUMBER_FORMS], _stopped
        ),
        otp_requests=_share(
            "OTP requests", [one for one in bad if one.case.known_kind == "otp_request"], _stopped
        ),
        oracle_misses=_share(
            "oracle misses", [one for one in bad if one.case.own], lambda one: not one.stopped
        ),
        split_digits_leaked=_mean(leaked_digits(one.case, one.delivered) for one in split),
        held_back=_per(good, lambda case: case.kind, _held_back),
        warned=_per(good, lambda case: case.kind, _warned),
        all_held_back=_share("hard negatives", good, _held_back),
        all_warned=_share("hard negatives", good, _warned),
        touched=touched,
        trip_fpr=1 - (1 - touched.share) ** MESSAGES_PER_TRIP,
        digits_removed=Share("digits removed", sum(digits <= 2 for digits, _ in spans), len(spans)),
        rest_spared=Share("rest spared", sum(spared >= 0.9 for _, spared in spans), len(spans)),
    )


def speed_of(cases: Iterable[Case], clock_ns: Callable[[], int]) -> Speed:
    """Time the guard on the messages of a list; `clock_ns` tells nanoseconds.

    Raises `ValueError` for a list without a message that may pass and holds neither digits nor
    number words.
    """
    texts: list[str] = []
    clean: list[str] = []
    for case in cases:
        for _, text in case.turns:
            bare, spoken, *_ = readings(text)
            if bare:
                texts.append(text)
            elif not case.bad and not spoken:
                clean.append(text)
    if not clean:
        raise ValueError("no message of the list may pass and holds no digit or number word")
    stream = _mixed(clean, texts or clean)
    took = _times(stream, clock_ns)
    took_clean = [1e-3 * one for one in _times(clean * (1 + _TIMED // len(clean)), clock_ns)]
    return Speed(
        stream_per_s=1e9 * len(stream) / sum(took),
        clean_median_us=median(took_clean),
        clean_p99_us=quantiles(took_clean, n=100)[98],
        clean_median_chars=median(map(len, clean)),
    )


def _mixed(clean: Sequence[str], digits: Sequence[str]) -> list[str]:
    """Seven messages without a digit to three with one."""
    kinds = (clean, clean, digits, clean, clean, digits, clean, clean, digits, clean)
    return [kinds[at % 10][at % len(kinds[at % 10])] for at in range(_TIMED)]


def _times(texts: Sequence[str], clock_ns: Callable[[], int]) -> list[int]:
    guard, took = Guard("ID"), []
    for text in texts[: len(texts) // 10]:
        guard.screen(Memory(), "driver", text, 0)  # what is cached is cached in a running relay too
    for text in texts:
        memory = Memory()
        began = clock_ns()
        guard.screen(memory, "driver", text, 0)
        took.append(clock_ns() - began)
    return took


def _stopped(outcome: Outcome) -> bool:
    return outcome.stopped


def _touched(outcome: Outcome) -> bool:
    return outcome.action is not Action.OFF


def _warned(outcome: Outcome) -> bool:
    return outcome.action is Action.WARN


def _held_back(outcome: Outcome) -> bool:
    return _touched(outcome) and not _warned(outcome)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fmean(known) if known else 0.0


def _share(name: str, outcomes: Sequence[Outcome], hit: Callable[[Outcome], bool]) -> Share:
    return Share(name, sum(map(hit, outcomes)), len(outcomes))


def _per(
    outcomes: Sequence[Outcome], name: Callable[[Case], str], hit: Callable[[Outcome], bool]
) -> list[Share]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(name(outcome.case), []).append(outcome)
    return [_share(group, groups[group], hit) for group in sorted(groups)]


def _span_of(outcome: Outcome) -> tuple[int, float] | None:
    """Of a redacted number: its digits that are left, and the share kept of all around it.

    None where the message is not of that kind, or where the number can't be placed in it.
    """
    case, (delivered, *more) = outcome.case, outcome.delivered
    text = case.turns[0].text
    if more or delivered is None or delivered == text or case.class_ not in _NUMBER_FORMS:
        return None
    place = _place_of(digits_of(readings(case.target)[0]), text)
    if place is None:
        return None
    around = [at for at, char in enumerate(text) if char.isalnum() and at not in place]
    left = _kept(text, delivered)
    spared = sum(at in left for at in around) / len(around) if around else 1.0
    return leaked_digits(case, [delivered]), spared


def _place_of(number: str, text: str) -> range | None:
    """Where in a text a number stands, with its prefix: as the reading has it that finds most."""
    tail = number[-_SAME_DIGITS:]
    found: list[range] = []
    for reading in readings(text):
        first = digits_of(reading).find(tail)
        if not tail or first < 0:
            continue
        end = reading[first + len(tail) - 1].end
        for digit in reversed(number[: -len(tail)]):
            if not first or reading[first - 1].value not in (digit, "0"):
                break
            first -= 1
        found.append(range(reading[first].start, end))
    return max(found, key=len, default=None)


def _kept(text: str, redacted: str) -> set[int]:
    """Places of the text that a redaction has left."""
    places: set[int] = set()
    place = 0
    for piece in _MASKED.split(redacted):
        place = text.find(piece, place)
        if place < 0:
            break
        places.update(range(place, place + len(piece)))
        place += len(piece)
    return places
