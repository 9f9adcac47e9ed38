"""Who and what: the names that travel through every layer, and their syntax.

Standard library only, because the SDK shares this module. The patterns are ASCII on purpose (no
``\\d`` or ``\\w``, which match other scripts' digits and letters) and are meant for ``fullmatch``:
``match`` with a trailing ``$`` would let a newline through.

None of the three alphabets holds ``{`` ``}`` (a store's hash tag), whitespace, a comma or a slash,
so a name can stand in a store key, a path or a log line without quoting. Two limits to know: a trip
or party id may hold a dot or a colon, so neither separates fields on its own; and a party id is the
platform's own pseudonym, which this syntax cannot keep from being a phone number (the ``open`` call
refuses that, and ``ops.typed_ids`` where a person types an id).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Literal

__all__ = ["PARTY_ID", "POST_ID", "TRIP_ID", "Role"]

TRIP_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:~-]{0,63}")
"""The platform's id of a trip, 1 to 64 characters."""

PARTY_ID: Final = TRIP_ID
"""The platform's id of a driver or customer; the same syntax as a trip's."""

POST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")
"""The app's id of a message it posts; 36 characters hold a UUID as text."""


class Role(StrEnum):
    """Which side of a trip's channel a party is."""

    #: The role in one character, for tokens and stored records.
    letter: Literal["c", "d"]
    #: The other side.
    peer: Role

    DRIVER = "driver"
    CUSTOMER = "customer"


Role.DRIVER.letter, Role.CUSTOMER.letter = "d", "c"
Role.DRIVER.peer, Role.CUSTOMER.peer = Role.CUSTOMER, Role.DRIVER
