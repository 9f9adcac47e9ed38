"""Output that cannot be written: one line and no traceback, whatever the command."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from .commands import CLEAN, LIMIT_S, Done

#: By the help, by lines as they come, as one document, and from within an event loop's tasks.
COMMANDS = ("--help", "guard explain halo", "guard explain halo --json", "demo --script")


async def run(command: str, output: int, *before: str, **environment: str) -> Done:
    """Run `relay` with that standard output."""
    process = await asyncio.create_subprocess_exec(
        *before, sys.executable, "-W", "error", "-m", "relay", *command.split(),
        stdin=asyncio.subprocess.PIPE, stdout=output, stderr=asyncio.subprocess.PIPE,
        env={**CLEAN, **environment},
    )  # fmt: skip
    os.close(output)
    async with asyncio.timeout(LIMIT_S):
        _, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, "", err.decode())


def of_no_reader() -> int:
    """A pipe whose other end is closed."""
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_full_disk_is_said_in_one_line(command: str) -> None:
    done = await run(command, os.open("/dev/full", os.O_WRONLY))
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("relay: standard output cannot be written (No space left on device)")


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_reader_that_has_gone_knows_it(command: str) -> None:
    done = await run(command, of_no_reader())
    assert (done.code, done.err) == (1, "")


async def test_what_fails_besides_keeps_its_own_exit_code() -> None:
    done = await run("nonsense", os.open("/dev/full", os.O_WRONLY))
    assert done.code == 2 and "No such command" in done.err


async def test_an_output_that_was_closed_before_is_one_that_cannot_be_written() -> None:
    for command, code, said in (("--version", 1, "cannot be written"), ("nonsense", 2, "nonsense")):
        done = await run(
            command, os.open(os.devnull, os.O_WRONLY), "sh", "-c", 'exec "$@" >&-', "sh"
        )
        assert done.code == code and said in done.err and "Traceback" not in done.err
    done = await run("--version", of_no_reader(), "sh", "-c", 'exec "$@" 2>&-', "sh")
    assert done.code == 1


async def test_output_that_is_not_kept_back_fails_alike() -> None:
    done = await run("--version", os.open("/dev/full", os.O_WRONLY), PYTHONUNBUFFERED="1")
    assert done.code == 1 and "cannot be written" in done.err
