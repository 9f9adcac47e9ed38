"""Texts that are easy to tell apart and that the guard has nothing to say about."""

from __future__ import annotations

from relay.rig.texts import chat, numbered

__all__ = ["chat", "numbered"]
