"""The relay's HTTP API as the command line calls it: one request, one answer, one-line errors."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlsplit

from .words import visible

_TIMEOUT_S: Final = 15.0
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_MAX_LINE_BYTES: Final = 64 * 1024


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

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, repeatable: bool = True
    ) -> Any:
        """Make a call and give the answer's JSON; one that is not `repeatable` does twice what it
        is asked for twice. Raises `ApiError`."""
        with self._answering(method, path, body, repeatable=repeatable) as response:
            status, answer = response.status, _json(response.read(_MAX_ANSWER_BYTES))
        if 200 <= status < 300 and answer is not None:
            return answer
        raise ApiError(self._refusal(status, answer))

    def lines(self, method: str, path: str, body: dict[str, Any]) -> Iterator[Any]:
        """Make a call whose answer comes line by line, and give the JSON of each as it comes.

        Raises `ApiError`; what a line has told before that is done.
        """
        with self._answering(method, path, body) as response:
            if not 200 <= response.status < 300:
                answer = _json(response.read(_MAX_ANSWER_BYTES))
                raise ApiError(self._refusal(response.status, answer))
            while line := response.readline(_MAX_LINE_BYTES):
                answer = _json(line)
                if not isinstance(answer, dict) or "code" in answer:
                    raise ApiError(self._refusal(response.status, answer))
                yield answer

    @contextmanager
    def _answering(
        self, method: str, path: str, body: dict[str, Any] | None, *, repeatable: bool = True
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a call, to be read while this lasts. Raises `ApiError`."""
        headers = {"Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
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
                connection.request(method, self._base + path, content, headers)
                yield connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                again = (
                    "Repeat it as it is: that is safe."
                    if repeatable
                    else "See whether it was done before you repeat it: it may be done twice."
                )
                raise ApiError(
                    f"{self._shown} took the call and did not answer ({_reason(error)}), so it may "
                    f"or may not have been done. {again}"
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


def _json(raw: bytes) -> Any:
    """The JSON in an answer, None if it holds none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def trip_path(trip: str, *more: str) -> str:
    """The path of a trip's call; whatever the id holds, it stays one segment."""
    return "/".join(["/v1/trips", quote(trip, safe=""), *more])


def ops_path(*parts: str) -> str:
    """The path of an operators' call; whatever a part holds, it stays one segment."""
    return "/".join(["/v1/ops", *(quote(part, safe="") for part in parts)])


def _reason(error: Exception) -> str:
    # The text of an HTTPException may quote what the server sent.
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
