"""The queue of cases, a case's page, and reading its evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, Response

from ..core.caselife import ANSWERS, Answer, CaseAct, step
from ..core.casework import (
    CaseState,
    Category,
    Outcome,
    ReadingPurpose,
    SanctionKind,
    SanctionReason,
)
from ..ops.cases import CaseDetail, no_case
from ..ops.refusals import OpsCode, Refused
from .asked import chosen, note, whole
from .pages import Frame, Page, Visit, see_other

_ROWS: Final = 50
#: Whose cases are shown: the queue's tabs, and what each asks for.
_VIEWS: Final = ("open", "mine", "unassigned", "closed")
#: An outcome with an answer that fits it, as one choice.
_RESULTS: Final = [
    f"{outcome}:{answer}" for outcome, answers in ANSWERS.items() for answer in answers
]

_Act = Callable[[Visit, str], Awaitable[str]]


class CasePages:
    """The pages under `/ops/cases`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._cases = frame.desk.cases
        self._evidence = frame.desk.evidence

    def pages(self) -> dict[str, Page]:
        frame, one = self._frame, "/ops/cases/{case}"
        acts: dict[str, _Act] = {
            "take": self._take,
            "give": self._give,
            "hand-over": self._hand_over,
            "note": self._note,
            "close": self._close,
            "reopen": self._reopen,
            "widen": self._ask_widening,
            "approve": self._approve_widening,
        }
        return {
            "/ops/cases": Page(frame, self._queue),
            "/ops/cases/list": Page(frame, self._rows, quiet=True),
            one: Page(frame, self._show),
            one + "/evidence": Page(frame, None, self._read, shown_on=self._show),
            one + "/wide": Page(frame, None, self._read_wide, shown_on=self._show),
            **{
                f"{one}/{name}": Page(frame, None, self._does(act), shown_on=self._show)
                for name, act in acts.items()
            },
        }

    # --- the queue --------------------------------------------------------------------------------

    async def _queue(self, visit: Visit) -> Response:
        return await self._frame.page(
            visit, "cases.html", views=_VIEWS, categories=list(Category),
            **await self._found(visit),
        )  # fmt: skip

    async def _rows(self, visit: Visit) -> Response:
        """The queue alone, for a page that has it already."""
        return HTMLResponse(self._frame.text(visit, "case_rows.html", **await self._found(visit)))

    async def _found(self, visit: Visit) -> dict[str, Any]:
        query = visit.query
        view = next((one for one in _VIEWS if one == query.get("view")), "open")
        asked = {
            "view": view if view != "open" else "",
            "category": next((one.value for one in Category if one == query.get("category")), ""),
            "party": query.get("party", "").strip()[:64],
        }
        page = await self._cases.queue(
            state="closed" if view == "closed" else "open",
            assignee={"mine": visit.actor.id, "unassigned": "-"}.get(view, ""),
            category=asked["category"], party=asked["party"],
            cursor=query.get("cursor", "")[:60], count=_ROWS,
        )  # fmt: skip

        def address(path: str, **changes: str) -> str:
            given = urlencode({k: v for k, v in (asked | changes).items() if v})
            return f"{path}?{given}" if given else path

        return {
            "page": page,
            "view": view,
            "asked": asked,
            "tabs": [
                (one, address("/ops/cases", view=one if one != "open" else "")) for one in _VIEWS
            ],
            "fragment": address("/ops/cases/list", cursor=query.get("cursor", "")),
            "first_page": address("/ops/cases") if query.get("cursor") else "",
            "next_page": address("/ops/cases", cursor=page.older) if page.older else "",
        }

    # --- one case ---------------------------------------------------------------------------------

    async def _show(self, visit: Visit) -> Response:
        return await self._frame.page(visit, "case.html", **await self._told(visit))

    async def _told(self, visit: Visit) -> dict[str, Any]:
        detail = await self._cases.detail(visit.path["case"], visit.actor)
        if detail is None:
            raise no_case()
        row = detail.row
        is_mine = row.assignee == visit.actor.id
        return {
            "detail": detail,
            "row": row,
            "is_mine": is_mine,
            "can": {act.value: step(row.state, act) is not None for act in CaseAct},
            "results": _RESULTS,
            "purposes": list(ReadingPurpose),
            "widening": self._widening(visit, detail),
            "colleagues": await self._colleagues(visit),
            # For the form that imposes a sanction from this case.
            "party": row.reported_party,
            "other": row.reporter_party,
            "case_id": row.id if row.state is not CaseState.CLOSED and is_mine else "",
            "kinds": list(SanctionKind),
            "reasons": list(SanctionReason),
        }

    def _widening(self, visit: Visit, detail: CaseDetail) -> str:
        """How far a reading beyond the evidence has come, in one word."""
        wide, now_ms = detail.widening, self._frame.now_ms()
        if wide is None:
            return "none"
        if wide.until:
            return "allowed" if now_ms < wide.until else "ended"
        return "asked" if now_ms < wide.ask_until else "lapsed"

    async def _colleagues(self, visit: Visit) -> list[tuple[str, str]]:
        """(id, name) of whom a case can be given to."""
        return [
            (one.id, one.name)
            for one in await self._frame.desk.operators.listed()
            if not one.disabled and one.enrolled and one.id != visit.actor.id
        ]

    # --- acts -------------------------------------------------------------------------------------

    def _does(self, act: _Act) -> Callable[[Visit], Awaitable[Response]]:
        async def do(visit: Visit) -> Response:
            case = visit.path["case"]
            self._frame.bell.forget()
            return see_other(f"/ops/cases/{quote(case, safe='')}", await act(visit, case))

        return do

    async def _take(self, visit: Visit, case: str) -> str:
        await self._cases.assign(visit.actor, case, visit.actor.id)
        return "taken"

    async def _give(self, visit: Visit, case: str) -> str:
        await self._cases.assign(visit.actor, case, visit.form.one("to"))
        return "given"

    async def _hand_over(self, visit: Visit, case: str) -> str:
        form = visit.form
        await self._cases.hand_over(visit.actor, case, form.one("to"), note(form))
        return "given"

    async def _note(self, visit: Visit, case: str) -> str:
        await self._cases.note(visit.actor, case, note(visit.form))
        return "noted"

    async def _close(self, visit: Visit, case: str) -> str:
        result = visit.form.one("result")
        if result not in _RESULTS:
            raise Refused(
                OpsCode.INVALID,
                "An outcome has to be chosen and was not, so the case stays open. Choose one.",
                field="result",
            )
        outcome, _, answer = result.partition(":")
        await self._cases.close(
            visit.actor, case, Outcome(outcome), note(visit.form), Answer(answer)
        )
        return "case_closed"

    async def _reopen(self, visit: Visit, case: str) -> str:
        await self._cases.reopen(visit.actor, case, note(visit.form))
        return "reopened"

    async def _ask_widening(self, visit: Visit, case: str) -> str:
        await self._evidence.ask_widening(visit.actor, case, note(visit.form))
        return "asked"

    async def _approve_widening(self, visit: Visit, case: str) -> str:
        await self._evidence.approve_widening(visit.actor, case, whole(visit.form, "request") or 0)
        return "approved"

    # --- evidence ---------------------------------------------------------------------------------

    async def _read(self, visit: Visit) -> Response:
        """Shown in the answer to the post itself: there is no address that shows it again."""
        purpose = chosen(ReadingPurpose, visit.form, "purpose")
        opened = await self._evidence.read(visit.actor, visit.path["case"], purpose)
        return await self._frame.page(
            visit, "evidence.html", opened=opened, purpose=purpose, is_wide=False,
            **await self._told(visit),
        )  # fmt: skip

    async def _read_wide(self, visit: Visit) -> Response:
        purpose = chosen(ReadingPurpose, visit.form, "purpose")
        messages = await self._evidence.read_wide(visit.actor, visit.path["case"], purpose)
        return await self._frame.page(
            visit, "evidence.html", opened=None, messages=messages, purpose=purpose, is_wide=True,
            **await self._told(visit),
        )  # fmt: skip
