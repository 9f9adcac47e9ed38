"""In and out: enrolling, signing in, signing out."""

from __future__ import annotations

import re
from typing import Final

import segno
from starlette.responses import Response

from ..ops.refusals import OpsCode, Refused
from .pages import Frame, Page, Visit, drop_cookie, keep_cookie, see_other

#: Where the sign-in may send somebody: to an address of this console and nowhere else.
_OWN_PATH: Final = re.compile(r"/ops(/[A-Za-z0-9_:~-][A-Za-z0-9_.:~-]*)*")


class Door:
    """The pages for those who are not signed in."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def pages(self) -> dict[str, Page]:
        return {
            "/ops/sign-in": Page(self._frame, self._show_sign_in, self._sign_in, open_to_all=True),
            "/ops/enrol": Page(self._frame, self._show_enrol, self._enrol, open_to_all=True),
            "/ops/sign-out": Page(self._frame, None, self._sign_out),
        }

    async def _show_sign_in(self, visit: Visit) -> Response:
        if visit.session is not None and visit.refusal is None:
            return see_other("/ops")
        wanted = visit.form.one("next") or visit.query.get("next", "")
        return await self._frame.page(
            visit, "sign_in.html", wanted=wanted if _OWN_PATH.fullmatch(wanted) else ""
        )

    async def _sign_in(self, visit: Visit) -> Response:
        form = visit.form
        signed_in = await self._frame.desk.sessions.sign_in(
            form.one("operator"), form.secret("password"), _digits(form.one("code")),
            visit.address,
        )  # fmt: skip
        wanted = form.one("next")
        to = wanted if _OWN_PATH.fullmatch(wanted) else "/ops"
        return keep_cookie(see_other(to), signed_in.cookie)

    async def _show_enrol(self, visit: Visit) -> Response:
        return await self._frame.page(visit, "enrol.html", enrolment=None, code="", qr="")

    async def _enrol(self, visit: Visit) -> Response:
        form, operators = visit.form, self._frame.desk.operators
        code = form.one("enrolment")
        enrolment = await operators.begin_enrolment(code)
        if form.one("step") == "finish":
            try:
                password = form.secret("password")
                if password != form.secret("again"):
                    raise Refused(
                        OpsCode.INVALID,
                        "The two passwords are not the same. Nothing was saved. Type them again.",
                        field="again",
                    )
                await operators.enrol(
                    code, password, _digits(form.one("code")), address=visit.address
                )
                return see_other("/ops/sign-in", "enrolled")
            except Refused as refused:
                visit.refusal = refused
        return await self._frame.page(
            visit, "enrol.html", enrolment=enrolment, code=enrolment.ticket,
            qr=_qr(enrolment.otpauth_uri),
        )  # fmt: skip

    async def _sign_out(self, visit: Visit) -> Response:
        await self._frame.desk.sessions.sign_out(visit.signed_in)
        return drop_cookie(see_other("/ops/sign-in", "signed_out"))


def _digits(code: str) -> str:
    """The second factor as apps show it, often with a blank in the middle."""
    return "".join(code.split())


def _qr(uri: str) -> str:
    """The address as a picture for a phone's camera."""
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff")
