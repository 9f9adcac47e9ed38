"""Which shape the data in the store have.

Two versions of the relay run side by side during a deploy: each has its own scripts, known by
their hashes, and both read and write the same keys. The number rises with a change that the version
before could not live with; a node that does not know the store's number does not start.
"""

from __future__ import annotations

from typing import Final

from . import keys
from .endpoint import StoreError
from .pipe import Pipe

#: What this version writes, and the oldest that it can go on from.
SCHEMA: Final = 1
OLDEST: Final = 1


async def check_schema(pipe: Pipe) -> None:
    """See that this version can work on the store. Raises `StoreError`."""
    await pipe.call("SET", keys.SCHEMA, SCHEMA, "NX")
    found = await pipe.call("GET", keys.SCHEMA)
    number = int(found) if found is not None and found.isdigit() else None
    if number is None or not OLDEST <= number <= SCHEMA:
        known = f"{OLDEST} to {SCHEMA}" if OLDEST < SCHEMA else f"{SCHEMA}"
        raise StoreError(
            f"the store's data are of schema {number or 'unknown'}, and this version of the relay "
            f"knows {known}: run the version that wrote them, or give this one another store"
        )
