"""`relay doctor` on a relay that is well, and on everything that can be wrong with one."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from relay.keyfile import KeyFile
from relay.rig.single import Single
from relay.vault.ring import Purpose
from tests.support.certificate import certified
from tests.support.encrypting import encrypting
from tests.support.relay import RelayProcess

from .commands import Done, Quickly, Run, relay_command

LEVELS = {"ok", "warn", "fail"}


async def doctor(run: Run, relay: RelayProcess, *more: object, **environment: str) -> Done:
    at = ("--gateway", relay.gateway_url[5:].partition("/")[0], "--api", relay.api_url[7:])
    return await run("doctor", *at, "--data", relay.data, *more, **environment)


def checks(done: Done) -> dict[str, list[dict[str, Any]]]:
    """What was found, by name; a level that is not well comes with advice."""
    found: dict[str, list[dict[str, Any]]] = {}
    for check in done.json["checks"]:
        assert check["level"] in LEVELS
        assert bool(check["advice"]) is (check["level"] != "ok")
        found.setdefault(check["name"], []).append(check)
    assert done.json["ok"] is (done.code == 0)
    return found


def failed(done: Done) -> set[str]:
    return {
        name for name, every in checks(done).items() if any(c["level"] == "fail" for c in every)
    }


async def test_a_healthy_relay(relay: RelayProcess) -> None:
    done = await doctor(relay_command, relay, "--json")
    assert done.code == 0
    found = checks(done)
    assert failed(done) == set()
    for name in (
        "versions", "libraries", "open files", "data folder", "key ring", "store", "clock",
        "persistence", "eviction", "API", "gateway",
    ):  # fmt: skip
        assert name in found, name
    assert "Python 3." in found["versions"][0]["text"]
    assert "cryptography" in found["libraries"][0]["text"]
    assert "Valkey 9." in found["store"][0]["text"]
    assert "appendfsync always" in found["persistence"][0]["text"]
    for name in ("store", "clock", "persistence", "eviction", "API", "gateway", "data folder"):
        assert [check["level"] for check in found[name]] == ["ok"]


async def test_what_people_read(relay: RelayProcess, quickly: Quickly) -> None:
    done = await doctor(quickly, relay)
    assert done.code == 0
    assert all(line.split()[0] in LEVELS | {"→"} for line in done.out.splitlines())
    assert "ok   gateway" in done.out


async def test_nothing_is_changed(tmp_path: Path, quickly: Quickly) -> None:
    folder = tmp_path / "data"
    done = await quickly("doctor", "--data", folder, "--json", "--api", "127.0.0.1:1")
    assert done.code == 1
    assert not folder.exists()
    folder.mkdir(0o755)
    (folder / "relay.lock").touch()
    assert "data folder" in failed(await quickly("doctor", "--data", folder, "--json"))
    assert folder.stat().st_mode & 0o777 == 0o755
    assert os.listdir(folder) == ["relay.lock"]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_store_that_hangs(relay: RelayProcess, quickly: Quickly) -> None:
    with frozen(relay.store_pid()):
        done = await doctor(quickly, relay, "--json")
    assert done.code == 1
    assert {"store", "API"} <= failed(done)
    (store,) = checks(done)["store"]
    assert "does not answer" in store["text"]
    assert "valkey.log" in store["advice"]
    (api,) = checks(done)["API"]
    assert "not ready" in api["text"]


@pytest.mark.parametrize(
    "store", ["rediss://{}", "rediss+sentinel://{}/relay", "rediss+cluster://{}"]
)
async def test_a_store_whose_certificate_is_not_believed(
    store: str, tmp_path: Path, quickly: Quickly
) -> None:
    """It says why not, and not that the store does not run."""
    certificate = tmp_path / "certificate.pem"
    certified(certificate)
    KeyFile(tmp_path / "ring.json").create(time.time_ns() // 1_000_000, 86_400_000)
    async with (
        Single(tmp_path) as server,
        encrypting(server.url, certificate) as url,
    ):
        done = await quickly(
            "doctor", "--json", "--keyring-file", tmp_path / "ring.json",
            RELAY_REDIS=store.format(url.partition("://")[2]),
        )  # fmt: skip
    (found,) = checks(done)["store"]
    assert found["level"] == "fail"
    assert re.search(r"not believed here \(self.signed", found["text"]), found
    assert "?ssl_ca_certs=" in found["advice"]


async def test_a_store_that_would_lose_what_it_took_and_then_is_away(
    own_relay: RelayProcess, quickly: Quickly
) -> None:
    environment = {
        "RELAY_REDIS": own_relay.store_url,
        "RELAY_KEYRING_FILE": str(own_relay.data / "keyring.json"),
    }

    async def levels_with(**settings: str) -> tuple[int, str, str]:
        async with Redis.from_url(own_relay.store_url) as store:
            for name, value in settings.items():
                await store.config_set(name.replace("_", "-"), value)
        done = await doctor(quickly, own_relay, "--json", **environment)
        found = checks(done)
        others = failed(done) - {"persistence", "eviction"}
        assert not others, [found[name] for name in others]
        return done.code, found["persistence"][0]["level"], found["eviction"][0]["level"]

    assert await levels_with() == (0, "ok", "ok")
    assert await levels_with(appendfsync="everysec") == (0, "warn", "ok")
    assert await levels_with(maxmemory_policy="allkeys-lru") == (1, "warn", "fail")
    assert await levels_with(appendonly="no", maxmemory_policy="noeviction") == (1, "fail", "ok")

    await own_relay.end(signal.SIGTERM)
    done = await doctor(quickly, own_relay, "--json")
    assert done.code == 1
    assert failed(done) == {"store", "API", "gateway"}
    for name in ("store", "API", "gateway"):
        (check,) = checks(done)[name]
        assert "relay serve" in check["text"] + check["advice"]


async def test_files_that_others_can_read(relay: RelayProcess, quickly: Quickly) -> None:
    for path, name, advice in (
        (relay.data / "keyring.json", "key ring", "chmod 600"),
        (relay.data, "data folder", f"chmod 700 {relay.data}"),
    ):
        before = path.stat().st_mode
        path.chmod(before | 0o044)
        done = await doctor(quickly, relay, "--json")
        path.chmod(before)
        assert done.code == 1
        assert name in failed(done)
        check = checks(done)[name][0]
        assert advice in check["text"] + check["advice"]
    assert failed(await doctor(quickly, relay, "--json")) == set()


async def test_keys_that_run_out(tmp_path: Path, quickly: Quickly) -> None:
    ring = tmp_path / "ring.json"

    async def key_findings(from_ms: int, ahead_ms: int) -> tuple[list[str], list[str]]:
        ring.unlink(missing_ok=True)
        KeyFile(ring).create(from_ms, ahead_ms)
        words = ("--keyring-file", ring, "--data", tmp_path / "none", "--api", "127.0.0.1:1")
        done = await quickly("doctor", *words, "--gateway", "127.0.0.1:1", "--json")
        found = checks(done)["key ring"]
        return [check["level"] for check in found], [check["text"] for check in found]

    now_ms, hour_ms = time.time_ns() // 1_000_000, 3_600_000
    levels, _ = await key_findings(now_ms, 100 * hour_ms)
    assert levels == ["ok"] * (1 + len(Purpose))
    levels, texts = await key_findings(now_ms, 2 * hour_ms)
    assert levels[:2] == ["ok", "warn"]
    assert "keys for numbers only for" in texts[1]
    levels, texts = await key_findings(now_ms - 60 * 24 * hour_ms, 2 * hour_ms)
    assert (levels[0], levels[-1]) == ("ok", "warn")
    for purpose in (Purpose.NUMBERS, Purpose.MESSAGES, Purpose.EVIDENCE):
        assert f"no key for {purpose} covers the present time" in texts
    assert "due to be destroyed" in texts[-1]


async def test_settings_that_cannot_be_honoured(tmp_path: Path, quickly: Quickly) -> None:
    done = await quickly("doctor", "--redis", "redis://127.0.0.1:1")
    assert done.code == 3
    assert "key ring" in done.err
