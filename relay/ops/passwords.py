"""Passwords: the rule for a new one, and their hashes.

argon2id, above what OWASP asks for (19 MiB and 2 passes). A hash takes some thirty milliseconds of
one core, so they are made in threads of their own, two at a time and with the lowest priority:
messages do not wait for people who sign in. Who would have to wait for long is sent away instead.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .refusals import OpsCode, Refused

MIN_PASSWORD_CHARS: Final = 12
#: Longer than anybody types; more would only cost time.
MAX_PASSWORD_CHARS: Final = 256

#: What every operator is told before choosing one.
RULE: Final = (
    f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters, is not made of your "
    "id or name, and is not one short piece again and again."
)

_SALT_BYTES: Final = 16
_AT_ONCE: Final = 2
_MOST_WAITING: Final = 16
_LOWEST_PRIORITY: Final = 19
#: A password made by repeating a piece of up to this length is as good as the piece.
_MAX_PIECE_CHARS: Final = 4

T = TypeVar("T")


def check_new_password(password: str, *, names: tuple[str, ...]) -> None:
    """Raise `Refused` unless the password may be used; `names` are the operator's id and name."""
    plain = password.casefold()
    for word in sorted(" ".join(names).casefold().split(), key=len, reverse=True):
        plain = plain.replace(word, "") if len(word) > 1 else plain
    good = (
        MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS
        and len(plain.strip()) >= MIN_PASSWORD_CHARS // 2
        and not _repeats(password)
    )
    if not good:
        raise Refused(
            OpsCode.INVALID,
            f"This password can't be used, so nothing was saved. {RULE} Choose another; several "
            "words that do not belong together are easy to keep in mind.",
            field="password",
        )


def _repeats(password: str) -> bool:
    return any(
        password == (password[:size] * len(password))[: len(password)]
        for size in range(1, _MAX_PIECE_CHARS + 1)
    )


class Passwords:
    """Makes and checks hashes. One for a process: it is what keeps them to two at a time."""

    def __init__(
        self,
        *,
        random_bytes: Callable[[int], bytes],
        time_cost: int = 2,
        memory_kib: int = 32 * 1024,
    ) -> None:
        self._random_bytes = random_bytes
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "argon2", initializer=_lower_priority)
        self._under_way = 0
        # Nobody's: to check a password against it takes as long as with a real one.
        salt, digest = (
            b64encode(random_bytes(size)).rstrip(b"=").decode() for size in (_SALT_BYTES, 32)
        )
        self._nobodys = f"$argon2id$v=19$m={memory_kib},t={time_cost},p=1${salt}${digest}"

    async def hash(self, password: str) -> str:
        """The password's hash. Raises `Refused` while too many are waiting."""
        salt = self._random_bytes(_SALT_BYTES)
        return await self._in_thread(lambda: self._hasher.hash(_bytes(password), salt=salt))

    async def verify(self, stored: str, password: str) -> bool:
        """Whether this is the password; `stored` is its hash, or empty if there is none.

        Takes as long either way. Raises `Refused` while too many are waiting.
        """
        is_right = await self._in_thread(lambda: self._verify(stored or self._nobodys, password))
        return is_right and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        with suppress(VerificationError, InvalidHashError):
            return self._hasher.verify(stored, _bytes(password))
        return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._under_way >= _AT_ONCE + _MOST_WAITING:
            raise Refused(
                OpsCode.TOO_MANY,
                "Too many people are signing in just now, so this was not looked at. Try again in "
                "a few seconds.",
            )
        self._under_way += 1
        done = self._threads.submit(work)
        # Counted until the thread has finished, even if nobody waits for it any more.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: _call_soon(loop, self._finished))
        return await asyncio.wrap_future(done)

    def _finished(self) -> None:
        self._under_way -= 1


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the process ends
        loop.call_soon_threadsafe(call)


def _bytes(password: str) -> bytes:
    return password[: MAX_PASSWORD_CHARS + 1].encode("utf-8", "surrogatepass")


def _lower_priority() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
