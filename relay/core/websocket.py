"""Messages out of WebSocket frames, by RFC 6455 sections 5.2 to 5.6 and 8.1.

picows hands over single frames and leaves to us: reserved bits, the order of fragments, the size
of a message as a whole, and UTF-8. Control frames may stand between fragments and are not fed here.
"""

from __future__ import annotations

from typing import Final

from .codes import CloseCode

CONTINUATION, TEXT, BINARY = 0x0, 0x1, 0x2

#: What comes before a whole message of this many bytes; see `head_of` for longer ones.
SHORT_HEADS: Final = {
    opcode: tuple(bytes((0x80 | opcode, size)) for size in range(126)) for opcode in (TEXT, BINARY)
}


def head_of(opcode: int, size: int) -> bytes:
    """What comes before a whole message of `size` bytes that a server sends (section 5.2)."""
    if size < 126:
        return SHORT_HEADS[opcode][size]
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2)
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8)


class FrameError(Exception):
    """The peer broke RFC 6455: fail the connection with `code` (section 7.1.7)."""

    def __init__(self, code: CloseCode, what: str) -> None:
        super().__init__(what)
        self.code = code


class Assembler:
    """Joins the data frames of one connection into messages of at most `max_bytes`."""

    __slots__ = ("_max_bytes", "_parts", "_size", "opcode")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] | None = None
        self._size = 0
        self.opcode = TEXT

    def feed(self, opcode: int, fin: bool, payload: bytes) -> bytes | None:
        """Take a data frame; give the message that it completes, or None.

        `opcode` of the completed message is in `self.opcode`; that a text is UTF-8 is left to
        whoever decodes it. Raises `FrameError`.
        """
        parts = self._parts
        if opcode == CONTINUATION:
            if parts is None:
                raise FrameError(CloseCode.PROTOCOL_ERROR, "a continuation of nothing")
        elif parts is not None:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a new message inside a fragmented one")
        else:
            self.opcode = opcode
            if fin:
                return payload
            parts = self._parts = []
            self._size = 0
        self._size += len(payload)
        if self._size > self._max_bytes:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, "the message is larger than allowed")
        if payload:  # empty fragments are allowed, and free for whoever sends them
            parts.append(payload)
        if not fin:
            return None
        self._parts = None
        return b"".join(parts)
