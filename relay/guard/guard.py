"""The guard of one channel: what becomes of a message before it is stored and delivered.

Pure: the same memory, text and time give the same verdict. The work is bounded by the length of the
text, not by a clock.

What a party is told never says whether digits are the other's own: own numbers, other numbers and
digits beyond the budget are one class, one rule and one notice, and look alike in the text. Where
the oracle takes out what any other trip would have let pass, it takes out all digits, so that each
message answers one question at most; and it never blocks, because a block is not in the log from
which the memory of the answers is rebuilt (`budget`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from .accounts import find_accounts
from .dialogue import code_spans
from .gate import may_matter
from .masks import MASK
from .normalise import MAX_CHARS, Folded, fold
from .notices import NOTICE_OF
from .numbers import find_numbers, plan_of, too_few
from .oracle import Oracle
from .pieces import continues_number, left_to, own_spans
from .policy import DEFAULT_POLICY, Action, FindingClass, Policy
from .reading import Reading, read
from .redaction import Span, merged, redacted
from .rules import (
    call_forward_in,
    code_named_in,
    code_request_in,
    contacts_in,
    solicitation_in,
)
from .tokens import Unit, digits_of
from .window import ALL_MASKED, NOTHING, Memory, Trace, may_go_on, trace_of

#: What is left after something was taken out is looked at again, so often at most.
_MAX_ROUNDS: Final = 6
#: A long text takes long to read: if much of it is to go, or more after a first time, all goes.
_LONG: Final = 400
_MANY_MASKS: Final = 12
_LEAST_ACCOUNT: Final = 8
_STRENGTH: Final = {action: strength for strength, action in enumerate(Action)}
#: Rules about numbers that no policy reaches.
_OWN: Final = "own"
_BUDGET: Final = "budget"
_CONTACTS: Final = frozenset((FindingClass.LINK, FindingClass.EMAIL, FindingClass.HANDLE))


class TooLong(ValueError):
    """A text that is longer than the guard reads; it must be refused."""


class Finding(NamedTuple):
    """What a party may know of what was found: class, rule, and how many characters it spans."""

    finding_class: FindingClass
    rule: str
    length: int


class Verdict(NamedTuple):
    """What to do: `action` is the strongest of `findings`; `text` is what is delivered, if it is.

    `notices` are ids of `NOTICES`, to be shown with the message. `trace` is for `Memory.feed`.
    """

    action: Action
    text: str
    findings: tuple[Finding, ...]
    notices: tuple[str, ...]
    trace: Trace = NOTHING

    def __repr__(self) -> str:
        return f"Verdict({self.action}, {self.findings}, {len(self.text)} characters)"


class Hit(NamedTuple):
    """A rule that fired, with its spans in the folded text. Not for a party's eyes."""

    finding_class: FindingClass
    rule: str
    spans: list[tuple[int, int]]


class Explanation(NamedTuple):
    """Why a message is judged as it is: how it is read, and the rules that fired first."""

    reading: Reading
    hits: tuple[Hit, ...]

    def __repr__(self) -> str:
        return f"Explanation({len(self.hits)} hits)"


class _Case:
    """A message to be judged: who sends it and when, as it reads, and what came before."""

    __slots__ = ("_asks", "_trace", "folded", "memory", "now_ms", "reading", "sender", "text")

    def __init__(self, memory: Memory, sender: str, text: str, now_ms: int) -> None:
        self.memory = memory
        self.sender = sender
        self.now_ms = now_ms
        self.text = text
        self.folded = fold(text)
        self.reading = read(self.folded)
        self._asks: str | None = None
        self._trace: Trace | None = None

    def __repr__(self) -> str:
        return f"_Case({self.reading!r})"

    @property
    def asks(self) -> str:
        """The rule by which it asks for a one-time code, or nothing."""
        if self._asks is None:
            self._asks = code_request_in(self.reading)
        return self._asks

    @property
    def trace(self) -> Trace:
        """What it leaves in the memory."""
        if self._trace is None:
            self._trace = trace_of(self.reading, asks_code=bool(self.asks))
        return self._trace

    def take_out(self, spans: list[Span]) -> None:
        """Go on with what is left of it without some spans."""
        text = redacted(self.text, spans)
        if self.folded.starts is None and self.text.isprintable() and len(text) <= MAX_CHARS:
            folded = redacted(self.folded.text, spans)
            self.folded = Folded(folded, None, len(folded))
            self.reading = self.reading.without(spans, folded)
        else:
            self.folded = fold(text)
            self.reading = read(self.folded)
        self.text = text
        self._asks = self._trace = None


class Guard:
    """Screens the messages of one channel.

    `country` is the trip's (ISO 3166, two letters), `own_numbers` the two parties' numbers in
    E.164, `allow` what the platform has declared as known: pickup PIN, order id, plate, fare.
    """

    __slots__ = ("_allow", "_allow_digits", "_oracle", "_plan", "policy")

    def __init__(
        self,
        country: str = "ID",
        own_numbers: Iterable[str] = (),
        allow: Collection[str] = (),
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self._plan = plan_of(country.upper())
        self._oracle = Oracle(own_numbers)
        self.policy = policy
        self._allow = frozenset(filter(None, (fold(value).text for value in allow)))
        self._allow_digits = frozenset(filter(None, map(_digits_in, self._allow)))

    def __repr__(self) -> str:
        return f"Guard({self._plan.country})"

    def screen(self, memory: Memory, sender: str, text: str, now_ms: int) -> Verdict:
        """Judge a message that `sender` wants to post at `now_ms` (Unix milliseconds).

        Raises `TooLong` beyond `MAX_CHARS` characters, and nothing else.
        """
        if len(text) > MAX_CHARS:
            raise TooLong(f"A text of more than {MAX_CHARS} characters can't be screened.")
        if not may_matter(text):
            return Verdict(Action.OFF, text, (), ())
        return self.judge(memory, sender, text, now_ms)

    def judge(self, memory: Memory, sender: str, text: str, now_ms: int) -> Verdict:
        """As `screen`, of a text that may matter (`gate.may_matter`), as is known already."""
        if len(text) > MAX_CHARS:
            raise TooLong(f"A text of more than {MAX_CHARS} characters can't be screened.")
        found = _Found()
        case = _Case(memory, sender, text, now_ms)
        for again in range(_MAX_ROUNDS):
            text = case.text
            is_long = len(text) > _LONG
            hits = self._hits(case, rest=again > 0 and is_long)
            first_hit = next(hits, None)
            if first_hit is None:
                return found.verdict(text, case.trace)
            blocked = _Found()
            spans: list[Span] = []
            for hit in chain((first_hit,), hits):
                action = self._action(hit, first=not again)
                if action is Action.BLOCK:
                    blocked.add(hit, action, case.folded)
                elif action is not Action.OFF:
                    spans = merged(text, [*spans, *found.add(hit, action, case.folded)])
                if is_long and self._only_forwarding_blocks and len(spans) > _MANY_MASKS:
                    break
            if blocked:
                return blocked.verdict(text, NOTHING)
            if not spans:
                return found.verdict(text, case.trace)
            if is_long and (again or len(spans) > _MANY_MASKS):
                break
            case.take_out(spans)
        return found.verdict(MASK, ALL_MASKED)

    def explain(self, memory: Memory, sender: str, text: str, now_ms: int) -> Explanation:
        """Why a message is judged as it is; for those who run the relay, never for a party.

        Raises `TooLong` as `screen` does.
        """
        if len(text) > MAX_CHARS:
            raise TooLong(f"A text of more than {MAX_CHARS} characters can't be screened.")
        case = _Case(memory, sender, text, now_ms)
        return Explanation(case.reading, tuple(self._hits(case, every=True)))

    @property
    def _only_forwarding_blocks(self) -> bool:
        return all(
            self.policy.action(finding_class) is not Action.BLOCK
            for finding_class in FindingClass
            if finding_class is not FindingClass.CALL_FORWARD
        )

    def _action(self, hit: Hit, *, first: bool) -> Action:
        """What is done about a hit.

        Only the message as it was sent can be blocked: what is left of it may depend on the oracle.
        """
        if hit.rule in (_OWN, _BUDGET):
            return Action.REDACT
        action = self.policy.action(hit.finding_class)
        if action is Action.REDACT and not hit.spans:
            return Action.WARN
        if action is Action.BLOCK and not first:
            return Action.REDACT
        return action

    def _hits(self, case: _Case, *, rest: bool = False, every: bool = False) -> Iterator[Hit]:
        """The rules that fire; on the rest of a text, those that a mask in it can make fire.

        Call forwarding comes first: what is blocked must not depend on how much else is found.
        `every`: also those that change nothing, because the digits go for another reason.
        """
        if not rest and call_forward_in(case.reading):
            yield Hit(FindingClass.CALL_FORWARD, "forward", [(0, len(case.reading.folded))])
        if case.reading.loose:
            yield from self._digit_hits(case, every=every)
        yield from self._contact_hits(case.reading, beside_masks=rest)
        if case.asks:
            yield Hit(FindingClass.OTP_REQUEST, case.asks, [])
        if not rest and solicitation_in(case.reading):
            yield Hit(FindingClass.SOLICIT, "solicit", [])

    # --- digits -----------------------------------------------------------------------------------

    def _digit_hits(self, case: _Case, *, every: bool) -> Iterator[Hit]:
        reading = case.reading
        rule, number = self._number(case)
        if not number and not reading.guessed:
            return
        if not number and (accounts := self._accounts(case)):
            yield Hit(FindingClass.ACCOUNT, "account", accounts)
        left = left_to(case.sender, case.memory, self._allow_digits)
        spent = left < 1 and not number and not every and self._all_go(case)
        alike = len(reading.loose) == len(reading.units)
        if not number and reading.units and not (spent and alike) and self._goes_on(case):
            rule, number = "continued", self._unknown(reading, reading.loose)
        if number:
            yield Hit(FindingClass.NUMBER, rule, number)
        removed = number if self.policy.action(FindingClass.NUMBER) in _REMOVING else []
        if not spent and (
            own := own_spans(self._oracle, reading, case.trace, case.memory, case.sender)
        ):
            if not set(own) <= set(removed):
                own = sorted({*own, *self._unknown(reading, reading.units)})
            yield Hit(FindingClass.NUMBER, _OWN, own)
        if removed:
            return
        if not spent and (codes := self._codes(case)):
            yield codes
        cost = 1 if spent else case.trace.cost(self._allow_digits)
        if cost and cost > left:
            yield Hit(FindingClass.NUMBER, _BUDGET, self._unknown(reading, reading.units))

    def _goes_on(self, case: _Case) -> bool:
        """Whether a message goes on with a number of which the first part was delivered."""
        if not may_go_on(case.reading):
            return False
        return continues_number(case.trace, case.memory, case.sender, self._plan, case.now_ms)

    def _all_go(self, case: _Case) -> bool:
        """Whether a message of one who may have no more digits loses them all and is told nothing
        but that, whatever else they are.

        Then they need not be compared with the trip's numbers.
        """
        reading = case.reading
        if not reading.units or self.policy.action(FindingClass.NUMBER) is not Action.REDACT:
            return False
        if self._allow and (
            len(self._unknown(reading, reading.units)) < len(reading.units)
            or not case.trace.cost(self._allow_digits)
        ):
            return False
        return len(reading.guessed) == len(reading.units) and not self._codes(case)

    def _number(self, case: _Case) -> tuple[str, list[tuple[int, int]]]:
        """The rule and the spans of phone numbers, with and without what only may be digits."""
        reading = case.reading
        folded, units, loose = reading.folded, reading.units, reading.loose
        if too_few(loose):
            return "", []
        contexts = reading.contexts
        mirrored = "\u202e" in case.text
        readings = [(units, contexts)]
        if len(loose) > len(units):
            known = {u.start: context for u, context in zip(units, contexts, strict=True)}
            readings.append((loose, [known.get(unit.start, 0) for unit in loose]))
        rules: list[str] = []
        spans: list[tuple[int, int]] = []
        for these, those in readings:
            for found in find_numbers(folded, these, those, self._plan, mirrored=mirrored):
                row = these[found.first : found.last + 1]
                if not self._is_known(row):
                    rules.append(found.rule)
                    spans.extend((unit.start, unit.end) for unit in row)
        return (rules[0], sorted(set(spans))) if rules else ("", [])

    def _accounts(self, case: _Case) -> list[tuple[int, int]]:
        reading = case.reading
        if len(reading.digits) < _LEAST_ACCOUNT:
            return []
        return [
            (start, end)
            for start, end in find_accounts(reading.folded, reading.units, reading.contexts)
            if not self._is_known(_inside(reading.units, start, end))
        ]

    def _codes(self, case: _Case) -> Hit | None:
        """A one-time code: after someone has asked for one, or where the text calls it so."""
        reading = case.reading
        asked = case.memory.code_asked(case.sender, case.now_ms)
        least = 2 if asked and case.trace.payload else 4
        if len(reading.digits) < least:
            return None
        if not asked and not code_named_in(reading):
            return None
        codes = [
            (start, end)
            for start, end in code_spans(reading.folded, reading.units, reading.contexts, least)
            if not self._is_known(_inside(reading.units, start, end))
        ]
        return Hit(FindingClass.OTP_CODE, "reply" if asked else "named", codes) if codes else None

    def _is_known(self, row: list[Unit]) -> bool:
        """Whether the platform has declared the digits of a row as known."""
        return digits_of(row) in self._allow_digits

    def _unknown(self, reading: Reading, units: Iterable[Unit]) -> list[tuple[int, int]]:
        """The spans of units that are no part of what the platform has declared as known."""
        folded = reading.folded
        declared = [value for value in self._allow if len(value) >= 4 and value in folded]
        return [
            (unit.start, unit.end)
            for unit in units
            if unit.digits not in self._allow_digits
            and not any(folded[unit.start : unit.end] in value for value in declared)
        ]

    # --- contacts ---------------------------------------------------------------------------------

    def _contact_hits(self, reading: Reading, *, beside_masks: bool = False) -> Iterator[Hit]:
        contacts = contacts_in(reading, beside_masks=beside_masks)
        if not contacts:
            return
        by_rule: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for kind, start, end, rule in contacts:
            if reading.folded[start:end].strip() not in self._allow:
                by_rule.setdefault((kind, rule), []).append((start, end))
        for (kind, rule), spans in by_rule.items():
            yield Hit(FindingClass(kind), rule, spans)


_REMOVING: Final = frozenset((Action.REDACT, Action.BLOCK))


class _Found:
    """What was found in a message so far, as the outside may know it."""

    def __init__(self) -> None:
        self._action = Action.OFF
        self._lengths: dict[tuple[FindingClass, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._lengths)

    def add(self, hit: Hit, action: Action, folded: Folded) -> list[Span]:
        """Note a hit; returns what is to be taken out of the text."""
        rule = "number" if hit.finding_class is FindingClass.NUMBER else hit.rule
        places = [folded.span(start, end) for start, end in hit.spans if end > start]
        length = sum(end - start for start, end in places)
        key = hit.finding_class, rule
        self._lengths[key] = max(length, self._lengths.get(key, 0))
        if _STRENGTH[action] > _STRENGTH[self._action]:
            self._action = action
        if action is not Action.REDACT:
            return []
        return [Span(*place, hit.finding_class not in _CONTACTS) for place in places]

    def verdict(self, text: str, trace: Trace) -> Verdict:
        if not self._lengths:
            return Verdict(Action.OFF, text, (), (), trace)
        findings = [Finding(*key, length) for key, length in self._lengths.items()]
        notices = dict.fromkeys([NOTICE_OF[finding.finding_class] for finding in findings])
        return Verdict(self._action, text, tuple(findings), tuple(notices), trace)


def _digits_in(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _inside(units: Iterable[Unit], start: int, end: int) -> list[Unit]:
    return [unit for unit in units if start <= unit.start < end]
