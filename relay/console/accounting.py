"""For supervisors: the audit log, and the alarms about operators."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from ..core.acts import Act
from .asked import note
from .pages import Frame, Page, Visit, see_other

_ROWS: Final = 50
_FILTERS: Final = ("actor", "act", "trip", "party", "case")


class AccountingPages:
    """The pages `/ops/audit` and `/ops/alarms`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._audit = frame.desk.audit
        self._watch = frame.desk.watch

    def pages(self) -> dict[str, Page]:
        frame = self._frame
        return {
            "/ops/audit": Page(frame, self._show_audit, supervisors_only=True),
            "/ops/audit/verify": Page(
                frame, None, self._verify, shown_on=self._show_audit, supervisors_only=True
            ),
            "/ops/audit/export": Page(
                frame, None, self._export, shown_on=self._show_audit, supervisors_only=True
            ),
            "/ops/alarms": Page(
                frame, self._show_alarms, self._acknowledge, supervisors_only=True
            ),
        }  # fmt: skip

    # --- the audit log ----------------------------------------------------------------------------

    async def _show_audit(self, visit: Visit) -> Response:
        return await self._audit_page(visit)

    async def _audit_page(self, visit: Visit, **more: Any) -> Response:
        asked = {name: visit.query.get(name, "").strip()[:64] for name in _FILTERS}
        before = visit.query.get("before", "")
        is_place = before.isascii() and before.isdigit() and len(before) < 16
        entries = await self._audit.page(
            before=int(before) if is_place else None, count=_ROWS, reader=visit.actor.id, **asked
        )
        more.setdefault("verdict", None)

        def address(**place: str) -> str:
            given = urlencode({k: v for k, v in (asked | place).items() if v})
            return f"/ops/audit?{given}" if given else "/ops/audit"

        has_more = len(entries) == _ROWS and entries[-1].n > 1
        return await self._frame.page(
            visit, "audit.html", asked=asked, acts=list(Act),
            entries=entries,
            first_page=address() if before else "",
            next_page=address(before=str(entries[-1].n)) if has_more else "", **more,
        )  # fmt: skip

    async def _verify(self, visit: Visit) -> Response:
        return await self._audit_page(visit, verdict=await self._audit.verify())

    async def _export(self, visit: Visit) -> Response:
        exported = await self._audit.export(visit.actor)
        return StreamingResponse(
            (line + b"\n" async for line in exported),
            media_type="application/x-ndjson",
            headers={"content-disposition": 'attachment; filename="relay-audit.jsonl"'},
        )

    # --- alarms -----------------------------------------------------------------------------------

    async def _show_alarms(self, visit: Visit) -> Response:
        return await self._frame.page(
            visit, "alarms.html", alarms=await self._watch.alarms(visit.actor)
        )

    async def _acknowledge(self, visit: Visit) -> Response:
        await self._watch.acknowledge(visit.actor, visit.form.one("alarm"), note(visit.form))
        self._frame.bell.forget()
        return see_other("/ops/alarms", "acknowledged")
