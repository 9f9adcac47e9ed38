"""The relay's HTTP API as the command line calls it: one request, one answer, one-line errors."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, Final
from urllib.parse import quote, urlsplit

from .words import visible

_TIMEOUT_S: Final = 15.0
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class ApiError(Exception):
    """The call was refused or not answered; the text is one line for a person."""


class Api:
    """An API at a base URL, called with a key. Raises `ValueError` for what is no such URL.

    `/livez` and `/readyz` need no key.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("the API's address begins with http:// or https:// and names a host")
        if parts.query or parts.fragment:
            raise ValueError("the API's address has neither ? nor #")
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._key = key

    def __repr__(self) -> str:
        return f"Api({self._shown!r})"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make a call and give the answer's JSON. Raises `ApiError`."""
        headers = {"Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        status, raw = self._exchange(method, self._base + path, content, headers)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if 200 <= status < 300 and answer is not None:
            return answer
        raise ApiError(self._refusal(status, answer))

    def _exchange(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise ApiError(
                    f"no relay answers at {self._shown} ({_reason(error)}), so nothing was done. "
                    "Start one with `relay serve`, or name its API with --url or RELAY_URL."
                ) from None
            try:
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                return answer.status, answer.read(_MAX_ANSWER_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise ApiError(
                    f"{self._shown} took the call and did not answer ({_reason(error)}), so it may "
                    "or may not have been done. Repeat it as it is: that is safe."
                ) from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=_TIMEOUT_S, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)

    def _refusal(self, status: int, answer: Any) -> str:
        if not (isinstance(answer, dict) and isinstance(answer.get("title"), str)):
            return (
                f"the server at {self._shown} answered HTTP {status}, and not as a relay's API "
                "does. Check --url or RELAY_URL."
            )
        text = answer["title"]
        if isinstance(answer.get("detail"), str):
            text += f": {answer['detail']}"
        if isinstance(answer.get("field"), str):
            text += f" (field: {answer['field']})"
        return visible(text)


def trip_path(trip: str, *more: str) -> str:
    """The path of a trip's call; whatever the id holds, it stays one segment."""
    return "/".join(["/v1/trips", quote(trip, safe=""), *more])


def _reason(error: Exception) -> str:
    # The text of an HTTPException may quote what the server sent.
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
