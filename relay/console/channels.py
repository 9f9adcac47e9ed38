"""The list of open channels, a channel's page, and closing by hand, one or several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, Response

from ..core.casework import HandReason
from ..ops.channels import (
    MOST_BY_AGENT,
    MOST_BY_SUPERVISOR,
    ChannelDetail,
    ChannelPage,
    Online,
    Result,
    State,
)
from ..ops.refusals import OpsCode, Refused
from .asked import chosen, in_days, note
from .pages import Frame, Page, Visit, see_other, streamed

_ROWS: Final = ("50", "100", "200")
#: Open pages ask every two seconds, and most ask the same: the store is asked once in this time.
_FRESH_MS: Final = 1_000
_MOST_KEPT: Final = 100
_STATES: Final[tuple[State, ...]] = get_args(State)
_ONLINES: Final[tuple[Online, ...]] = get_args(Online)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the list is asked for, as it stands in the page's address."""

    state: State
    online: Online
    findings: bool
    search: str
    rows: str
    older: str

    @classmethod
    def by(cls, visit: Visit) -> Asked:
        query = visit.query
        return cls(
            state=next((one for one in _STATES if one == query.get("state")), "any"),
            online=next((one for one in _ONLINES if one == query.get("online")), "any"),
            findings=query.get("findings") == "1",
            search=query.get("search", "").strip()[:64],
            rows=next((one for one in _ROWS if one == query.get("rows")), _ROWS[0]),
            older=query.get("older", "")[:200],
        )

    @property
    def filters(self) -> bool:
        return bool(self.state != "any" or self.online != "any" or self.findings or self.search)

    def address(self, path: str, older: str) -> str:
        """The page's own, or that of another place in the same list."""
        query = {
            "state": self.state if self.state != "any" else "",
            "online": self.online if self.online != "any" else "",
            "findings": "1" if self.findings else "",
            "search": self.search,
            "rows": self.rows if self.rows != _ROWS[0] else "",
            "older": older,
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"{path}?{given}" if given else path


class ChannelPages:
    """The pages under `/ops/channels`, and the list at `/ops` itself."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._channels = frame.desk.channels
        self._holds = frame.desk.holds
        self._closings: set[asyncio.Task[None]] = set()
        self._seen: dict[Asked, tuple[int, ChannelPage]] = {}

    def pages(self) -> dict[str, Page]:
        frame, one = self._frame, "/ops/channels/{trip}"
        return {
            "/ops": Page(frame, self._list),
            "/ops/": Page(frame, self._go_there),
            "/ops/list": Page(frame, self._rows, quiet=True),
            "/ops/close": Page(frame, None, self._confirm_several, shown_on=self._list),
            "/ops/close/now": Page(frame, None, self._close_several, shown_on=self._ask_several),
            one: Page(frame, self._show),
            one + "/live": Page(frame, self._part, quiet=True),
            one + "/close": Page(frame, self._ask, self._close),
            one + "/hold": Page(
                frame, None, self._hold, shown_on=self._show, supervisors_only=True
            ),
            one + "/release": Page(
                frame, None, self._release, shown_on=self._show, supervisors_only=True
            ),
        }  # fmt: skip

    # --- the list ---------------------------------------------------------------------------------

    async def _list(self, visit: Visit) -> Response:
        return await self._frame.page(
            visit,
            "channels.html",
            states=_STATES,
            onlines=_ONLINES,
            sizes=_ROWS,
            **await self._found(visit),
        )

    async def _go_there(self, visit: Visit) -> Response:
        return see_other("/ops")

    async def _rows(self, visit: Visit) -> Response:
        """The list alone, for a page that has it already."""
        found = await self._found(visit, may_be_shared=True)
        return HTMLResponse(self._frame.text(visit, "channel_rows.html", **found))

    async def _found(self, visit: Visit, *, may_be_shared: bool = False) -> dict[str, Any]:
        asked = Asked.by(visit)
        try:
            page: ChannelPage | None = await self._page(visit, asked, may_be_shared)
        except Refused as refused:
            # What cannot be an id finds nothing: said on the page, with the field to mend it.
            visit.refusal = refused
            page = None
        return {
            "page": page,
            "asked": asked,
            "fragment": asked.address("/ops/list", asked.older),
            "first_page": asked.address("/ops", "") if asked.older else "",
            "next_page": asked.address("/ops", page.older) if page and page.older else "",
        }

    async def _page(self, visit: Visit, asked: Asked, may_be_shared: bool) -> ChannelPage:
        # Who looks for a party is written down, so that one's answer is nobody else's.
        may_be_shared = may_be_shared and not asked.search
        now_ms = self._frame.now_ms()
        at, page = self._seen.get(asked, (0, None))
        if may_be_shared and page is not None and now_ms - at < _FRESH_MS:
            return page
        page = await self._channels.page(
            state=asked.state, online=asked.online, findings=asked.findings,
            search=asked.search, older=asked.older, count=int(asked.rows), by=visit.actor,
        )  # fmt: skip
        if len(self._seen) >= _MOST_KEPT:
            self._seen.clear()
        self._seen[asked] = now_ms, page
        return page

    # --- one channel ------------------------------------------------------------------------------

    async def _show(self, visit: Visit) -> Response:
        return await self._frame.page(visit, "channel.html", detail=await self._detail(visit))

    async def _part(self, visit: Visit) -> Response:
        detail = await self._detail(visit)
        return HTMLResponse(self._frame.text(visit, "channel_detail.html", detail=detail))

    async def _detail(self, visit: Visit) -> ChannelDetail:
        detail = await self._channels.detail(visit.path["trip"])
        if detail is None:
            raise Refused(
                OpsCode.NOT_FOUND,
                "The relay knows no trip of this id: it was never opened, or it was closed so long "
                "ago that its record is gone. Check the id.",
            )
        return detail

    async def _hold(self, visit: Visit) -> Response:
        until_ms = self._frame.now_ms() + in_days(visit.form, "days")
        await self._holds.place(visit.actor, visit.path["trip"], until_ms, note(visit.form))
        return see_other(_address(visit.path["trip"]), "held")

    async def _release(self, visit: Visit) -> Response:
        await self._holds.release(visit.actor, visit.path["trip"], note(visit.form))
        return see_other(_address(visit.path["trip"]), "released")

    # --- closing by hand --------------------------------------------------------------------------

    async def _ask(self, visit: Visit) -> Response:
        detail = await self._detail(visit)
        if detail.row.state == "closed":
            return see_other(_address(detail.row.trip))
        address = _address(detail.row.trip)
        return await self._asked(visit, [detail.row.trip], address + "/close", address)

    async def _close(self, visit: Visit) -> Response:
        trip = visit.path["trip"]
        reason = chosen(HandReason, visit.form, "reason")
        await self._channels.close(visit.actor, trip, reason, note(visit.form))
        return see_other(_address(trip), "closed")

    async def _confirm_several(self, visit: Visit) -> Response:
        most = MOST_BY_SUPERVISOR if visit.is_supervisor else MOST_BY_AGENT
        trips = visit.form.many("trip")
        if not trips:
            raise Refused(
                OpsCode.INVALID,
                "No channel is selected, so there is nothing to close. Tick those that are meant.",
            )
        if len(trips) > most:
            raise Refused(
                OpsCode.TOO_MANY,
                f"You may close {most} channels at once, and chose more, so none was closed. "
                "Choose fewer, or ask a supervisor.",
            )
        return await self._ask_several(visit)

    async def _ask_several(self, visit: Visit) -> Response:
        return await self._asked(visit, visit.form.many("trip"), "/ops/close/now", "/ops")

    async def _asked(self, visit: Visit, trips: list[str], action: str, back: str) -> Response:
        return await self._frame.page(
            visit, "close.html", trips=trips, action=action, back=back, reasons=list(HandReason)
        )

    async def _close_several(self, visit: Visit) -> Response:
        trips = visit.form.many("trip")
        reason = chosen(HandReason, visit.form, "reason")
        outcomes = await self._channels.close_several(visit.actor, trips, reason, note(visit.form))
        parts = self._frame.parts(
            visit, "closing.html", total=len(trips), outcomes=self._to_the_end(outcomes)
        )
        return streamed(parts)

    async def _to_the_end(
        self, outcomes: AsyncIterator[tuple[str, Result]]
    ) -> AsyncIterator[tuple[str, Result]]:
        """The outcomes as they come. What was begun is done though the browser goes away."""
        told: asyncio.Queue[tuple[str, Result] | None] = asyncio.Queue()

        async def close() -> None:
            try:
                async for outcome in outcomes:
                    told.put_nowait(outcome)
            finally:
                told.put_nowait(None)

        closing = asyncio.create_task(close(), name="close-several")
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)
        while (outcome := await told.get()) is not None:
            yield outcome
        await closing


def _address(trip: str) -> str:
    return f"/ops/channels/{quote(trip, safe='')}"
