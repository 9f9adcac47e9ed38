"""A person's own page, and what every page asks for by itself."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from ..ops.refusals import OpsCode, Refused
from .pages import Frame, Page, Visit, see_other
from .words import LOCALES


class AccountPages:
    """The pages `/ops/account` and `/ops/bell`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def pages(self) -> dict[str, Page]:
        return {
            "/ops/account": Page(self._frame, self._show, self._save),
            "/ops/account/others": Page(
                self._frame, None, self._sign_out_others, shown_on=self._show
            ),
            "/ops/bell": Page(self._frame, self._ring, quiet=True),
        }

    async def _show(self, visit: Visit) -> Response:
        others = await self._frame.desk.sessions.count(visit.actor.id) - 1
        return await self._frame.page(visit, "account.html", locales=LOCALES, others=others)

    async def _save(self, visit: Visit) -> Response:
        locale = visit.form.one("locale")
        if locale not in LOCALES:
            raise Refused(
                OpsCode.INVALID, "The console does not speak that language. Nothing was changed.",
                field="locale",
            )  # fmt: skip
        await self._frame.desk.operators.set_locale(visit.actor.id, locale)
        return see_other("/ops/account", "saved")

    async def _sign_out_others(self, visit: Visit) -> Response:
        await self._frame.desk.sessions.sign_out_others(visit.signed_in)
        return see_other("/ops/account", "others_out")

    async def _ring(self, visit: Visit) -> Response:
        ringing = await self._frame.bell.ringing(visit.actor)
        return HTMLResponse(self._frame.text(visit, "bell.html", ringing=ringing))
