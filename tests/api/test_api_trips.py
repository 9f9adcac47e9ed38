"""The platform's calls on trips: retries, races, lost answers, and what they must not tell."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from relay.api.types import Trip, TripEnded, TripList, TripOpened
from relay.core.body import Body, unpack_body
from relay.core.ids import Role
from relay.store import keys, scripts
from relay.store.endpoint import pack
from relay.store.records import Attachment, NotAttached
from relay.vault.envelope import MessageCipher, unwrap
from relay.vault.ring import KeyRing, Purpose

if TYPE_CHECKING:
    from conftest import World

DAY_MS = 24 * 3600 * 1000


# --- open -----------------------------------------------------------------------------------------


async def test_open_gives_both_parties_a_token_that_lets_them_in(world: World) -> None:
    before_ms = world.clock()
    answer = await world.call("POST", "/v1/trips", world.opening("t1", max_duration_s=600))
    assert answer.status_code == 201
    opened = msgspec.json.decode(answer.content, type=TripOpened)
    assert (opened.trip_id, opened.state, opened.epoch) == ("t1", "open", 1)
    assert opened.gateway_url == world.gateway_url
    assert before_ms + 600_000 <= opened.deadline <= world.clock() + 600_000
    assert (opened.driver.party_id, opened.customer.party_id) == ("driver-19", "rider-7")
    for role, admitted in ((Role.DRIVER, opened.driver), (Role.CUSTOMER, opened.customer)):
        attached = await world.attach(admitted.token)
        assert isinstance(attached, Attachment)
        assert (attached.role, attached.epoch) == (role, 1)
        assert unwrap(world.ring, attached.messages_key, trip="t1")


async def test_the_store_holds_neither_number(world: World) -> None:
    await world.open("t1", policy={"number": "redact"}, allow=["gate B12"])
    await world.reassign("t1", "driver", "driver-20", epoch=1)
    assert not world.leaks(await world.dump())
    record = await world.store.pipe.call("HMGET", keys.trip("t1"), "c.phone", "d.phone")
    assert len({len(sealed) for sealed in record}) == 1
    await world.end("t1")
    assert await world.store.pipe.call("HMGET", keys.trip("t1"), "c.phone", "d.phone") == [
        None,
        None,
    ]


async def test_the_search_finds_a_number_that_is_there(world: World) -> None:
    """The search of this file can fail: each way to write the number is found."""
    number = int(world.driver_phone[1:])
    for data in (
        world.driver_phone.encode(),
        b"0812-3456 7890",
        number.to_bytes(8, "little"),
        f"{number:x}".encode(),
    ):
        assert world.leaks(b"before " + data + b" after")


async def test_the_default_duration_is_four_hours(world: World) -> None:
    opened = await world.open("t1")
    assert abs(opened["deadline"] - world.clock() - 4 * 3600 * 1000) < 5000


async def test_a_relay_of_short_trips_has_a_shorter_default(world: World) -> None:
    world.limits = type(world.limits)(600, 0, 0, 3600)
    async with world.serving():
        opened = await world.open("t1")
    assert abs(opened["deadline"] - world.clock() - 600_000) < 5000


async def test_a_lost_answer_is_made_good_by_the_same_open_again(world: World) -> None:
    body = world.opening("t1")
    payload = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /v1/trips HTTP/1.1\r\nhost: api\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (world.key.encode(), len(payload), payload)
    )
    await writer.drain()
    # The answer is on its way and nobody reads it.
    await world.until(lambda: world.store.view("t1"))
    writer.transport.abort()
    answer = await world.call("POST", "/v1/trips", body)
    assert answer.status_code == 200
    assert await world.lets_in(answer.json()["driver"]["token"])
    del reader


async def test_a_repeat_gives_fresh_tokens_and_the_first_ones_still_work(world: World) -> None:
    body = world.opening("t1")
    first = (await world.call("POST", "/v1/trips", body)).json()
    answer = await world.call("POST", "/v1/trips", body)
    second = answer.json()
    assert answer.status_code == 200
    assert (second["epoch"], second["deadline"]) == (first["epoch"], first["deadline"])
    for role in ("driver", "customer"):
        assert first[role]["token"] != second[role]["token"]
        assert await world.lets_in(first[role]["token"])
        assert await world.lets_in(second[role]["token"])


async def test_twenty_opens_at_once_open_one_channel(world: World) -> None:
    body = world.opening("t1")
    answers = await asyncio.gather(*(world.call("POST", "/v1/trips", body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["deadline"] for answer in answers}) == 1
    assert len({answer.json()["driver"]["token"] for answer in answers}) == 20


async def test_a_repeat_with_guessed_phones_tells_nothing(world: World) -> None:
    body = world.opening("t1")
    await world.call("POST", "/v1/trips", body)

    async def repeat(driver: str, customer: str) -> tuple[int, dict[str, Any]]:
        body["driver"]["phone"], body["customer"]["phone"] = driver, customer
        answer = await world.call("POST", "/v1/trips", body)
        shown = answer.json()
        for role in ("driver", "customer"):
            assert len(shown[role].pop("token")) == 22 + 3 + len("t1")
        return answer.status_code, shown

    right = await repeat(world.driver_phone, world.customer_phone)
    assert right[0] == 200
    assert await repeat(world.third_phone, world.customer_phone) == right
    assert await repeat(world.third_phone, world.other_phone) == right
    assert await repeat(world.customer_phone, world.driver_phone) == right


async def test_a_late_repeat_after_a_reassign_is_told_changed(world: World) -> None:
    body = world.opening("t1")
    await world.call("POST", "/v1/trips", body)
    assert (await world.reassign("t1", "driver", "driver-20", epoch=1)).status_code == 200
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed")
    assert (await world.get("t1"))["driver"]["party_id"] == "driver-20"


async def test_swapped_parties_are_other_parties(world: World) -> None:
    body = world.opening("t1")
    await world.call("POST", "/v1/trips", body)
    body["driver"], body["customer"] = body["customer"], body["driver"]
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed")


async def test_an_end_that_overtook_its_open_keeps_the_channel_closed(world: World) -> None:
    ended = await world.end("t1", reason="cancelled")
    assert (ended["state"], ended["deadline"]) == ("closed", None)
    answer = await world.call("POST", "/v1/trips", world.opening("t1"))
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")
    seen = await world.get("t1")
    assert (seen["state"], seen["epoch"], seen["driver"]) == ("closed", 0, None)
    assert seen["detail"] == "cancelled"


async def test_open_and_end_at_once_always_end_closed(world: World) -> None:
    for number in range(20):
        trip = f"race-{number}"
        opened, ended = await asyncio.gather(
            world.call("POST", "/v1/trips", world.opening(trip)),
            world.call("POST", f"/v1/trips/{trip}/end"),
        )
        assert ended.json()["state"] == "closed"
        assert opened.status_code in (201, 409)
        assert (await world.get(trip))["state"] == "closed"
        if opened.status_code == 201:
            assert not await world.lets_in(opened.json()["driver"]["token"])


async def test_a_repeat_after_the_close_is_told_closed(world: World) -> None:
    body = world.opening("t1", retention_s=60)
    await world.call("POST", "/v1/trips", body)
    await world.end("t1")
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")


async def test_a_repeat_in_the_grace_says_so(world: World) -> None:
    body = world.opening("t1")
    await world.call("POST", "/v1/trips", body)
    ended = await world.end("t1", grace_s=60)
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["state"]) == (200, "grace")
    assert answer.json()["deadline"] == ended["deadline"]


async def test_an_open_older_than_a_tombstone_lives_is_told_closed(world: World) -> None:
    tombstone_ms = scripts.TOMBSTONE_S * 1000
    late = world.opening("t1", requested_at=world.clock() - tombstone_ms)
    answer = await world.call("POST", "/v1/trips", late)
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")
    assert (await world.call("GET", "/v1/trips/t1")).status_code == 404
    await world.open("t1", requested_at=world.clock() - tombstone_ms + 660_000)


async def test_an_open_from_the_future_is_refused(world: World) -> None:
    answer = await world.call(
        "POST", "/v1/trips", world.opening("t1", requested_at=world.clock() + 301_000)
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "requested_at")
    await world.open("t1", requested_at=world.clock() + 290_000)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_duration_s": 6 * 3600 + 1}, "max_duration_s"),
        ({"retention_s": 30 * 24 * 3600 + 1}, "retention_s"),
        ({"report_window_s": 7 * 24 * 3600 + 1}, "report_window_s"),
    ],
)
async def test_what_the_relay_is_set_to_is_the_limit(
    world: World, change: dict[str, int], field: str
) -> None:
    answer = await world.call("POST", "/v1/trips", world.opening("t1", **change))
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    await world.open("t1", **{field: change[field] - 1})


async def test_two_parties_and_two_phones_are_needed(world: World) -> None:
    body = world.opening("t1")
    body["customer"]["party_id"] = body["driver"]["party_id"]
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "customer.party_id")
    body = world.opening("t1")
    body["customer"]["phone"] = body["driver"]["phone"]
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "customer.phone")


@pytest.mark.parametrize("role", ["driver", "customer"])
@pytest.mark.parametrize(
    "phone",
    [
        "6281234567890", "081234567890", "+62 812 3456 7890", "+6281234567890 ",
        "+62812345678901234",
        "tel:+6281234567890", "+99981234567890", "+15550100123", "", "+", "+" + "8123" * 1000,
        "+\uff16\uff1281234567890",
    ],
)  # fmt: skip
async def test_a_bad_phone_is_named_and_not_repeated(world: World, role: str, phone: str) -> None:
    body = world.opening("t1")
    body[role]["phone"] = phone
    answer = await world.call("POST", "/v1/trips", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "phone")
    assert problem["field"] == f"{role}.phone"
    assert not phone or phone == "+" or phone not in answer.text
    assert (await world.call("GET", "/v1/trips/t1")).status_code == 404


PLACES = [
    ("trip_id", "x-{}"), ("driver.party_id", "d{}"), ("driver.alias", "me: {}"),
    ("driver.locale", "locale"), ("customer.party_id", "{}"), ("customer.alias", "+{}"),
    ("customer.locale", "locale"), ("allow[1]", "call {} now"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "form"), PLACES)
@pytest.mark.parametrize("whose", ["driver", "customer"])
async def test_neither_number_may_stand_in_any_other_field(
    world: World, place: str, form: str, whose: str
) -> None:
    number = world.driver_phone[1:] if whose == "driver" else world.customer_phone[1:]
    text = f"id-{number[2:10]}-{number[10:]}" if form == "locale" else form.format(number)
    body = world.opening("t1")
    top, _, inner = place.partition(".")
    if place == "allow[1]":
        body["allow"] = ["gate 3", text]
    elif inner:
        body[top][inner] = text
    else:
        body[top] = text
    answer = await world.call("POST", "/v1/trips", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "number_in_field"), problem
    assert problem["field"] == place
    assert not await world.store.pipe.call("KEYS", "{p*")


async def test_every_string_of_open_is_searched() -> None:
    """The places above are all there are: a new field of text must be added to them."""
    from relay.api.fields import Fields
    from relay.api.types import OpenTrip

    numbers = {"requested_at", "max_duration_s", "retention_s", "report_window_s"}
    closed = {"policy"}  # names of a-z and four words
    texts = set(Fields(OpenTrip)) - numbers - closed - {"driver", "customer", "allow"}
    searched = {place.replace("[1]", "[]") for place, _ in PLACES}
    assert texts == searched | {"driver.phone", "customer.phone"}


@pytest.mark.parametrize("alias", ["", "   ", "a\nb", "a\x00", "a\u202eb", "x" * 41, 5, None])
async def test_a_bad_alias_is_refused(world: World, alias: object) -> None:
    body = world.opening("t1")
    body["driver"]["alias"] = alias
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "driver.alias")


async def test_an_alias_is_stripped_and_reaches_the_peer(world: World) -> None:
    body = world.opening("t1")
    body["driver"]["alias"] = "  Pak Büdi 🚗 "
    opened = (await world.call("POST", "/v1/trips", body)).json()
    attached = await world.attach(opened["customer"]["token"])
    assert isinstance(attached, Attachment)
    assert attached.peer_alias == "Pak Büdi 🚗"


# --- get, list ------------------------------------------------------------------------------------


async def test_get_shows_state_and_neither_number_nor_text(world: World) -> None:
    opened = await world.open("t1")
    await world.attach(opened["driver"]["token"])
    await world.call(
        "POST", "/v1/trips/t1/system-messages", {"id": "m1", "text": "The gate is closed."}
    )
    answer = await world.call("GET", "/v1/trips/t1")
    seen = msgspec.json.decode(answer.content, type=Trip)
    assert (seen.state, seen.reason, seen.detail, seen.epoch) == ("open", None, None, 1)
    assert (seen.messages, seen.deadline, seen.closed_at) == (1, opened["deadline"], None)
    assert seen.driver is not None
    assert seen.customer is not None
    assert (seen.driver.online, seen.customer.online) == (True, False)
    await world.store.pipe.call("DEL", keys.NODES)
    answer = await world.call("GET", "/v1/trips/t1")
    assert not answer.json()["driver"]["online"], "a seat on a dead node is not online"
    assert "gate" not in answer.text
    assert "Rani" not in answer.text


async def test_a_passed_deadline_shows_as_closed_though_nobody_swept(world: World) -> None:
    await world.open("t2", max_duration_s=1)
    await world.open("t1", max_duration_s=1)
    assert keys.partition("t1") != keys.partition("t2")
    seen = await world.until(lambda: _closed(world, "t1"))
    assert (seen["reason"], seen["detail"]) == ("expired", "expired")
    assert seen["closed_at"] >= seen["deadline"]
    assert await world.store.open_trips(keys.partition("t2"), (0, ""), 9)
    assert (await world.call("GET", "/v1/trips")).json() == {"trips": [], "cursor": None}


async def _closed(world: World, trip: str) -> dict[str, Any] | None:
    seen = await world.get(trip)
    return seen if seen["state"] == "closed" else None


async def test_list_goes_through_all_open_trips_once(world: World) -> None:
    trips = {f"trip-{number}" for number in range(23)}
    for trip in sorted(trips):
        await world.open(trip)
    await world.end("trip-3")
    await world.end("trip-4", grace_s=60)
    found: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        answer = await world.call("GET", f"/v1/trips?state=open&cursor={cursor}&limit=5")
        assert answer.status_code == 200
        page = msgspec.json.decode(answer.content, type=TripList)
        assert len(page.trips) <= 5
        found += [trip.trip_id for trip in page.trips]
        assert all(trip.state == "open" for trip in page.trips if trip.trip_id != "trip-4")
        cursor, pages = page.cursor, pages + 1
    assert sorted(found) == sorted(trips - {"trip-3"})
    assert pages == 5


async def test_list_goes_on_after_a_trip_that_has_closed_since(world: World) -> None:
    trips = {f"trip-{number}" for number in range(6)}
    for trip in sorted(trips):
        await world.open(trip)
    first = (await world.call("GET", "/v1/trips?limit=3")).json()
    for trip in first["trips"]:
        await world.end(trip["trip_id"])
    rest = (await world.call("GET", f"/v1/trips?limit=3&cursor={first['cursor']}")).json()
    names = {trip["trip_id"] for trip in first["trips"] + rest["trips"]}
    assert names == trips
    assert rest["cursor"] is None


async def test_many_trips_of_one_partition_are_paged(world: World) -> None:
    trips: list[str] = []
    number = 0
    while len(trips) < 4:
        number += 1
        if keys.partition(f"same-{number}") == 200:
            trips.append(f"same-{number}")
    for trip in trips:
        await world.open(trip)
    first = (await world.call("GET", "/v1/trips?limit=3")).json()
    assert len(first["trips"]) == 3
    rest = (await world.call("GET", f"/v1/trips?limit=3&cursor={first['cursor']}")).json()
    assert len(rest["trips"]) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=6281234567890", "cursor"), ("cursor=%2B62812", "cursor"),
        ("cursor=dDE=", "cursor"),
        ("cursor=" + "a" * 129, "cursor"), ("state=closed", "state"), ("limit=0", "limit"),
        ("limit=201", "limit"), ("limit=many", "limit"), ("limit=", "limit"),
        ("curser=", "curser"), ("6281234567890=1", None), ("cursor=&cursor=", None),
        ("&".join(f"a{n}=1" for n in range(99)), None),
    ],
)  # fmt: skip
async def test_a_bad_query_names_the_parameter(world: World, query: str, field: str | None) -> None:
    answer = await world.call("GET", f"/v1/trips?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json().get("field") == field


# --- change ---------------------------------------------------------------------------------------


async def test_change_moves_the_deadline_and_keeps_the_rest(world: World) -> None:
    await world.open("t1", allow=["gate 3"], policy={"number": "redact"})
    deadline = world.clock() + 1800_000
    answer = await world.call("PATCH", "/v1/trips/t1", {"deadline": deadline})
    assert (answer.status_code, answer.json()["deadline"]) == (200, deadline)
    assert await _guard(world) == [b'["gate 3"]', b'{"number":"redact"}']
    answer = await world.call("PATCH", "/v1/trips/t1", {"allow": [], "policy": {}})
    assert (answer.status_code, answer.json()["deadline"]) == (200, deadline)
    assert await _guard(world) == [b"[]", b"{}"]


async def _guard(world: World) -> Any:
    return await world.store.pipe.call("HMGET", keys.trip("t1"), "allow", "policy")


async def test_change_has_its_limits(world: World) -> None:
    await world.open("t1")
    for deadline, code in (
        (world.clock() - 1000, "past"),
        (world.clock() + 6 * 3600_000 + 10_000, "ceiling"),
    ):
        answer = await world.call("PATCH", "/v1/trips/t1", {"deadline": deadline})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["field"] == "deadline"
    answer = await world.call("PATCH", "/v1/trips/t1", {})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    answer = await world.call("PATCH", "/v1/trips/t1", {"deadline": None})
    assert (answer.status_code, answer.json()["field"]) == (422, "deadline")


@pytest.mark.parametrize(("grace_s", "code"), [(60, "ending"), (0, "closed")])
async def test_what_has_ended_is_not_changed(world: World, grace_s: int, code: str) -> None:
    await world.open("t1")
    await world.end("t1", grace_s=grace_s)
    answer = await world.call("PATCH", "/v1/trips/t1", {"allow": []})
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    answer = await world.reassign("t1", "driver", "driver-20", epoch=1)
    assert (answer.status_code, answer.json()["code"]) == (409, code)


# --- end ------------------------------------------------------------------------------------------


async def test_end_closes_at_once_and_twice_is_once(world: World) -> None:
    opened = await world.open("t1")
    answer = await world.call("POST", "/v1/trips/t1/end")
    first = msgspec.json.decode(answer.content, type=TripEnded)
    assert first.state == "closed"
    assert first.closed_at is not None
    attached = await world.attach(opened["driver"]["token"])
    assert isinstance(attached, NotAttached)
    assert attached.why == "is_closed"
    again = await world.end("t1", reason="safety")
    assert (again["state"], again["closed_at"]) == ("closed", first.closed_at)
    assert (await world.get("t1"))["detail"] == "completed"


async def test_grace_only_shortens(world: World) -> None:
    await world.open("t1", max_duration_s=100)
    ended = await world.end("t1", grace_s=3600)
    assert ended["state"] == "grace"
    assert ended["closed_at"] is None
    deadline = ended["deadline"]
    assert deadline <= world.clock() + 100_000
    assert (await world.end("t1", grace_s=3600))["deadline"] == deadline
    shorter = await world.end("t1", grace_s=5)
    assert shorter["deadline"] <= world.clock() + 5000
    assert (await world.end("t1", grace_s=60))["deadline"] == shorter["deadline"]
    assert (await world.end("t1"))["state"] == "closed"


async def test_grace_runs_out(world: World) -> None:
    opened = await world.open("t1")
    await world.end("t1", grace_s=1, reason="cancelled")
    assert await world.lets_in(opened["driver"]["token"])
    seen = await world.until(lambda: _closed(world, "t1"))
    assert seen["reason"] == "ended"
    assert not await world.lets_in(opened["driver"]["token"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"grace_s": 3601}, "grace_s"), ({"grace_s": -1}, "grace_s"), ({"grace_s": "5"}, "grace_s"),
        ({"reason": "81234567890"}, "reason"), ({"grace": 5}, "grace"),
    ],
)  # fmt: skip
async def test_a_bad_end_ends_nothing(world: World, body: dict[str, Any], field: str) -> None:
    await world.open("t1")
    answer = await world.call("POST", "/v1/trips/t1/end", body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await world.get("t1"))["state"] == "open"


async def test_end_works_without_any_key(world: World) -> None:
    await world.open("t1")
    world.ring = KeyRing()
    assert (await world.end("t1"))["state"] == "closed"


# --- reassign -------------------------------------------------------------------------------------


async def test_reassign_cuts_the_old_party_off(world: World) -> None:
    opened = await world.open("t1")
    answer = await world.reassign("t1", "driver", "driver-20", epoch=1)
    assert answer.status_code == 200
    given = answer.json()
    assert (given["epoch"], given["party_id"]) == (2, "driver-20")
    assert given["gateway_url"] == world.gateway_url
    assert not await world.lets_in(opened["driver"]["token"])
    attached = await world.attach(given["token"])
    assert isinstance(attached, Attachment)
    assert (attached.role, attached.epoch, attached.n) == (Role.DRIVER, 2, 1)
    attached = await world.attach(opened["customer"]["token"])
    assert isinstance(attached, Attachment)
    assert attached.peer_alias == "Bu Sari"


async def test_a_delayed_reassign_changes_nothing(world: World) -> None:
    await world.open("t1")
    await world.reassign("t1", "driver", "driver-20", epoch=1)
    late = await world.reassign("t1", "driver", "driver-21", epoch=1)
    assert (late.status_code, late.json()["code"]) == (412, "epoch")
    assert (await world.get("t1"))["driver"]["party_id"] == "driver-20"


async def test_a_lost_answer_of_reassign_is_made_good_by_repeating_it(world: World) -> None:
    await world.open("t1")
    first = (await world.reassign("t1", "driver", "driver-20", epoch=1)).json()
    again = await world.reassign("t1", "driver", "driver-20", epoch=1)
    assert (again.status_code, again.json()["epoch"]) == (200, 2)
    assert again.json()["token"] != first["token"]
    assert await world.lets_in(first["token"])
    assert await world.lets_in(again.json()["token"])


async def test_the_same_party_again_is_no_change(world: World) -> None:
    opened = await world.open("t1")
    answer = await world.reassign("t1", "driver", "driver-19", epoch=1)
    assert (answer.status_code, answer.json()["epoch"]) == (200, 1)
    assert await world.lets_in(opened["driver"]["token"])


async def test_of_two_reassigns_at_once_one_wins(world: World) -> None:
    for number in range(10):
        trip = f"race-{number}"
        await world.open(trip)
        answers = await asyncio.gather(
            world.reassign(trip, "driver", "driver-20", epoch=1),
            world.reassign(trip, "driver", "driver-21", epoch=1),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
        assert (await world.get(trip))["driver"]["party_id"] == winner["party_id"]


async def test_nobody_sits_opposite_himself(world: World) -> None:
    await world.open("t1")
    answer = await world.reassign("t1", "driver", "rider-7", epoch=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "paired")


@pytest.mark.parametrize("place", ["party_id", "alias", "locale", "trip"])
async def test_the_new_number_may_stand_nowhere_else(world: World, place: str) -> None:
    number = world.third_phone[1:]
    trip = f"t-{number}" if place == "trip" else "t1"
    body = {"epoch": 1, "party_id": "p", "phone": world.third_phone, "alias": "Bu Sari"}
    if place != "trip":
        body[place] = f"id-{number[2:10]}-{number[10:]}" if place == "locale" else f"a{number}"
    answer = await world.call("PUT", f"/v1/trips/{trip}/parties/driver", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "number_in_field")
    assert answer.json()["field"] == place


async def test_reassign_of_an_unknown_trip_or_role(world: World) -> None:
    answer = await world.reassign("nobody", "driver", "driver-20", epoch=1)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_trip")
    answer = await world.reassign("nobody", "system", "driver-20", epoch=1)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- tokens ---------------------------------------------------------------------------------------


async def test_a_fresh_token_beside_the_older_ones(world: World) -> None:
    opened = await world.open("t1")
    answer = await world.call(
        "POST", "/v1/trips/t1/parties/customer/token", {"party_id": "rider-7"}
    )
    assert answer.status_code == 200
    assert await world.lets_in(opened["customer"]["token"])
    assert await world.lets_in(answer.json()["token"])


async def test_revoke_kills_the_older_tokens_of_that_party(world: World) -> None:
    opened = await world.open("t1")
    answer = await world.call(
        "POST", "/v1/trips/t1/parties/customer/token", {"party_id": "rider-7", "revoke": True}
    )
    assert not await world.lets_in(opened["customer"]["token"])
    assert await world.lets_in(opened["driver"]["token"])
    assert await world.lets_in(answer.json()["token"])


async def test_a_token_is_for_the_present_party(world: World) -> None:
    await world.open("t1")
    await world.reassign("t1", "driver", "driver-20", epoch=1)
    body = {"party_id": "driver-19", "revoke": True}
    answer = await world.call("POST", "/v1/trips/t1/parties/driver/token", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "party")
    await world.end("t1")
    body = {"party_id": "driver-20"}
    answer = await world.call("POST", "/v1/trips/t1/parties/driver/token", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")


# --- system messages ------------------------------------------------------------------------------


async def _say(world: World, **body: Any) -> Any:
    body = {"id": "m1", "text": "The gate has moved."} | body
    return await world.call("POST", "/v1/trips/t1/system-messages", body)


async def _log(world: World, epoch: int = 1) -> list[tuple[str, Body]]:
    """The messages in a log: their sender field, and their content deciphered."""
    _, _, wrapped = await world.store.messages_key("t1")
    data_key = unwrap(world.ring, wrapped, trip="t1")
    cipher = MessageCipher(data_key, trip="t1", epoch=epoch)
    entries = await world.store.pipe.call("XRANGE", keys.log("t1", epoch), "-", "+")
    return [
        (sender.decode(), unpack_body(cipher.open("system", post_id.decode(), sealed)))
        for _, (_i, post_id, sender, sealed) in entries[1:]
    ]


@pytest.mark.parametrize(("to", "sender"), [("both", "s"), ("driver", "sd"), ("customer", "sc")])
async def test_a_system_message_is_stored_once_and_sealed(
    world: World, to: str, sender: str
) -> None:
    await world.open("t1")
    first = await _say(world, to=to)
    assert first.status_code == 201
    again = await _say(world, to=to, text="Another text under the same id.")
    assert (again.status_code, again.json()) == (200, first.json())
    assert abs(first.json()["at"] - world.clock()) < 5000
    assert await _log(world) == [(sender, Body("system", "The gate has moved."))]
    assert b"gate" not in await world.dump()


@pytest.mark.parametrize(
    "text", ["", " \n ", "a\x07b", "é" * 1001, "x" * 2001, "\x00", 5, ["x"]], ids=str
)
async def test_a_bad_system_message_is_refused(world: World, text: object) -> None:
    await world.open("t1")
    answer = await _say(world, text=text)
    assert (answer.status_code, answer.json()["field"]) == (422, "text")
    assert await _log(world) == []


async def test_the_longest_system_message_is_stored(world: World) -> None:
    await world.open("t1")
    assert (await _say(world, text="é" * 1000)).status_code == 201


async def test_no_system_message_where_there_is_no_channel(world: World) -> None:
    answer = await _say(world)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_trip")
    await world.open("t1", retention_s=60)
    await world.end("t1", grace_s=60)
    assert (await _say(world)).status_code == 201
    await world.end("t1")
    answer = await _say(world)
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")


def _reassign_at_once(world: World, epoch: int) -> None:
    """Send a reassign so that the store has it before whatever is sent next."""
    world.store.pipe.send(
        pack(
            "EVALSHA", scripts.REASSIGN.sha, 1, keys.trip("t1"), "t1", "d", epoch,
            f"driver-{epoch}", "Bu Sari", "id", b"sealed", "0" * 32, 3600, "[]", "",
        )
    )  # fmt: skip


async def test_a_system_message_overtaken_by_a_reassign_goes_to_the_new_pairing(
    world: World,
) -> None:
    await world.open("t1")
    epochs = [1]

    def once() -> None:
        if epochs:
            _reassign_at_once(world, epochs.pop())

    world.on_ring = once
    answer = await _say(world)
    assert (answer.status_code, answer.json()["epoch"]) == (201, 2)
    assert await _log(world, 2) == [("s", Body("system", "The gate has moved."))]


async def test_a_system_message_overtaken_again_and_again_is_not_stored(world: World) -> None:
    await world.open("t1")
    epochs = [5, 4, 3, 2, 1]
    world.on_ring = lambda: _reassign_at_once(world, epochs.pop())
    answer = await _say(world)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert await _log(world, 5) == []


# --- keys and store away --------------------------------------------------------------------------


async def test_without_keys_nothing_is_opened(world: World) -> None:
    await world.open("t1")
    full, world.ring = world.ring, KeyRing()
    for call in (
        world.call("POST", "/v1/trips", world.opening("t2")),
        world.reassign("t1", "driver", "driver-20", epoch=1),
        _say(world),
    ):
        answer = await call
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    for purpose in (Purpose.NUMBERS, Purpose.MESSAGES):
        world.ring = KeyRing(key for key in full if key.purpose is not purpose)
        answer = await world.call("POST", "/v1/trips", world.opening("t2"))
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert (await world.call("GET", "/v1/trips/t2")).status_code == 404
    world.ring = full
    await world.open("t2")


async def test_trips_that_are_over_are_ended_together(world: World) -> None:
    """As the platform does after a failover, which may have forgotten ends and opens."""
    await world.open("open")
    await world.open("over")
    await world.call("POST", "/v1/trips/over/end")
    names = ["open", "over", *(f"never-{number}" for number in range(498))]
    answer = await world.call("POST", "/v1/ended-trips", {"trip_ids": names, "reason": "cancelled"})
    assert answer.status_code == 200, answer.text
    ended = answer.json()["trips"]
    assert [one["trip_id"] for one in ended] == names
    assert {one["state"] for one in ended} == {"closed"}
    assert all(one["closed_at"] for one in ended)
    for name in names[:3]:
        late = await world.call("POST", "/v1/trips", world.opening(name))
        assert (late.status_code, late.json()["code"]) == (409, "closed")
    again = await world.call("POST", "/v1/ended-trips", {"trip_ids": names})
    assert again.json() == answer.json()


@pytest.mark.parametrize("names", [[], ["t"] * 501, ["a b"], "t", None])
async def test_trips_to_end_are_named_right_or_none_is_ended(world: World, names: Any) -> None:
    await world.open("t")
    answer = await world.call("POST", "/v1/ended-trips", {"trip_ids": names})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert (await world.call("GET", "/v1/trips/t")).json()["state"] == "open"


async def test_a_store_that_is_silent_is_told_and_a_repeat_makes_it_good(world: World) -> None:
    body = world.opening("t1")
    await world.call("GET", "/v1/trips/t1")
    await world.store.pipe.call("CLIENT", "PAUSE", 3500, "ALL")
    answer = await world.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "may or may not" in answer.json()["detail"]

    async def repeat() -> Any:
        answer = await world.call("POST", "/v1/trips", body)
        return answer if answer.status_code != 503 else None

    answer = await world.until(repeat)
    assert answer.status_code in (200, 201)
    assert await world.lets_in(answer.json()["driver"]["token"])


async def test_a_store_that_is_gone_changes_nothing(mortal: World) -> None:
    world = mortal
    await world.open("t1")
    await world.kill_store()
    for method, path, body in (
        ("POST", "/v1/trips", world.opening("t2")),
        ("POST", "/v1/trips/t1/end", None),
        ("GET", "/v1/trips", None),
        ("GET", "/v1/trips/t1", None),
    ):
        answer = await world.call(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
