"""Everything before a call is reached: keys, addresses, methods, bodies; health; and the logs."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from relay.api import auth
from relay.api.auth import ApiKeys, KeyScope
from relay.api.types import OpenTrip, PartyInput
from relay.store.endpoint import Endpoint, StoreError
from relay.store.keys import APIKEYS
from relay.store.pipe import ServerPipe
from relay.vault.ring import KeyRing

if TYPE_CHECKING:
    from conftest import World

# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer x", "Basic cmVsYXk6cmVsYXk=", "Bearer +6281234567890",
        "Bearer relay_00000000_" + "A" * 22, "relay_00000000_" + "A" * 22,
        "Bearer relay_00000000_" + "A" * 2000, b"Bearer \xff\xfe",
    ],
)  # fmt: skip
async def test_without_a_good_key_nothing_is_done(world: World, header: Any) -> None:
    headers = {} if header is None else {"authorization": header}
    for method, path in (("GET", "/v1/trips"), ("POST", "/v1/trips/t1/end"), ("GET", "/metrics")):
        answer = await world.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not await world.store.pipe.call("KEYS", "{p*")


async def test_the_right_id_with_a_wrong_secret_is_no_key(world: World) -> None:
    wrong = _wrong(world.key)
    for _ in range(2):  # looked up, and remembered
        assert (await world.call("GET", "/v1/trips", key=wrong)).status_code == 401
        assert (await world.call("GET", "/v1/trips")).status_code == 200


def _wrong(key: str) -> str:
    """The same id with another secret."""
    return key[:-1] + ("A" if key[-1] != "A" else "B")


@pytest.mark.parametrize("scope", list(KeyScope))
async def test_each_scope_opens_only_its_own(world: World, scope: KeyScope) -> None:
    key = await world.new_key(scope)
    expected = {
        "/v1/trips": scope is KeyScope.PLATFORM,
        "/metrics": scope in (KeyScope.PLATFORM, KeyScope.METRICS),
    }
    for path, allowed in expected.items():
        answer = await world.call("GET", path, key=key)
        assert answer.status_code == (200 if allowed else 403)
        if not allowed:
            assert answer.json()["code"] == "forbidden"


async def test_a_revoked_key_dies_within_its_lifetime(world: World) -> None:
    key = await world.new_key("platform")
    loop = asyncio.get_running_loop()
    assert (await world.call("GET", "/v1/trips", key=key)).status_code == 200
    assert await auth.revoke_key(world.store.pipe, key.split("_")[1])
    revoked_s = loop.time()

    async def dead() -> bool:
        return (await world.call("GET", "/v1/trips", key=key)).status_code == 401

    await world.until(dead)
    assert loop.time() - revoked_s < world.limits.api_key_lifetime_s + 0.5
    assert not await auth.revoke_key(world.store.pipe, key.split("_")[1])


async def test_a_key_that_was_looked_up_costs_no_round_trip(world: World) -> None:
    keys = ApiKeys(world.store.pipe, lifetime_s=60)
    header = f"Bearer {world.key}".encode()
    await keys.check(header, {KeyScope.PLATFORM})
    before = await _lookups(world)
    await keys.check(header, {KeyScope.PLATFORM})
    assert await _lookups(world) == before
    await ApiKeys(world.store.pipe, lifetime_s=0).check(header, {KeyScope.PLATFORM})
    assert await _lookups(world) == before + 1


async def test_only_what_survives_an_outage_believes_a_key_of_before_it(mortal: World) -> None:
    keys = ApiKeys(mortal.store.pipe, lifetime_s=0)
    header = f"Bearer {mortal.key}".encode()
    await keys.check(header, {KeyScope.PLATFORM})
    await mortal.kill_store()
    await keys.check(header, {KeyScope.PLATFORM}, survives_outage=True)
    with pytest.raises(StoreError):
        await keys.check(header, {KeyScope.PLATFORM})


async def _lookups(world: World) -> int:
    stats = (await world.store.pipe.call("INFO", "commandstats")).decode()
    line = next(line for line in stats.splitlines() if line.startswith("cmdstat_hget:"))
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_keys_are_listed_without_what_they_are(world: World) -> None:
    key = await world.new_key("metrics", note="the scraper")
    listed = await auth.list_keys(world.store.pipe)
    assert [(one.scope, one.note) for one in listed] == [
        (KeyScope.PLATFORM, ""),
        (KeyScope.METRICS, "the scraper"),
    ]
    assert listed[1].id == key.split("_")[1]
    stored = await world.store.pipe.call("HGETALL", APIKEYS)
    secret = key.split("_", 2)[2]
    assert secret not in repr(listed)
    assert secret.encode() not in b"".join(stored)


async def test_two_keys_of_one_id_cannot_be(world: World) -> None:
    given = [b"a" * 20, b"a" * 4 + b"b" * 16, b"c" * 20]
    keys = [
        await auth.new_key(
            world.store.pipe,
            KeyScope.METRICS,
            note="",
            now_ms=0,
            random_bytes=lambda _: given.pop(0),
        )
        for _ in range(2)
    ]
    for key in keys:
        assert (await world.call("GET", "/metrics", key=key)).status_code == 200
    with pytest.raises(ValueError, match="note"):
        await auth.new_key(
            world.store.pipe, KeyScope.METRICS, note="x" * 201, now_ms=0, random_bytes=os.urandom
        )


async def test_a_damaged_key_record_is_no_key(world: World) -> None:
    key = await world.new_key("platform")
    await world.store.pipe.call("HSET", APIKEYS, key.split("_")[1], b'{"hash": "\xff')
    assert (await world.call("GET", "/v1/trips", key=key)).status_code == 401
    assert len(await auth.list_keys(world.store.pipe)) == 1


# --- addresses, methods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1", "/v2/trips", "/v1/trips/", "/v1/trips/t1/", "/v1/trips/t1/parties/driver/phone",
        "/v1/trips/t1/+6281234567890", "/docs", "/metrics/", "/v1/trips/a%2Fb", "/v1/ops/find",
    ],
)  # fmt: skip
async def test_an_unknown_address_is_a_problem_and_no_redirect(world: World, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await world.call(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "location" not in answer.headers


REASSIGN = {"epoch": 1, "party_id": "p", "phone": "+12025550123", "alias": "A"}


@pytest.mark.parametrize(
    "trip", ["%2B6281234567890", "-x", "a b", "t1%0A", "%00", "x" * 65, "%F0%9F%9A%97", "t{1}"]
)
@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None), ("PATCH", "", {"allow": []}), ("POST", "/end", None),
        ("PUT", "/parties/driver", REASSIGN),
        ("POST", "/parties/driver/token", {"party_id": "p"}),
        ("POST", "/system-messages", {"id": "m", "text": "x"}),
    ],
)  # fmt: skip
async def test_a_bad_trip_id_is_no_trip_and_not_repeated(
    world: World, trip: str, method: str, rest: str, body: Any
) -> None:
    answer = await world.call(method, f"/v1/trips/{trip}{rest}", body)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_trip")
    assert not await world.store.pipe.call("KEYS", "{p*")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/trips", "GET, HEAD, POST"), ("PUT", "/v1/trips/t1", "GET, HEAD, PATCH"),
        ("GET", "/v1/trips/t1/end", "POST"), ("OPTIONS", "/v1/trips/t1/parties/driver", "PUT"),
        ("POST", "/livez", "GET, HEAD"), ("PROPFIND", "/metrics", "GET, HEAD"),
    ],
)  # fmt: skip
async def test_a_wrong_method_is_told_the_right_ones(
    world: World, method: str, path: str, allow: str
) -> None:
    answer = await world.call(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


async def test_head_is_get_without_the_body(world: World) -> None:
    await world.open("t1")
    answer = await world.call("HEAD", "/v1/trips/t1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


# --- bodies ---------------------------------------------------------------------------------------


async def _post(world: World, content: Any, **headers: str) -> Any:
    headers = {"content-type": "application/json"} | headers
    headers["authorization"] = f"Bearer {world.key}"
    return await world.http.post("/v1/trips", content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"trip_id=t1", b'{"trip_id": 5, ', b'{"trip_id": "\xff"}', b'{"a": "\\ud800"}',
        b"[" * 60_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"trip_id": 6281234567890',
        b"{} {}", b"\xef\xbb\xbf{}", b"NaN", b"\x00" * 100,
    ],
    ids=range(13),
)  # fmt: skip
async def test_what_is_not_json_is_malformed(world: World, content: bytes) -> None:
    answer = await _post(world, content)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"[]", None), (b"null", None), (b'"+6281234567890"', None), (b"6281234567890", None),
        (b"{}", "trip_id"), (b'{"trip_id": 6281234567890}', "trip_id"),
        (b'{"trip_id": "+6281234567890"}', "trip_id"), (b'{"trip_id": "t1\\n"}', "trip_id"),
        (b'{"phone": "+6281234567890"}', "phone"), (b'{"+6281234567890": 1}', None),
        (b'{"a` - at `$.b` 81234567890": 1}', "a"), (b'{"a` - at `$[81234567890]": 1}', "a"),
        (b'{"x` - at `$.driver.phone": 1}', "driver.phone.x"), (b'{"": 1}', None),
        (b'{"driver": {"+6281234567890": 1}}', "driver"), (b'{"driver": {}}', "driver.party_id"),
        (b'{"driver": 81234567890}', "driver"),
        (b'{"driver": {"phone": 81234567890}}', "driver.phone"),
        (b'{"allow": ["a", "81234567890' + b"x" * 60 + b'"]}', "allow[1]"),
        (b'{"allow": "81234567890"}', "allow"), (b'{"allow": [' + b'"a",' * 32 + b'"a"]}', "allow"),
        (b'{"policy": {"81234567890": "redact"}}', "policy"),
        (b'{"policy": {"phone": "+6281234567890"}}', "policy"),
        (b'{"policy": {"phone": {"+6281234567890": 1}}}', "policy"),
        (b'{"requested_at": "81234567890"}', "requested_at"),
        (b'{"requested_at": 1e400}', "requested_at"),
        (b'{"requested_at": 1.5}', "requested_at"), (b'{"requested_at": -1}', "requested_at"),
        (b'{"requested_at": 9007199254740993}', "requested_at"),
        (b'{"max_duration_s": 0}', "max_duration_s"),
        (b'{"max_duration_s": null}', "max_duration_s"),
        (b'{"max_duration_s": true}', "max_duration_s"), (b'{"retention_s": -1}', "retention_s"),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named_and_not_repeated(
    world: World, content: bytes, field: str | None
) -> None:
    answer = await _post(world, content)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    assert problem.get("field") == field


async def test_a_long_body_is_refused_before_it_is_read(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /v1/trips HTTP/1.1\r\nhost: api\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: 99999999\r\n\r\n" % world.key.encode()
    )
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in answer
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("parts", [65, 1025])
async def test_a_long_body_without_a_length_is_refused(world: World, parts: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /v1/trips HTTP/1.1\r\nhost: api\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n%b"
        % (world.key.encode(), (b"400\r\n" + b" " * 1024 + b"\r\n") * parts)
    )
    if parts == 65:
        writer.write(b"0\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert (b"connection: close" in answer) == (parts == 1025)
    writer.close()
    await writer.wait_closed()


async def test_the_longest_body(world: World) -> None:
    answer = await _post(world, b" " * (64 * 1024) + b"{}")
    assert answer.status_code == 413
    answer = await _post(world, b" " * (64 * 1024 - 2) + b"{}")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("kind", "encoding", "status"),
    [
        ("application/json", "", 422), ("application/json; charset=utf-8", "", 422),
        ('APPLICATION/JSON;charset="UTF-8"', "identity", 422), ("text/json", "", 415),
        ("application/x-www-form-urlencoded", "", 415),
        ("application/json; charset=utf-16", "", 415),
        ("", "", 415), ("application/json", "gzip", 415), ("+6281234567890", "", 415),
    ],
)  # fmt: skip
async def test_only_json_is_taken(world: World, kind: str, encoding: str, status: int) -> None:
    headers = {"content-type": kind}
    if encoding:
        headers["content-encoding"] = encoding
    answer = await _post(world, b"{}", **headers)
    assert answer.status_code == status


async def test_a_caller_who_leaves_halfway_harms_nobody(world: World) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /v1/trips HTTP/1.1\r\nhost: api\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{" % world.key.encode()
    )
    await writer.drain()
    writer.transport.abort()
    await world.open("t1")


# --- health ---------------------------------------------------------------------------------------


async def test_live_and_ready_need_no_key(world: World) -> None:
    assert (await world.http.get("/livez")).json() == {"live": True}
    assert (await world.http.get("/readyz")).json() == {"ready": True}


async def test_not_ready_says_what_is_wrong(world: World) -> None:
    world.problems = ["draining"]
    answer = await world.http.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["draining"])
    assert "draining" in answer.json()["detail"]
    world.problems, world.ring = [], KeyRing()
    answer = await world.http.get("/readyz")
    assert answer.status_code == 503
    assert [text.split()[3] for text in answer.json()["problems"]] == ["numbers", "messages"]
    assert (await world.http.get("/livez")).status_code == 200


async def test_a_ring_whose_time_is_over_is_not_ready(world: World) -> None:
    world.clock.ahead_ms = 10 * 24 * 3600 * 1000
    assert (await world.http.get("/readyz")).status_code == 503


async def test_metrics_survive_the_outage_they_are_needed_in(mortal: World) -> None:
    key = await mortal.new_key("metrics")
    mortal.metrics = lambda: b"relay_up 1\n"
    answer = await mortal.call("GET", "/metrics", key=key)
    assert answer.content == b"relay_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=")
    await mortal.kill_store()
    assert (await mortal.call("GET", "/v1/trips")).status_code == 503
    await asyncio.sleep(mortal.limits.api_key_lifetime_s)  # until the key has to be looked up again
    assert (await mortal.call("GET", "/metrics", key=key)).status_code == 200
    assert (await mortal.call("GET", "/metrics", key=_wrong(key))).status_code == 401
    unknown = "relay_00000000_" + "A" * 22
    assert (await mortal.call("GET", "/metrics", key=unknown)).status_code == 503
    assert (await mortal.http.get("/livez")).status_code == 200


# --- what is logged -------------------------------------------------------------------------------


async def test_a_call_is_logged_by_its_route(world: World) -> None:
    await world.call("GET", f"/v1/trips/{world.driver_phone[1:]}")
    line = world.observed.line("api_call")
    assert line["route"] == "/v1/trips/{trip}"
    assert (line["method"], line["status"]) == ("GET", 404)
    assert line["duration_ms"] > 0


async def test_a_failure_is_logged_by_place_and_never_by_content(world: World) -> None:
    def fail() -> bytes:
        number = world.driver_phone
        raise LookupError(f"{number} with {world.key}")

    world.observed.expects_errors = True
    world.metrics = fail
    answer = await world.call("GET", "/metrics")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    line = world.observed.line("api_failed")
    assert (line["error"], line["route"]) == ("LookupError", "/metrics")
    assert line["at"][-1].startswith("api/test_api_edges.py:")
    assert set(line) == {"event", "error", "route", "at"}
    world.metrics = lambda: b""
    assert (await world.call("GET", "/metrics")).status_code == 200


async def test_a_store_that_refuses_is_logged_by_its_first_word(world: World) -> None:
    await world.store.pipe.call("SET", "{p0}:x", "1")
    from relay.store import keys

    await world.store.pipe.call("SET", keys.trip("t1"), "+6281234567890")
    answer = await world.call("POST", "/v1/trips", world.opening("t1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert world.observed.line("api_store_error")["route"] == "/v1/trips"


def test_what_holds_a_number_or_a_token_does_not_print_it() -> None:
    import pprint

    party = PartyInput("p", "+6281234567890", "A")
    body = OpenTrip(trip_id="t", driver=party, customer=party, requested_at=1)
    for shown in (repr(body), str(party), f"{body}", pprint.pformat([body]), repr(Exception(body))):
        assert "81234567890" not in shown


async def test_an_api_over_a_store_that_was_never_there(world: World) -> None:
    pipe = ServerPipe(
        Endpoint.parse("unix:///nonexistent/valkey.sock"), name="x", reply_timeout_s=1
    )
    world.store.pipe, real = pipe, world.store.pipe
    try:
        async with world.serving():
            assert (await world.http.get("/livez")).status_code == 200
            assert (await world.call("GET", "/v1/trips")).status_code == 503
    finally:
        world.store.pipe = real
