"""Where every page of the console is, as routes for the API's application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..ops.desk import Desk
from .account import AccountPages
from .accounting import AccountingPages
from .cases import CasePages
from .channels import ChannelPages
from .door import Door
from .pages import SECURITY, Frame, Page
from .parties import PartyPages

_FOR_GOOD: Final = "public, max-age=31536000, immutable"


def routes(desk: Desk, *, now_ms: Callable[[], int]) -> list[Route]:
    """Every address under `/ops`. `now_ms` is the store's time."""
    frame = Frame(desk, now_ms=now_ms)
    pages: dict[str, Page] = {}
    for part in (Door, ChannelPages, CasePages, PartyPages, AccountingPages, AccountPages):
        pages |= part(frame).pages()
    nothing = Page(frame, open_to_all=True)
    return [
        Route("/ops/static/{version}/{name}", _static(frame)),
        # Addresses that are written out come before those that hold an id.
        *(Route(path, page) for path, page in sorted(pages.items(), key=lambda one: "{" in one[0])),
        Route("/ops/{rest:path}", nothing),
    ]


def _static(frame: Frame) -> Callable[[Request], Awaitable[Response]]:
    by_path = {static.path: static for static in frame.statics.values()}

    async def give(request: Request) -> Response:
        found = by_path.get(request.scope["path"])
        if found is None:
            return Response(status_code=404, headers=SECURITY)
        headers = SECURITY | {"cache-control": _FOR_GOOD}
        return Response(found.content, media_type=found.media_type, headers=headers)

    return give
