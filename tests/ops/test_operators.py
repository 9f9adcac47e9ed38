"""Operators: made on the host, enrolled by themselves, and gone at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.api import auth
from relay.api.auth import ApiKeys, KeyScope
from relay.api.problems import Code, Problem
from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from relay.ops.operators import ENROLMENT_H, Operators
from relay.ops.refusals import OpsCode, Refused
from relay.store import keys
from relay.store.endpoint import StoreError
from relay.store.store import Store
from relay.vault.ring import KeyRing

from .conftest import Clock
from .staff import HOME, HOST, PASSWORD, Office

HOUR_MS = 3_600_000


@pytest.fixture
def office(store: Store, ring: KeyRing, clock: Clock) -> Office:
    return Office(store, ring, clock)


async def refusal(act: Awaitable[object]) -> Refused:
    with pytest.raises(Refused) as caught:
        await act
    return caught.value


async def dump(store: Store) -> bytes:
    """All that the store holds, in its own format and as text."""
    found = []
    for key in await store.pipe.call("KEYS", "*"):
        match await store.pipe.call("TYPE", key):
            case b"hash" | "hash":
                found += await store.pipe.call("HGETALL", key)
            case b"string" | "string":
                found.append(await store.pipe.call("GET", key))
            case b"zset" | "zset":
                found += await store.pipe.call("ZRANGE", key, 0, -1)
            case b"stream" | "stream":
                found.append(repr(await store.pipe.call("XRANGE", key, "-", "+")).encode())
            case kind:
                raise AssertionError(kind)
        found.append(key)
    return b"\n".join(found)


# --- made --------------------------------------------------------------------------------------


async def test_an_operator_is_added_enrols_and_is_listed(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu Lestari", StaffScope.AGENT)
    (listed,) = await office.operators.listed()
    assert (listed.id, listed.name, listed.scope) == ("ayu", "Ayu Lestari", StaffScope.AGENT)
    assert (listed.enrolled, listed.disabled, listed.last_seen_at) == (False, False, None)
    await office.enrol("ayu", code)
    found = await office.operators.get("ayu")
    assert found is not None
    assert found.enrolled
    assert [(entry.actor, entry.via, entry.act) for entry in await office.acts()] == [
        ("host:root", "host", "operator.add"),
        ("ayu", "console", "operator.enrol"),
    ]
    assert (await office.acts())[0].details == {"operator": "ayu", "scope": "agent"}


async def test_the_app_s_address_holds_the_secret(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    uri = urlsplit(page.otpauth_uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [page.totp_secret]
    assert len(page.totp_secret) == 32  # 160 bits, as RFC 4226 wants it
    assert (page.operator_id, page.name) == ("ayu", "Ayu")


@pytest.mark.parametrize(
    "operator", ["", "a", "Ayu", "1yu", "a" * 33, "ayu lestari", "ayu\n", "äyu", "host:root"]
)
async def test_an_id_is_short_and_plain(office: Office, operator: str) -> None:
    refused = await refusal(office.operators.add(HOST, operator, "Ayu", StaffScope.AGENT))
    assert (refused.code, refused.field) == (OpsCode.INVALID, "id")


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "A\nyu", "Ayu \u202e", "Ayu 0812 3456 7890"])
async def test_a_name_is_one_line_without_a_number(office: Office, name: str) -> None:
    refused = await refusal(office.operators.add(HOST, "ayu", name, StaffScope.AGENT))
    assert (refused.code, refused.field) == (OpsCode.INVALID, "name")
    assert await office.operators.listed() == []
    assert await office.acts() == []


async def test_nobody_is_added_twice(office: Office) -> None:
    results = await asyncio.gather(
        *(office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, str) for result in results) == 1
    refused = await refusal(office.operators.add(HOST, "ayu", "Other", StaffScope.SUPERVISOR))
    assert refused.code is OpsCode.CONFLICT
    (listed,) = await office.operators.listed()
    assert (listed.name, listed.scope) == ("Ayu", StaffScope.AGENT)


@pytest.mark.parametrize("via", ["console", "key"])
async def test_only_the_host_makes_and_unmakes(
    office: Office, actor: Callable[..., Actor], via: str
) -> None:
    await office.enrolled("ayu")
    before = await office.acts()
    by = actor("boss", "supervisor", via)
    for act in (
        office.operators.add(by, "bayu", "Bayu", StaffScope.AGENT),
        office.operators.reset(by, "ayu"),
        office.operators.disable(by, "ayu"),
        office.operators.set_scope(by, "ayu", StaffScope.SUPERVISOR),
    ):
        assert (await refusal(act)).code is OpsCode.NOT_ALLOWED
    assert await office.acts() == before


async def test_nothing_is_done_that_cannot_be_written_down(
    mortal: tuple[Store, Callable[[], Awaitable[None]]], ring: KeyRing, clock: Clock
) -> None:
    store, _ = mortal
    office = Office(store, ring, clock)
    person = await office.enrolled("ayu")
    signed_in = await office.sign_in(person)
    # No entry can be appended, all else can be written.
    await store.pipe.call("RENAME", keys.AUDIT, "elsewhere")
    await store.pipe.call("SET", keys.AUDIT, "no stream")
    for act in (
        office.operators.add(HOST, "bayu", "Bayu", StaffScope.AGENT),
        office.operators.disable(HOST, "ayu"),
        office.operators.reset(HOST, "ayu"),
        office.operators.set_scope(HOST, "ayu", StaffScope.SUPERVISOR),
        office.sessions.sign_out(signed_in.session),
    ):
        with pytest.raises(StoreError):
            await act
    with pytest.raises(StoreError):
        await office.sign_in(person)
    (listed,) = await office.operators.listed()
    assert (listed.id, listed.disabled, listed.scope) == ("ayu", False, StaffScope.AGENT)
    assert await office.sessions.session(signed_in.cookie, HOME) is not None
    assert await office.sessions.count("ayu") == 1


# --- enrolment ---------------------------------------------------------------------------------


async def test_a_code_is_for_once_and_a_day(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    office.clock.advance(ENROLMENT_H * HOUR_MS - 1)
    person = await office.enrol("ayu", code)
    assert (await refusal(office.operators.begin_enrolment(code))).field == "enrolment"
    assert await office.sign_in(person)

    late = await office.operators.add(HOST, "bayu", "Bayu", StaffScope.AGENT)
    office.clock.advance(ENROLMENT_H * HOUR_MS)
    assert (await refusal(office.operators.begin_enrolment(late))).field == "enrolment"


async def test_a_code_may_be_typed_as_people_do(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    typed = f" {code.replace('-', ' ').upper()}\t"
    assert (await office.operators.begin_enrolment(typed)).operator_id == "ayu"
    assert (await office.operators.begin_enrolment(code.replace("-", ""))).operator_id == "ayu"


@pytest.mark.parametrize("code", ["", "x", "-", "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa", "\ud800" * 9])
async def test_a_made_up_code(office: Office, code: str) -> None:
    await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    assert (await refusal(office.operators.begin_enrolment(code))).code is OpsCode.INVALID
    assert (await refusal(office.operators.enrol(code, PASSWORD, "000000"))).code is OpsCode.INVALID


async def test_who_opened_the_code_before_knows_nothing_that_is_taken(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    peeked = await office.operators.begin_enrolment(code)  # whoever handed it over
    person = await office.enrol("ayu", code)
    assert peeked.totp_secret != person.secret
    office.clock.advance(30_000)
    curious = type(person)("ayu", peeked.totp_secret)
    with pytest.raises(Refused):
        await office.sign_in(curious)
    assert (await refusal(office.operators.begin_enrolment(peeked.ticket))).field == "enrolment"


async def test_who_opens_the_code_meanwhile_stops_the_other(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    assert (await office.operators.begin_enrolment(page.ticket)) == page  # the same page again
    await office.operators.begin_enrolment(code)
    refused = await refusal(office.operators.enrol(page.ticket, PASSWORD, "000000"))
    assert refused.field == "enrolment"
    # The code itself finishes nothing: whose page would it be?
    assert (await refusal(office.operators.enrol(code, PASSWORD, "000000"))).field == "enrolment"


async def test_a_page_left_open_ends(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    office.clock.advance(30 * 60_000)
    assert (await refusal(office.operators.begin_enrolment(page.ticket))).field == "enrolment"


@pytest.mark.parametrize(
    "password",
    [
        "", "tooshort", "elevenchars", "aaaaaaaaaaaaaaaa", "ababababababab", "abcdabcdabcdabcd",
        "ayu ayu ayu ayu", "AyuLestariAyuLestari", "x" * 257, "            ",
    ],
)  # fmt: skip
async def test_a_password_that_is_too_easy(office: Office, password: str) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu Lestari", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    refused = await refusal(office.operators.enrol(page.ticket, password, "000000"))
    assert (refused.code, refused.field) == (OpsCode.INVALID, "password")
    assert "12 to 256 characters" in refused.detail
    assert not password.strip() or password not in refused.detail
    person = await office.enrol("ayu", code)  # nothing was used up
    assert await office.sign_in(person)


async def test_a_wrong_code_of_the_app_saves_nothing(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    for wrong in ("", "12345", "abcdef", "١٢٣٤٥٦", "0000000"):
        refused = await refusal(office.operators.enrol(page.ticket, PASSWORD, wrong))
        assert refused.field == "code"
    found = await office.operators.get("ayu")
    assert found is not None
    assert not found.enrolled


async def test_the_code_of_the_enrolment_does_not_sign_in(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    person = await office.enrol("ayu", page.ticket)
    used = person.code(office.clock() - 30_000)
    with pytest.raises(Refused):
        await office.sessions.sign_in("ayu", PASSWORD, used, HOME)


async def test_what_is_stored_lets_nobody_in(office: Office, store: Store) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    held = await dump(store)
    assert b"ayu" in held
    for secret in (code, code.replace("-", ""), page.ticket, page.totp_secret):
        assert secret.encode() not in held
    person = await office.enrol("ayu", code)
    signed_in = await office.sign_in(person)
    held = await dump(store)
    assert b"$argon2id$" in held
    cookie = signed_in.cookie.split(".")
    for secret in (PASSWORD, person.secret, signed_in.session.csrf, cookie[1], cookie[2]):
        assert secret.encode() not in held


# --- unmade ------------------------------------------------------------------------------------


async def new_key(store: Store, clock: Clock, operator: str, scope: KeyScope) -> bytes:
    key = await auth.new_key(
        store.pipe, scope, note="", now_ms=clock(), random_bytes=os.urandom, operator=operator
    )
    return f"Bearer {key}".encode()


STAFF = (KeyScope.AGENT, KeyScope.SUPERVISOR)


async def test_who_is_disabled_is_out_at_once(office: Office, store: Store) -> None:
    ayu, bayu = await office.enrolled("ayu"), await office.enrolled("bayu")
    gone, stays = await office.sign_in(ayu), await office.sign_in(bayu)
    api = ApiKeys(store.pipe, lifetime_s=0)
    key = await new_key(store, office.clock, "ayu", KeyScope.AGENT)
    others = await new_key(store, office.clock, "bayu", KeyScope.AGENT)
    platform = await new_key(store, office.clock, "", KeyScope.PLATFORM)
    caller = await api.check(key, STAFF)
    assert (caller.operator, caller.scope) == ("ayu", KeyScope.AGENT)
    assert caller.key_id == key.decode().split("_")[1]

    await office.operators.disable(HOST, "ayu")
    assert await office.sessions.session(gone.cookie, HOME) is None
    assert await office.sessions.count("ayu") == 0
    with pytest.raises(Problem) as caught:
        await api.check(key, STAFF)
    assert caught.value.code is Code.UNAUTHORIZED
    with pytest.raises(Refused):
        await office.sign_in(ayu)
    assert await office.sessions.session(stays.cookie, HOME) is not None
    assert (await api.check(others, STAFF)).operator == "bayu"
    assert (await api.check(platform, [KeyScope.PLATFORM])).operator == ""
    assert len(await auth.list_keys(store.pipe)) == 2


async def test_a_key_made_while_its_operator_was_disabled_does_not_work(
    office: Office, store: Store
) -> None:
    await office.enrolled("ayu")
    await office.operators.disable(HOST, "ayu")
    late = await new_key(store, office.clock, "ayu", KeyScope.AGENT)
    with pytest.raises(Problem) as caught:
        await ApiKeys(store.pipe, lifetime_s=0).check(late, STAFF)
    assert caught.value.code is Code.FORBIDDEN


async def test_a_staff_key_of_nobody_does_not_work(office: Office, store: Store) -> None:
    api = ApiKeys(store.pipe, lifetime_s=0)
    for operator in ("", "nobody"):
        key = await new_key(store, office.clock, operator, KeyScope.SUPERVISOR)
        with pytest.raises(Problem) as caught:
            await api.check(key, STAFF)
        assert caught.value.code is Code.FORBIDDEN


async def test_a_key_of_an_older_relay_is_still_read(store: Store, clock: Clock) -> None:
    key = await new_key(store, clock, "", KeyScope.PLATFORM)
    key_id = key.decode().split("_")[1]
    raw = await store.pipe.call("HGET", keys.APIKEYS, key_id)
    old = raw.replace(b',"operator":""', b"")
    assert old != raw
    await store.pipe.call("HSET", keys.APIKEYS, key_id, old)
    found = await ApiKeys(store.pipe, lifetime_s=0).check(key, [KeyScope.PLATFORM])
    assert found.scope is KeyScope.PLATFORM


async def test_a_reset_voids_both_factors_and_ends_sessions(office: Office, store: Store) -> None:
    before = await office.enrolled("ayu")
    signed_in = await office.sign_in(before)
    code = await office.operators.reset(HOST, "ayu")
    assert await office.sessions.session(signed_in.cookie, HOME) is None
    with pytest.raises(Refused):
        await office.sign_in(before)
    after = await office.enrol("ayu", code)
    assert after.secret != before.secret
    assert (await office.sign_in(after)).session.operator.id == "ayu"
    assert [entry.act for entry in await office.acts()].count("operator.reset") == 1


async def test_a_reset_voids_the_code_before(office: Office) -> None:
    first = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(first)
    second = await office.operators.reset(HOST, "ayu")
    for old in (first, page.ticket):
        assert (await refusal(office.operators.begin_enrolment(old))).field == "enrolment"
    assert await office.enrol("ayu", second)


async def test_a_disabled_operator_cannot_enrol(office: Office) -> None:
    code = await office.operators.add(HOST, "ayu", "Ayu", StaffScope.AGENT)
    page = await office.operators.begin_enrolment(code)
    await office.operators.disable(HOST, "ayu")
    for held in (code, page.ticket):
        assert (await refusal(office.operators.begin_enrolment(held))).field == "enrolment"


async def test_another_scope_ends_sessions_and_keys_that_are_too_good(
    office: Office, store: Store
) -> None:
    person = await office.enrolled("ayu", StaffScope.SUPERVISOR)
    signed_in = await office.sign_in(person)
    assert signed_in.session.actor.is_supervisor
    good = await new_key(store, office.clock, "ayu", KeyScope.AGENT)
    too_good = await new_key(store, office.clock, "ayu", KeyScope.SUPERVISOR)
    await office.operators.set_scope(HOST, "ayu", StaffScope.AGENT)
    assert await office.sessions.session(signed_in.cookie, HOME) is None
    assert not (await office.sign_in(person)).session.actor.is_supervisor
    api = ApiKeys(store.pipe, lifetime_s=0)
    assert (await api.check(good, STAFF)).operator == "ayu"
    with pytest.raises(Problem):
        await api.check(too_good, STAFF)
    # One that is made later, past the command's check, is not believed either.
    later = await new_key(store, office.clock, "ayu", KeyScope.SUPERVISOR)
    with pytest.raises(Problem):
        await api.check(later, STAFF)
    same = await refusal(office.operators.set_scope(HOST, "ayu", StaffScope.AGENT))
    assert same.code is OpsCode.CONFLICT


async def test_who_is_not_there(office: Office) -> None:
    for act in (Operators.disable, Operators.reset):
        for operator in ("nobody", "", "No Body"):
            refused = await refusal(act(office.operators, HOST, operator))
            assert refused.code is OpsCode.NOT_FOUND
    assert await office.operators.get("nobody") is None
    assert await office.acts() == []


async def test_the_language_is_kept_through_it_all(office: Office) -> None:
    person = await office.enrolled("ayu")
    await office.operators.set_locale("ayu", "id")
    assert (await office.sign_in(person)).session.operator.locale == "id"
    refused = await refusal(office.operators.set_locale("ayu", "xx"))
    assert refused.field == "locale"
