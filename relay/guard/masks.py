"""What stands in a delivered text where something was taken out.

No rule is about these signs, so to those who look for letters, or for letters of other scripts, a
text with masks is what it is without them.
"""

from __future__ import annotations

from typing import Final

#: Where digits were, and where another contact was.
MASK: Final = "•••"
CONTACT_MASK: Final = "▪▪▪"


def without_masks(text: str) -> str:
    """The text without what stands where something was taken out."""
    return text.replace(MASK, "").replace(CONTACT_MASK, "")
