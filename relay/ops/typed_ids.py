"""The id of a party as a person types it: a phone number is none.

Whoever asks for its data gives its number, and staff type what they were given. An id stands in the
audit log, which forgets nothing, in sanctions and in events. So what reads as a number is taken as
an id only where the relay knows a party of that id: some platforms' ids are bare digits, of which
one or two in ten would pass as somebody's number in some country.
"""

from __future__ import annotations

from ..core.ids import PARTY_ID
from ..store.cases import CaseRecords, Search
from ..store.parties import Parties
from ..vault.numbers import reads_as_number
from .refusals import OpsCode, Refused


class TypedIds:
    """Checks ids before anything is written down with them."""

    def __init__(self, parties: Parties, cases: CaseRecords) -> None:
        self._parties = parties
        self._cases = cases

    async def check_party(self, typed: str, *, field: str = "party") -> None:
        """Raises `Refused`, which does not repeat it, and `StoreError`."""
        if not PARTY_ID.fullmatch(typed):
            raise Refused(
                OpsCode.INVALID, "This is no party's id, so nothing was done.", field=field
            )
        if reads_as_number(typed) and not await self._is_known(typed):
            raise Refused(
                OpsCode.INVALID,
                "This reads as a phone number, and the relay knows no party of that id, so nothing "
                "was done: what is written down can't be taken out again. Ask the platform which "
                "id it has for that person. If this is the id, the relay holds nothing of it yet.",
                field=field,
            )

    async def _is_known(self, party: str) -> bool:
        if await self._parties.is_known(party):
            return True
        # A case outlives its trip.
        found, _, _ = await self._cases.page(Search(state="any", party=party), "", 1)
        return bool(found)
