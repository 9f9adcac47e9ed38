"""`relay guard explain`: the guard's decision about a message, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from ..guard import MAX_CHARS, NOTICES, Action, Entry, Guard, Memory, TooLong
from ..guard.context import HARD, SOFT
from ..guard.evaluation.cases import Turn, turns_of
from ..guard.gate import may_matter
from ..guard.guard import Hit
from ..guard.normalise import fold
from ..guard.reading import Reading
from ..guard.word import DIGITS, LOOKALIKE, WEAK_WORD, WORD
from .output import fail, out, print_json
from .words import visible

_STEP_MS: Final = 20_000
_NAME_WIDTH: Final = 11
_LINE_CHARS: Final = 64
_READ_AS: Final = {
    DIGITS: "digits",
    WORD: "number word",
    LOOKALIKE: "look-alike",
    WEAK_WORD: "perhaps a number word",
}
_CONTEXTS: Final = {
    0: "",
    SOFT: "after a word for a place or a reference",
    HARD: "part of a price, time, plate or the like",
}
_STYLES: Final = {
    Action.OFF: "green",
    Action.WARN: "yellow",
    Action.REDACT: "bold red",
    Action.BLOCK: "bold red",
}


class Unit(NamedTuple):
    """Digits that were read, from which part of the folded text, as what, and in which context."""

    digits: str
    text: str
    read_as: str
    context: str


class Rule(NamedTuple):
    """A rule that fired, what is done about its class, and the spans of the text that it is about.

    A rule about a whole message, a request for a code, has none.
    """

    finding_class: str
    rule: str
    action: str
    spans: list[tuple[int, int]]


class Step(NamedTuple):
    """The decision about one message, from its text to what arrives."""

    turn: Turn
    passed_gate: bool
    folded: str
    units: list[Unit]
    rules: list[Rule]
    action: Action
    delivered: str | None
    notices: tuple[str, ...]


def explain(line: str, guard: Guard, *, as_json: bool) -> None:
    """Explain the messages of a line one after the other."""
    try:
        steps = list(_steps(turns_of(line.removesuffix("\n")), guard))
    except TooLong:
        fail(f"a message of more than {MAX_CHARS} characters is refused without being read")
    if as_json:
        print_json({"messages": [_document(step) for step in steps]})
        return
    for place, step in enumerate(steps, 1):
        if len(steps) > 1:
            out.print(Text(f"{place} of {len(steps)}, from the {step.turn.sender}", "bold"))
        _show(step)
        if place < len(steps):
            out.print()


def _steps(turns: tuple[Turn, ...], guard: Guard) -> Iterator[Step]:
    memory = Memory()
    for place, turn in enumerate(turns):
        at_ms = place * _STEP_MS
        verdict = guard.screen(memory, turn.sender, turn.text, at_ms)
        delivered = None if verdict.action is Action.BLOCK else verdict.text
        if turn.text.isascii() and not may_matter(turn.text):
            yield Step(turn, True, turn.text, [], [], verdict.action, delivered, verdict.notices)
        else:
            found = guard.explain(memory, turn.sender, turn.text, at_ms)
            yield Step(
                turn,
                False,
                found.reading.folded,
                _units(found.reading),
                [_rule(hit, turn.text, guard) for hit in found.hits],
                verdict.action,
                delivered,
                verdict.notices,
            )
        if delivered is not None:
            memory.feed(Entry(str(place), turn.sender, delivered, at_ms), verdict.trace)


def _units(reading: Reading) -> list[Unit]:
    contexts = {
        unit.start: context for unit, context in zip(reading.units, reading.contexts, strict=True)
    }
    return [
        Unit(
            unit.digits,
            reading.folded[unit.start : unit.end],
            _READ_AS[unit.kind],
            _CONTEXTS[contexts.get(unit.start, 0)],
        )
        for unit in reading.loose
    ]


def _rule(hit: Hit, text: str, guard: Guard) -> Rule:
    folded = fold(text)
    spans: list[tuple[int, int]] = []
    for start, end in sorted(folded.span(*span) for span in hit.spans if span[0] < span[1]):
        # Only signs between them: for the eye it is one span.
        if spans and not any(char.isalnum() for char in text[spans[-1][1] : start]):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    action = guard.policy.action(hit.finding_class)
    return Rule(str(hit.finding_class), hit.rule, str(action), spans)


# --- for people -----------------------------------------------------------------------------------


def _show(step: Step) -> None:
    if step.passed_gate:
        _say("gate", "passed at once: nothing in it can matter")
    else:
        _say("gate", "looked into: it holds signs or words that may matter")
        _say("folded", visible(step.folded))
        for place, unit in enumerate(step.units):
            context = f", {unit.context}" if unit.context else ""
            _say(
                "digits" if not place else "",
                f"{unit.digits:<8} from “{visible(unit.text)}”: {unit.read_as}{context}",
            )
        if not step.units:
            _say("digits", "none")
        for place, rule in enumerate(step.rules):
            _say("rules" if not place else "", _rule_line(rule))
        if not step.rules:
            _say("rules", "none fired")
        for place, line in enumerate(_marked(step)):
            _say("message" if not place else "", line)
    _say("action", Text(_ACTIONS[step.action], _STYLES[step.action]))
    _say("delivered", "nothing" if step.delivered is None else visible(step.delivered))
    for notice in step.notices:
        for locale in ("id", "en"):
            _say("notice" if locale == "id" else "", f"{locale}: {NOTICES[notice][locale]}")


_ACTIONS: Final = {
    Action.OFF: "none: it is delivered as it is",
    Action.WARN: "warn: it is delivered as it is, with a notice",
    Action.REDACT: "redact: what is marked is taken out",
    Action.BLOCK: "block: it is not delivered",
}


def _rule_line(rule: Rule) -> str:
    where = ", ".join(f"{start}-{end}" for start, end in rule.spans)
    return f"{rule.finding_class}/{rule.rule} → {rule.action}" + (f" at {where}" if where else "")


def _marked(step: Step) -> Iterator[Text]:
    """The message with what the rules are about marked under it, in lines of a readable length."""
    text = step.turn.text
    marked = {at for rule in step.rules for start, end in rule.spans for at in range(start, end)}
    for begin in range(0, len(text), _LINE_CHARS):
        line, marks = Text(), ""
        for at in range(begin, min(begin + _LINE_CHARS, len(text))):
            shown = visible(text[at])
            line.append(shown, "red" if at in marked else "")
            marks += ("^" if at in marked else " ") * cell_len(shown)
        yield line
        if marks.strip():
            yield Text(marks.rstrip(), "red")


def _say(name: str, value: str | Text) -> None:
    out.print(Text.assemble((f"{name:<{_NAME_WIDTH}}", "dim"), value))


# --- for programs ---------------------------------------------------------------------------------


def _document(step: Step) -> dict[str, Any]:
    return {
        "sender": step.turn.sender,
        "passed_gate": step.passed_gate,
        "folded": step.folded,
        "units": [unit._asdict() for unit in step.units],
        "rules": [
            {"class": rule.finding_class, "rule": rule.rule, "action": rule.action,
             "spans": rule.spans}
            for rule in step.rules
        ],
        "action": str(step.action),
        "delivered": step.delivered,
        "notices": list(step.notices),
    }  # fmt: skip
