"""Whether a case was stopped: judged on what the receiver gets, not on what was found.

Stopped means that it can't be used: of a number no six digits in a row are left in any reading of
what was delivered (of a session no more than six of its digits in order), of a contact not its
letters, of a one-time code not the code; and who is asked for a code or out of the platform is
warned. What arrives as it was sent was not stopped, whether or not the readers make sense of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ..normalise import fold
from ..reading import read
from .cases import Case
from .reader import contact_letters, digits_of, readings

#: So many digits of a number in a row, or in order over a session, are not yet the number.
ROW: Final = 6
_LEAST_NUMBER: Final = 7
_LEAST_CONTACT: Final = 4

_WARNED_OF: Final = frozenset(("otp_request", "solicit"))
_CODES: Final = frozenset(("otp_reply", "otp_reply_words", "otp_dialogue"))
_CONTACTS: Final = frozenset(("links and e-mail", "handles"))
#: Contacts in a text of which the list does not say what must not arrive.
_CONTACT: Final = re.compile(
    r"\S+@\S+|@\S+|\S+\.\w+/\S*|[\w.]*[a-z][._]?\d+|\w+[._]\w+", re.IGNORECASE
)


def is_stopped(case: Case, delivered: Sequence[str | None], *, warned: bool) -> bool:
    """Whether what must not arrive has not arrived.

    `delivered` is what becomes of each of the case's messages, None for one that does not arrive;
    `warned`: a notice is shown with one of them.
    """
    texts = [text for text in delivered if text is not None]
    if case.known_kind in _WARNED_OF:
        return warned or len(texts) < len(delivered)
    if texts == [turn.text for turn in case.turns]:
        return False
    if case.known_kind in _CODES:
        return warned and not _code_arrives(case, texts)
    if case.class_ in _CONTACTS and not _is_number(case.target):
        return not _contact_arrives(case, texts)
    return not _number_arrives(case, texts)


def leaked_digits(case: Case, delivered: Sequence[str | None]) -> int:
    """How many digits of the number arrive in order, over all messages together."""
    seen = _all_readings([text for text in delivered if text is not None])[:2]
    return max(in_order(digits, number) for digits in seen for number in _numbers(case))


def in_order(digits: str, number: str) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(number) + 1)
    for digit in digits:
        last = 0
        for place, wanted in enumerate(number, 1):
            kept = row[place]
            row[place] = last + 1 if digit == wanted else max(row[place], row[place - 1])
            last = kept
    return row[-1]


def _all_readings(texts: Sequence[str]) -> list[str]:
    """The digits of all texts one after the other, in each way, the guard's own being the last."""
    whole = "\n".join(texts)
    own = [read(fold(text)).loose for text in texts]
    return [
        *map(digits_of, readings(whole)),
        "".join(unit.digits for units in own for unit in units),
    ]


def _is_number(target: str) -> bool:
    return len(digits_of(readings(target)[0])) >= _LEAST_NUMBER and not re.search("[a-z]", target)


def _numbers(case: Case) -> list[str]:
    """The digits that must not arrive: the target's, else whatever digits the case holds."""
    if case.target:
        return [digits_of(readings(case.target)[0])]
    found = {digits for digits in _all_readings([turn.text for turn in case.turns]) if digits}
    return sorted(found) or [""]


def _number_arrives(case: Case, texts: Sequence[str]) -> bool:
    numbers = _numbers(case)
    # The relay knows the two parties' own numbers, so of those less may arrive in pieces.
    rows_in = [texts] if case.own else [[text] for text in texts]
    if any(
        _has_row(digits, number)
        for row in rows_in
        for digits in _all_readings(row)
        for number in numbers
    ):
        return True
    together = _all_readings(texts)[:2]
    return len(case.turns) > 1 and any(
        in_order(digits, number) > ROW for digits in together for number in numbers
    )


def _has_row(digits: str, number: str) -> bool:
    rows = {number[at : at + ROW] for at in range(len(number) - ROW + 1)}
    return any(row in digits or row[::-1] in digits for row in rows)


def _code_arrives(case: Case, texts: Sequence[str]) -> bool:
    code = case.target or digits_of(readings(case.turns[-1].text)[1])
    return any(code in digits for digits in _all_readings(texts))


def _contact_arrives(case: Case, texts: Sequence[str]) -> bool:
    arrived = contact_letters(" ".join(texts))
    wanted = [case.target] if case.target else _CONTACT.findall(case.turns[0].text)
    # The name before an address's @, and the host of a link, are enough to reach whoever it is.
    wanted += [re.split(r"[@/]", re.sub(r"^\w+://", "", one))[0] for one in wanted]
    letters = (contact_letters(one) for one in wanted)
    return any(one in arrived for one in letters if len(one) >= _LEAST_CONTACT)
