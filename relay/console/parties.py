"""A party's page: its channels, its cases, its sanctions."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from ..core.casework import SanctionKind, SanctionReason
from ..core.ids import PARTY_ID
from ..ops.refusals import OpsCode, Refused
from .asked import chosen, note, whole
from .pages import Frame, Page, Visit, see_other


class PartyPages:
    """The pages under `/ops/parties`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._sanctions = frame.desk.sanctions

    def pages(self) -> dict[str, Page]:
        frame, one = self._frame, "/ops/parties/{party}"
        return {
            one: Page(frame, self._show),
            one + "/impose": Page(frame, None, self._impose, shown_on=self._show),
            one + "/lift": Page(frame, None, self._lift, shown_on=self._show),
            one + "/appeal": Page(frame, None, self._appeal, shown_on=self._show),
            one + "/decide": Page(frame, None, self._decide, shown_on=self._show),
        }

    async def _show(self, visit: Visit) -> Response:
        party, desk = visit.path["party"], self._frame.desk
        if not PARTY_ID.fullmatch(party):
            raise Refused(
                OpsCode.NOT_FOUND,
                "This can be no party's id, so there is nothing to show. Check the id.",
            )
        channels = (await desk.channels.page(search=party, by=visit.actor)).rows
        cases = await desk.cases.queue(state="any", party=party)
        return await self._frame.page(
            visit, "party.html", party=party,
            # A trip may have the same id.
            channels=[
                row for row in channels
                if any(one.party == party for one in row.parties.values())
            ],
            cases=cases.rows, has_older_cases=cases.older is not None,
            sanctions=await self._sanctions.of(party), kinds=list(SanctionKind),
            reasons=list(SanctionReason), case_id=visit.form.one("case"), other="",
        )  # fmt: skip

    async def _impose(self, visit: Visit) -> Response:
        form = visit.form
        kind = chosen(SanctionKind, form, "kind")
        # The form of a case names the other party in case it is to be a pair.
        other = form.one("other") if kind is SanctionKind.NEVER_PAIR else ""
        await self._sanctions.impose(
            visit.actor, visit.path["party"], kind,
            chosen(SanctionReason, form, "reason"), hours=whole(form, "hours"),
            other=other, case=form.one("case"), note=note(form),
        )  # fmt: skip
        return self._seen(visit, "imposed")

    async def _lift(self, visit: Visit) -> Response:
        await self._sanctions.lift(
            visit.actor, visit.path["party"], visit.form.one("sanction"), note(visit.form)
        )
        return self._seen(visit, "lifted")

    async def _appeal(self, visit: Visit) -> Response:
        await self._sanctions.appeal(
            visit.actor, visit.path["party"], visit.form.one("sanction"), note(visit.form)
        )
        return self._seen(visit, "appealed")

    async def _decide(self, visit: Visit) -> Response:
        form = visit.form
        if form.one("decision") not in ("upheld", "lifted"):
            raise Refused(
                OpsCode.INVALID, "Nothing was decided. Choose what becomes of the sanction.",
                field="decision",
            )  # fmt: skip
        await self._sanctions.decide(
            visit.actor, visit.path["party"], form.one("sanction"),
            lifts=form.one("decision") == "lifted", note=note(form),
        )  # fmt: skip
        return self._seen(visit, "decided")

    def _seen(self, visit: Visit, done: str) -> Response:
        return see_other(f"/ops/parties/{quote(visit.path['party'], safe='')}", done)
