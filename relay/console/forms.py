"""Reading a form that a browser has posted, and whether a page of ours has posted it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.types import Receive

from ..ops.refusals import OpsCode, Refused

#: Five hundred trips and a note of five hundred letters, each letter in its longest disguise.
MAX_FORM_BYTES: Final = 128 * 1024
_MAX_FIELDS: Final = 600
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form; a name may stand several times. Never in an error or a log."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __repr__(self) -> str:
        return "Form(****)"

    def one(self, name: str) -> str:
        """The field's text without blanks around it, "" if it is not there."""
        return next((value.strip() for key, value in self._pairs if key == name), "")

    def secret(self, name: str) -> str:
        """The field's text exactly as typed: blanks may belong to a password."""
        return next((value for key, value in self._pairs if key == name), "")

    def many(self, name: str) -> list[str]:
        """Every text of that name, in order, each once."""
        return list(dict.fromkeys(value for key, value in self._pairs if key == name))


def from_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that the request comes from a page of this very origin.

    `Sec-Fetch-Site` cannot be set by a page's script. Browsers that do not send it send `Origin`.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == headers.get("host")


async def read_form(headers: Mapping[str, str], receive: Receive) -> Form:
    """The posted form. Raises `Refused` for anything that no page of ours posts."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise _not_a_form()
    raw, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _not_a_form()
        raw += message.get("body", b"")
        more = message.get("more_body", False)
        if len(raw) > MAX_FORM_BYTES:
            raise Refused(
                OpsCode.TOO_MANY,
                f"The form has more than {MAX_FORM_BYTES // 1024} KiB. Nothing was done. Select "
                "fewer or write less.",
            )
    try:
        return Form(
            parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS,
                errors="strict",
            )
        )  # fmt: skip
    except ValueError:
        raise _not_a_form() from None


def _not_a_form() -> Refused:
    return Refused(
        OpsCode.INVALID,
        "What came is not a form of this console. Nothing was done. Go back, load the page again "
        "and repeat it.",
    )
