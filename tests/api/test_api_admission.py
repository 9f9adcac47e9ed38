"""A caller in a loop, a guesser of keys, and a store that hangs: what the others feel of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from relay.api.admission import Admission
from relay.api.limits import Limits
from relay.api.problems import Problem
from relay.rig.platform import Platform
from relay.rig.waiting import until
from tests.support.relay import RelayProcess

if TYPE_CHECKING:
    from pathlib import Path

_LIMITS = Limits(
    longest_trip_s=1, longest_retention_s=1, longest_report_window_s=1, token_ttl_s=1,
    calls_per_s=5, staff_calls_per_s=2, unknown_keys_per_s=1, calls_at_a_time=2,
)  # fmt: skip


async def test_each_key_has_its_rate_and_who_holds_it_counts() -> None:
    admission = Admission(_LIMITS)

    for key_id, is_platform, burst in (("a", True, 20), ("b", True, 20), ("c", False, 8)):
        for _ in range(burst):
            admission.calls(key_id, is_platform=is_platform)
        with pytest.raises(Problem) as caught:
            admission.calls(key_id, is_platform=is_platform)
        assert (caught.value.status, caught.value.headers["retry-after"]) == (429, "1")


async def test_so_many_are_answered_at_a_time() -> None:
    admission = Admission(_LIMITS)
    with admission.answering():
        with pytest.raises(ZeroDivisionError), admission.answering():
            raise ZeroDivisionError
        with admission.answering(), pytest.raises(Problem) as caught, admission.answering():
            pass
        assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "1")
    with admission.answering():
        pass


async def test_a_caller_in_a_loop_and_a_guesser_do_not_stop_the_platform(tmp_path: Path) -> None:
    async with RelayProcess(tmp_path, calls_per_s=10) as relay:
        assert (await relay.open("t1")).status_code == 201
        guess = {"Authorization": "Bearer relay_00000000_" + "A" * 22}
        guesses = [
            await relay.http.get(f"{relay.api_url}/v1/trips/t1", headers=guess) for _ in range(110)
        ]
        codes = [answer.json()["code"] for answer in guesses]
        assert set(codes) == {"unauthorized", "rate"} and codes.index("rate") >= 80
        assert guesses[-1].status_code == 429 and int(guesses[-1].headers["retry-after"]) >= 1
        answers = [await relay.call("GET", "/v1/trips/t1") for _ in range(60)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200 and refused
        assert all(answer.headers["retry-after"] for answer in refused)
        for path in ("/livez", "/readyz"):
            assert (await relay.http.get(relay.api_url + path)).status_code == 200

        async def is_served() -> bool:
            return (await relay.call("GET", "/v1/trips/t1")).status_code == 200

        await until(is_served, "it is served again")


async def test_calls_do_not_pile_up_before_a_store_that_hangs(tmp_path: Path) -> None:
    """Each is answered within the store's time and a bit, most of them at once; then all is well."""
    async with RelayProcess(tmp_path, store_timeout_s=1) as relay:
        assert (await relay.open("t1")).status_code == 201
        os.kill(relay.store_pid(), signal.SIGSTOP)
        try:
            began_s = asyncio.get_running_loop().time()
            platform = Platform(relay.api_url, relay.key)
            answers = await asyncio.gather(
                *(platform.call("GET", "/v1/trips/t1") for _ in range(400))
            )
            platform.close()
            assert asyncio.get_running_loop().time() - began_s < 8
            assert {answer.status for answer in answers} == {503}
            codes = Counter(answer.body["code"] for answer in answers)
            assert codes.keys() == {"overloaded", "store_unavailable"}
            assert codes["overloaded"] >= 400 - 256
            assert (await relay.http.get(f"{relay.api_url}/livez")).status_code == 200
        finally:
            os.kill(relay.store_pid(), signal.SIGCONT)

        async def is_served() -> bool:
            return (await relay.call("GET", "/v1/trips/t1")).status_code == 200

        await until(is_served, "it is served again")


async def test_bodies_that_do_not_end_take_nobodys_place(tmp_path: Path) -> None:
    async with RelayProcess(tmp_path) as relay, AsyncExitStack() as stack:
        assert (await relay.open("t1")).status_code == 201
        parts = urlsplit(relay.api_url)
        head = (
            f"POST /v1/trips/t1/end HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {relay.key}\r\nContent-Type: application/json\r\n"
            "Content-Length: 14\r\nExpect: 100-continue\r\n\r\n"
        ).encode()
        for _ in range(256 + 10):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            stack.callback(writer.close)
            writer.write(head)
            assert (await reader.readline()).startswith(b"HTTP/1.1 100"), "the body is awaited"
        assert (await relay.call("GET", "/v1/trips/t1")).json()["state"] == "open"
        writer.write(b'{"grace_s": 0}')

        async def has_ended() -> bool:
            return bool((await relay.call("GET", "/v1/trips/t1")).json()["state"] == "closed")

        await until(has_ended, "the one whose body ends is answered")
