"""What a worker has done leaves nothing behind that only the garbage collector would find."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import relay as relay_package
from relay.rig.waiting import until
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import RelayProcess

ROUNDS = 10

#: Keeps all that refers to itself, from when the worker serves until it is asked for it.
KEEPS_GARBAGE = """
import collections, gc, json, os, signal, sys

def told(*_):
    with open({file!r} + ".new", "w") as file:
        gc.collect()
        found = collections.Counter(type(one).__qualname__ for one in gc.garbage)
        json.dump(found, file)
    os.rename({file!r} + ".new", {file!r})

if any(word.endswith("relay.worker") for word in sys.orig_argv):
    freeze = gc.freeze

    def serves():
        freeze()
        gc.set_debug(gc.DEBUG_SAVEALL)

    gc.freeze = serves
    signal.signal(signal.SIGUSR2, told)
"""


async def all_of_a_ride(relay: RelayProcess, trip: str) -> None:
    tokens = await relay.open_trip(trip)
    driver = await Party.attach(relay.gateway_url, tokens["driver"], MSGPACK)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], JSON)
    for number in range(5):
        accepted = await driver.accepted(f"saya di lobby {number}, wa saja 0813-9876-543{number}")
        await customer.hear("message", id=accepted["id"])
        await customer.say("got", pos=accepted["pos"])
        await customer.say("typing", on=True)
    await customer.say("report", id="r1", category="other", note="kasar")
    await customer.hear("reported")
    customer.socket.transport.abort()
    customer = await Party.attach(relay.gateway_url, tokens["customer"], JSON)
    await relay.end_trip(trip)
    await until(lambda: driver.close_code and customer.close_code, "both are sent away")


async def all_that_goes_wrong(relay: RelayProcess) -> None:
    assert (await relay.call("POST", "/v1/trips", {"trip": 1})).status_code == 422
    assert (await relay.call("GET", "/v1/trips/none")).status_code == 404
    host, _, port = relay.gateway_url.split("/")[2].partition(":")
    for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\0\r\n\r\n", b"GET /v1/chan"):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(words)
    party = await Party.connect(relay.gateway_url)
    await party.say("attach", token="v4.nothing")
    await until(lambda: party.close_code, "it is sent away")


async def test_a_worker_leaves_no_garbage_that_refers_to_itself(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    (tmp_path / "sitecustomize.py").write_text(KEEPS_GARBAGE.format(file=str(told)))
    path = os.pathsep.join([str(tmp_path), str(Path(relay_package.__file__).parents[1])])
    async with RelayProcess(tmp_path, environment={"PYTHONPATH": path}) as relay:
        for number in range(ROUNDS):
            await all_of_a_ride(relay, f"clean-{number}")
            await all_that_goes_wrong(relay)
        (worker,) = relay.workers()
        os.kill(worker, signal.SIGUSR2)
        await until(told.exists, "the worker says what it has found")
    assert json.loads(told.read_text()) == {}


#: Holds on to as much as many trips do, with all looks at everything counted.
GROWS = """
import gc
from relay import garbage

garbage.look_seldom()
before = gc.get_stats()
held = [[number] for number in range(1_000_000)]
after = gc.get_stats()
print(*(later["collections"] - then["collections"] for then, later in zip(before, after)))
"""


def test_what_grows_is_not_looked_through_again_and_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWS], capture_output=True, text=True, timeout=60, check=True
    )
    *young, everything = map(int, done.stdout.split())
    assert everything == 0
    if sys.version_info < (3, 14):  # which has no fixed count of them any more
        assert all(young)
