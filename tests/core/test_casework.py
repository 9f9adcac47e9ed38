"""What a report's category means for those who work through the queue."""

from __future__ import annotations

from relay.core.casework import URGENCY, Category


def test_how_urgent_each_category_is() -> None:
    """What STAFF.md promises; a platform plans its shifts by it."""
    told = {
        category.value: (urgency.priority, urgency.limit_s // 60, urgency.alarms)
        for category, urgency in URGENCY.items()
    }
    assert told == {
        "threat": (1, 15, True),
        "harassment": (2, 240, False),
        "otp_fraud": (2, 240, False),
        "asked_contact": (3, 1440, False),
        "payment_outside": (3, 1440, False),
        "other": (4, 4320, False),
    }
    assert set(URGENCY) == set(Category)
    assert all(urgency.limit_s % 60 == 0 for urgency in URGENCY.values())
