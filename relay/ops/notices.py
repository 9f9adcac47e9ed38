"""Telling the people of a trip that staff have read their messages, without telling on anybody.

Both parties of the pairing are told alike, as a platform event `evidence.read` for each. A notice
that came at once would tell the reported party that, and when, the other had reported it. So
notices go out together in one batch a night, a day or more after the reading, and wait while the
case is open, though not for ever. All readings of a trip up to then are one notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from ..core.casework import ReadingPurpose
from ..store import keys, scripts
from ..store.endpoint import pack
from ..store.pipe import checked
from ..store.store import Store

_DAY_MS: Final = 24 * 3_600_000
_BATCH_MS: Final = 3 * 3_600_000  # 03:00 UTC
#: A case that is not closed by then no longer delays its notices.
_LONGEST_WAIT_MS: Final = 7 * _DAY_MS
_AT_MOST: Final = 200
_AT_ONCE: Final = 32


def batch_at_ms(read_at_ms: int, delay_s: int) -> int:
    """When the parties are told of a reading: at the first 03:00 UTC after the delay."""
    earliest_ms = read_at_ms + delay_s * 1000
    batches = -(-(earliest_ms - _BATCH_MS) // _DAY_MS)  # rounded up
    return batches * _DAY_MS + _BATCH_MS


class Notices:
    """Notices to the persons concerned. Every method raises `StoreError`.

    `delay_s` is how long a reading is not told at least.
    """

    def __init__(self, store: Store, *, now_ms: Callable[[], int], delay_s: int = 86_400) -> None:
        self._store = store
        self._now_ms = now_ms
        self._delay_s = delay_s

    async def schedule(
        self, *, trip: str, case: str, purpose: ReadingPurpose, parties: Collection[str]
    ) -> None:
        """See to it that these parties are told; a notice that is on its way already takes this
        reading in."""
        now_ms = self._now_ms()
        await self._store.run(
            scripts.CASE_NOTICE, keys.notices(keys.partition(trip)), trip, case, purpose.value,
            datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat(),
            batch_at_ms(now_ms, self._delay_s), now_ms + _LONGEST_WAIT_MS, *parties,
        )  # fmt: skip

    async def send_due(self) -> int:
        """Send what is due by the store's clock; give how many. Every node may call it: each notice
        goes out once."""
        due = scripts.CASE_NOTICES
        sent: int = await self._store.run(due, keys.notices(0), _AT_MOST, _DAY_MS)
        for begin in range(1, keys.PARTITIONS, _AT_ONCE):
            replies = [
                self._store.pipe.call_raw(
                    pack("EVALSHA", due.sha, 1, keys.notices(number), _AT_MOST, _DAY_MS)
                )
                for number in range(begin, min(begin + _AT_ONCE, keys.PARTITIONS))
            ]
            for reply in replies:
                sent += checked(await reply)
        return sent
