"""When a worker looks for garbage that refers to itself.

What messages, apps and trips take is freed as they go: nothing of it refers to itself, and tests
hold that. A look at all there is finds next to nothing, then, and while it lasts nobody is
answered: half a second with ten thousand apps attached. Left to itself Python takes one every few
seconds under load.
"""

from __future__ import annotations

import gc
from typing import Final

#: How often all there is is looked at: an error may have left something that refers to itself.
EVERY_S: Final = 3600.0

#: So many looks at what is younger come first as never come.
_NEVER: Final = 1_000_000_000


def look_seldom() -> None:
    """From here on look only at what is young, and not at all at what there is already."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    gc.enable()


async def look_at_all() -> None:
    """Look at all that has come since `look_seldom`; for the process, nothing else goes on."""
    gc.collect()
