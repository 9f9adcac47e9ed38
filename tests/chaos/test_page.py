"""The page of a fault run tells what was wrong, and says so only then."""

from __future__ import annotations

import re
from collections import Counter

from relay.chaos.account import Account, Seat, Violation, Wrong
from relay.chaos.report import page
from relay.chaos.run import Outcome, Played
from relay.chaos.timeline import Timeline

DRIVER, CUSTOMER = Seat("t", "driver", "d"), Seat("t", "customer", "c")


def played(*wrong: Wrong) -> Played:
    account = Account()
    account.paired(1, DRIVER, CUSTOMER)
    for number in range(40):
        at_s = 100 + number / 10
        post = account.posted(str(number), DRIVER, 1, at_s)
        account.accepted(post, int(at_s * 1000), at_s + 0.1)
        account.shown(str(number), CUSTOMER, at_s + 0.2)
    outcome = Outcome("store-kill", "one <store>", 101.0, 102.5, 0.4, 40, 40, 40, Counter(wrong))
    violations = [Violation(one, 102.0, "t's driver & <more>") for one in wrong]
    return Played("one <store>", [outcome], violations, Timeline.of(account, 100.0, 105.0))


def test_a_run_without_a_violation_says_so_and_names_what_it_had_no_time_for() -> None:
    found = page(7, [played()], ["clock-jump"])
    assert "Nothing was lost" in found and 'class="bad"' not in found
    assert "no time for clock-jump" in found
    assert found.count("<polyline") == 2 and found.count("<polygon") == 1
    assert found.count('class="fault"') == found.count('class="mending"') == 1


def test_each_violation_is_counted_in_its_column_and_named() -> None:
    found = page(7, [played(Wrong.LOST, Wrong.LOST), played(Wrong.LATE)], [])
    assert "3 violations" in found and "Nothing was lost" not in found
    assert re.findall(r'<td class="bad">(\d+)</td>', found) == ["2", "1"]
    assert found.count("lost at 2.0 s") == 2 and "late at 2.0 s" in found
    assert "<store>" not in found and "<more>" not in found
