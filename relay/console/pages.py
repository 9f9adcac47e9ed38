"""An address of the console: finds out who asks, refuses what no page of ours sent, and answers
every failure with a page in plain words.

Nothing that anybody typed gets into an error or a log: of an unexpected exception only its type and
where it was raised.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .. import logs
from ..core.casework import StaffScope
from ..ops.actor import Actor, address_of
from ..ops.desk import Desk
from ..ops.refusals import OpsCode, Refused
from ..ops.sessions import Session
from ..store.endpoint import StoreError
from ..vault.ring import KeyUnavailable
from .bell import Bell
from .forms import Form, from_own_page, read_form
from .statics import Static, load_statics
from .words import LOCALES, Words, chosen

log = structlog.get_logger(__name__)

COOKIE: Final = "__Host-relay-ops"
_COOKIE_FLAGS: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"

#: A form post takes its browser to another page only by a redirect to one of ours.
SECURITY: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: with that a browser posts our own forms with `Origin: null`.
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_STATUS: Final = {
    OpsCode.NOT_ALLOWED: 403,
    OpsCode.NOT_FOUND: 404,
    OpsCode.CONFLICT: 409,
    OpsCode.INVALID: 422,
    OpsCode.TOO_MANY: 422,
    OpsCode.LOCKED: 423,
    OpsCode.GONE: 410,
}

_NO_FORM: Final = Form([])


@dataclass(slots=True, repr=False)
class Visit:
    """One request. `refusal` is why what was posted has not been done, for the page to say."""

    path: Mapping[str, str]
    query: QueryParams
    headers: Headers
    address: str
    words: Words
    session: Session | None = None
    form: Form = field(default_factory=lambda: _NO_FORM)
    refusal: Refused | None = None

    @property
    def actor(self) -> Actor:
        return self.signed_in.actor

    @property
    def signed_in(self) -> Session:
        assert self.session is not None  # the page lets nobody else in
        return self.session

    @property
    def is_supervisor(self) -> bool:
        return self.session is not None and self.session.operator.scope is StaffScope.SUPERVISOR


Handler = Callable[[Visit], Awaitable[Response]]


class Frame:
    """What all pages share: the services, the templates, the words, what is said on every page."""

    def __init__(self, desk: Desk, *, now_ms: Callable[[], int]) -> None:
        self.desk = desk
        self.now_ms = now_ms
        self.bell = Bell(desk, now_ms=now_ms)
        self.statics: dict[str, Static] = load_statics()
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True, undefined=jinja2.StrictUndefined, auto_reload=False,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters["segment"] = lambda text: quote(text, safe="")
        self._templates.globals["static"] = lambda name: self.statics[name].path

    async def page(
        self, visit: Visit, template: str, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A whole page; what was refused on the way is said at its top."""
        if visit.refusal is not None:
            status = _STATUS[visit.refusal.code]
        ringing = await self.bell.ringing(visit.actor) if visit.session else None
        return HTMLResponse(self.text(visit, template, ringing=ringing, **values), status)

    def text(self, visit: Visit, template: str, **values: Any) -> str:
        """A template as text, whole or a part of a page."""
        return self._templates.get_template(template).render(self._context(visit) | values)

    def parts(self, visit: Visit, template: str, **values: Any) -> AsyncIterator[str]:
        """A page that is sent while it is being made."""
        context = self._context(visit) | values
        return self._streaming.get_template(template).generate_async(context)

    @property
    def _streaming(self) -> jinja2.Environment:
        return self._templates.overlay(enable_async=True)

    def _context(self, visit: Visit) -> dict[str, Any]:
        done = visit.query.get("done", "")
        return {
            "t": visit.words,
            "visit": visit,
            "session": visit.session,
            "csrf": visit.session.csrf if visit.session else "",
            "now": self.now_ms(),
            "ringing": None,
            # Only what the catalogue knows: an address cannot put words into our mouth.
            "done": visit.words(f"done.{done}") if visit.words.knows(f"done.{done}") else "",
        }


class Page:
    """One address, as an ASGI application.

    `get` shows it, `post` does something; where that is refused, `get` (or `shown_on`) shows the
    page again with the reason. Only who is signed in gets to either, unless `open_to_all`; and only
    supervisors with `supervisors_only`. A `quiet` address is one that pages ask by themselves: it
    does not keep a session alive, and sends nobody to the sign-in.
    """

    def __init__(
        self, frame: Frame, get: Handler | None = None, post: Handler | None = None, *,
        shown_on: Handler | None = None, open_to_all: bool = False, supervisors_only: bool = False,
        quiet: bool = False,
    ) -> None:  # fmt: skip
        self._frame = frame
        self._get = get
        self._post = post
        self._shown_on = shown_on or get
        self._open_to_all = open_to_all
        self._supervisors_only = supervisors_only
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        headers = request.headers
        address = address_of(request.client.host) if request.client else ""
        visit = Visit(
            request.path_params, request.query_params, headers, address,
            Words(chosen(headers.get("accept-language", ""))),
        )  # fmt: skip
        try:
            response = await self._answer(visit, scope, receive)
        except Exception as error:  # noqa: BLE001 - the person is told, the log holds where
            response = await self._failed(visit, error)
        for name, value in SECURITY.items():
            response.headers[name] = value
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)

    async def _answer(self, visit: Visit, scope: Scope, receive: Receive) -> Response:
        method = scope["method"]
        handler = self._post if method == "POST" else self._get
        if method not in ("GET", "HEAD", "POST") or handler is None:
            raise Refused(
                OpsCode.NOT_FOUND,
                "There is nothing to see at this address by itself. Nothing was done. Go to the "
                "list of channels and start from there.",
            )
        if method == "POST":
            if not from_own_page(visit.headers):
                raise _not_ours()
            visit.form = await read_form(visit.headers, receive)
        await self._find_session(visit)
        if visit.session is None and not self._open_to_all:
            return self._to_the_door(visit, scope)
        if method == "POST" and visit.session is not None:
            _check_token(visit.form, visit.session)
        if self._supervisors_only and not visit.is_supervisor:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "This page is for supervisors; nothing was shown or done. Ask one of them.",
            )
        try:
            return await handler(visit)
        except Refused as refused:
            if method != "POST" or self._shown_on is None:
                raise
            visit.refusal = refused
            return await self._shown_on(visit)

    async def _find_session(self, visit: Visit) -> None:
        cookie = _cookie(visit.headers)
        if cookie:
            visit.session = await self._frame.desk.sessions.session(
                cookie, visit.address, touch=not self._quiet
            )
        if visit.session is not None:
            locale = visit.session.operator.locale
            visit.words = Words(locale if locale in LOCALES else visit.words.locale)

    def _to_the_door(self, visit: Visit, scope: Scope) -> Response:
        if self._quiet:
            return Response(status_code=401)
        if visit.headers.get("sec-fetch-site") == "cross-site":
            # The cookie does not come along with a link from elsewhere; from our page it does.
            return HTMLResponse(self._frame.text(visit, "continue.html"))
        wanted = scope["path"] if scope["method"] == "GET" else ""
        return RedirectResponse(f"/ops/sign-in?next={quote(wanted, safe='')}", 303)

    async def _failed(self, visit: Visit, error: Exception) -> Response:
        """The page that says what went wrong; it needs no service that may be the reason."""
        match error:
            case Refused():
                status, kind, detail = _STATUS[error.code], f"refused.{error.code}", error.detail
            case StoreError():
                log.warning("console_store_error", error=type(error).__name__)
                status, kind, detail = 503, "failed.store", ""
            case KeyUnavailable():
                log.warning("console_key_unavailable")
                status, kind, detail = 503, "failed.keys", ""
            case _:
                log.error("console_failed", error=type(error).__name__, at=logs.places(error))
                status, kind, detail = 500, "failed.internal", ""
        if self._quiet:
            return Response(status_code=status)
        return HTMLResponse(
            self._frame.text(visit, "failed.html", kind=kind, detail=detail), status
        )


def see_other(path: str, done: str = "") -> Response:
    """After an act: go and look at the page, which says what was `done`."""
    return RedirectResponse(f"{path}?done={done}" if done else path, 303)


def streamed(parts: AsyncIterator[str]) -> Response:
    return StreamingResponse(parts, media_type="text/html; charset=utf-8")


def keep_cookie(response: Response, value: str) -> Response:
    response.headers.append("set-cookie", f"{COOKIE}={value}; {_COOKIE_FLAGS}")
    return response


def drop_cookie(response: Response) -> Response:
    response.headers.append("set-cookie", f"{COOKIE}=; Max-Age=0; {_COOKIE_FLAGS}")
    return response


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _check_token(form: Form, session: Session) -> None:
    if not hmac.compare_digest(form.one("csrf").encode(), session.csrf.encode()):
        raise _not_ours()


def _not_ours() -> Refused:
    return Refused(
        OpsCode.NOT_ALLOWED,
        "This was not sent by a page of your own session, so nothing was done. Go back, load the "
        "page again and repeat it; if you did not send anything, tell a supervisor.",
    )
