"""P7: numbers leave at close, and every copy becomes unreadable with the key of its span."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.keyfile import KeyFile
from relay.rig.waiting import until
from relay.store import keys
from relay.vault.binding import bind
from relay.vault.ring import Key, KeyRing, Purpose
from tests.support.party import Party
from tests.support.relay import DRIVER_PHONE, RelayProcess

TEXT = "Saya tunggu di lobby timur"


def opens(key: Key, sealed: bytes, *places: bytes) -> bytes | None:
    """Try a key on a ciphertext, in every place it could belong to."""
    for start in (4, 0):  # with the key's id in front, and without
        nonce, body = sealed[start : start + 12], sealed[start + 12 :]
        for place in places:
            try:
                return AESGCM(key.material).decrypt(nonce, body, place)
            except (InvalidTag, ValueError):
                continue
    return None


def number_places(key: Key, trip: str) -> list[bytes]:
    return [
        bind("relay number 1", key.id, trip, epoch, role, "phone")
        for epoch in (1, 2)
        for role in ("driver", "customer")
    ]


def bulk_strings(folder: Path) -> set[bytes]:
    """Every argument of every command in the append-only files (RESP)."""
    found = set()
    for file in folder.rglob("*.aof"):
        data, at = file.read_bytes(), 0
        while (at := data.find(b"$", at)) >= 0:
            end = data.find(b"\r\n", at)
            length = data[at + 1 : end]
            if length.isdigit():
                found.add(data[end + 2 : end + 2 + int(length)])
            at += 1
    return found


def readable(ring: KeyRing, blobs: set[bytes], trip: str) -> set[bytes]:
    """What can be decrypted of `blobs` with the keys of `ring`, one wrapping deep."""
    found: set[bytes] = set()
    data_keys = []
    for blob in blobs:
        for key in ring:
            place = bind("relay data key 1", key.purpose.value, key.id, trip)
            plain = opens(key, blob, place, *number_places(key, trip))
            if plain is not None:
                found.add(plain)
                if len(plain) == 32:
                    data_keys.append(AESGCM(plain))
    for data_key in data_keys:
        for blob in blobs:
            for epoch in (1, 2):
                for letter in "dcs":
                    for post_id in ("m1", "m2"):
                        place = bind("relay message 1", trip, epoch, letter, "body")
                        try:
                            plain = data_key.decrypt(blob[:12], blob[12:], place + post_id.encode())
                        except (InvalidTag, ValueError):
                            continue
                        found.add(plain)
    return found


async def test_at_close_and_after_the_span_nothing_can_be_read(own_relay: RelayProcess) -> None:
    tokens = await own_relay.open_trip("gone", retention_s=0, allow=["B 1234 XYZ"])
    changed = await own_relay.call("PATCH", "/v1/trips/gone", {"allow": ["4711"]})
    assert changed.status_code == 200
    driver = await Party.attach(own_relay.gateway_url, tokens["driver"])
    await driver.accepted(TEXT, id="m1")
    file = KeyFile(own_relay.data / "keyring.json")
    ring = file.read()

    # While the trip runs this test's own attempt at reading succeeds, or it would prove nothing.
    before = readable(ring, bulk_strings(own_relay.data), "gone")
    assert any(DRIVER_PHONE.encode() in plain for plain in before)
    assert any(TEXT.encode() in plain for plain in before)

    await own_relay.end_trip("gone")
    async with own_relay.redis() as redis:
        record = keys.trip("gone")
        left = set(await redis.hkeys(record))
        assert not {b"d.phone", b"c.phone", b"messages_key", b"allow", b"allow_ever"} & left
        line = keys.line("gone")
        found = {key.decode() async for key in redis.scan_iter("*gone*")}
        assert found == {record, line}
        # What happened, in words of ours: nothing that anybody said.
        steps = [step.decode().split(" ", 1)[1] for step in await redis.lrange(line, 0, -1)]
        assert steps == ["opened  ", "attached d ", "closed  ended"]

    # The append-only file still holds the ciphertext: DEL does not take it out of history.
    blobs = bulk_strings(own_relay.data)
    assert any(DRIVER_PHONE.encode() in plain for plain in readable(ring, blobs, "gone"))

    now_ms = int(time.time() * 1000)
    for purpose in (Purpose.NUMBERS, Purpose.MESSAGES):
        file.retire([ring.current(purpose, now_ms).id])
    assert readable(file.read(), bulk_strings(own_relay.data), "gone") == set()


async def test_messages_are_kept_for_their_retention_and_no_longer(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("kept", retention_s=1)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    await driver.accepted(TEXT, id="m1")
    await relay.end_trip("kept")
    async with relay.redis() as redis:
        tag = keys.tag(keys.partition("kept"))
        assert await redis.xlen(f"{tag}:kept:kept:1") == 2
        assert not await redis.exists(keys.log("kept", 1))
        assert not {b"d.phone", b"c.phone"} & set(await redis.hkeys(keys.trip("kept")))

        async def destroyed() -> bool:
            return not await redis.exists(f"{tag}:kept:kept:1")

        await until(destroyed, "the messages are destroyed", 4)
        assert b"messages_key" not in await redis.hkeys(keys.trip("kept"))


async def test_evidence_is_kept_for_its_retention_and_no_longer(tmp_path: Path) -> None:
    """The messages go on their own schedule, and the case stays without its evidence."""
    async with RelayProcess(tmp_path, evidence_retention_s=2) as relay:
        tokens = await relay.open_trip("told", retention_s=0, report_window_s=600)
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        await customer.accepted(TEXT)
        await customer.say("report", id="r1", category="harassment")
        await customer.hear("reported", id="r1")
        await relay.end_trip("told")
        async with relay.redis() as redis:
            number = keys.partition("told")
            (case,) = [key async for key in redis.scan_iter(f"{keys.tag(number)}:case:*")]
            assert await redis.hexists(case, "evidence")

            async def destroyed() -> bool:
                return not await redis.hexists(case, "evidence")

            await until(destroyed, "the evidence is destroyed", 6)
            assert await redis.hget(case, "category") == b"harassment"


def test_the_keys_of_a_span_are_destroyed_when_its_last_trip_is_over(tmp_path: Path) -> None:
    """At most an hour after the longest trip, and by the ring's own upkeep."""
    hour_ms, trip_ms = 3_600_000, 12 * 3_600_000
    kept_ms = 7 * 86_400_000, 180 * 86_400_000
    start = 1_760_000_000_000 // hour_ms * hour_ms
    ring = KeyRing().extended(start, 0, os.urandom)
    number_key = ring.current(Purpose.NUMBERS, start)
    opened_last = start + hour_ms - 1
    assert ring.current(Purpose.NUMBERS, opened_last) is number_key
    still_running = opened_last + trip_ms
    assert number_key not in ring.due(still_running, trip_ms, *kept_ms)
    assert number_key in ring.due(start + trip_ms + hour_ms, trip_ms, *kept_ms)
