"""Frames as MessagePack maps, and how to read a field. Pure.

This side reads frames with its own few lines instead of the relay's structs: light for those who
install it, and a second opinion on what is on the wire.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgpack  # type: ignore[import-untyped]

Frame: TypeAlias = dict[str, Any]
T = TypeVar("T")


class BadFrame(Exception):
    """What the relay sent is not what the protocol describes. What it held is not kept."""


def pack(value: object) -> bytes:
    """MessagePack of plain values."""
    data: bytes = msgpack.packb(value)
    return data


def unpack(data: bytes) -> Any:
    """Read MessagePack. Raises `BadFrame`, which holds nothing of what was read."""
    try:
        return msgpack.unpackb(data)
    except Exception:  # noqa: BLE001 - msgpack raises half a dozen kinds, and some quote what they read
        raise BadFrame("no MessagePack") from None


def decode(data: str | bytes) -> Frame:
    """Read one frame: a map with a string `op`. Raises `BadFrame`."""
    if isinstance(data, str):
        raise BadFrame("a text message on a binary subprotocol")
    frame = unpack(data)
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        raise BadFrame("no map with an op")
    return frame


def field(frame: Frame, name: str, kind: type[T]) -> T:
    """The field `name`, which must be of `kind`. Raises `BadFrame`."""
    value: Any = frame.get(name)
    if kind is float and type(value) is int:
        value = float(value)
    # `type` and not `isinstance`: True is no integer here.
    if type(value) is not kind:
        raise BadFrame(f"the field {name} is missing or of the wrong type")
    result: T = value
    return result


def optional(frame: Frame, name: str, kind: type[T]) -> T | None:
    """As `field`, or None where the field is left out."""
    return None if frame.get(name) is None else field(frame, name, kind)


def inner(frame: Frame, name: str) -> Frame:
    """The map in the field `name`. Raises `BadFrame`."""
    return field(frame, name, dict)


def strings(frame: Frame, name: str) -> list[str]:
    """A list of strings, empty where the field is left out. Raises `BadFrame`."""
    values: list[str] = optional(frame, name, list) or []
    if not all(type(value) is str for value in values):
        raise BadFrame(f"the field {name} holds something that is no string")
    return values


def maps(frame: Frame, name: str) -> list[Frame]:
    """A list of maps, empty where the field is left out. Raises `BadFrame`."""
    values: list[Frame] = optional(frame, name, list) or []
    if not all(type(value) is dict for value in values):
        raise BadFrame(f"the field {name} holds something that is no map")
    return values
