"""RFC 6455 through raw sockets: what a hostile or odd peer sends, byte by byte.

The conversation used is a token that nobody knows: the relay answers a whole, well-formed frame with
4503, so whether a message came through is seen by which code ends the connection.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from relay.rig.texts import chat
from tests.support.party import Party
from tests.support.relay import RelayProcess

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
ATTACH = json.dumps({"op": "attach", "token": "nobody"}).encode()


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True,
    length: bytes | None = None,
) -> bytes:  # fmt: skip
    """One frame as a client sends it; `length` writes the length field by hand."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if length is None:
        size = len(payload)
        if size < 126:
            length = bytes([size])
        elif size < 65536:
            length = bytes([126]) + struct.pack(">H", size)
        else:
            length = bytes([127]) + struct.pack(">Q", size)
    if not masked:
        return head + length + payload
    mask = os.urandom(4)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + bytes([length[0] | 0x80]) + length[1:] + mask + body


class Raw:
    """A socket after the handshake, without a WebSocket library on this side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.said_goodbye = False

    @classmethod
    async def connect(
        cls, relay: RelayProcess, headers: str = "", version: int = 13, wishes: str = "Upgrade"
    ) -> Raw:
        host, _, port = relay.gateway_url[5:].partition("/")[0].rpartition(":")
        raw = cls(*await asyncio.open_connection(host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        raw.send(
            f"GET /v1/channel HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: {wishes}\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: {version}\r\n{headers}\r\n".encode()
        )
        return raw

    async def opened(self) -> Raw:
        status = await self.reader.readuntil(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 101"), status
        return self

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: (opcode, payload); unmasked and whole, as a server must send."""
        async with asyncio.timeout(5):
            first, second = await self.reader.readexactly(2)
            assert first & 0x70 == 0
            assert second & 0x80 == 0
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            return first & 0xF, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """Read until the close frame; then the relay must end the TCP connection too."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                assert len(payload) <= 125
                payload[2:].decode()
                if not self.said_goodbye:
                    self.send(frame(CLOSE, payload[:2]))
                # A reset, where more was sent after the goodbye: nobody reads it any more.
                with suppress(ConnectionResetError) if self.said_goodbye else nullcontext():
                    async with asyncio.timeout(5):
                        assert await self.reader.read() == b""
                self.writer.close()
                return int.from_bytes(payload[:2]) if payload else 1005

    async def gone(self) -> bool:
        self.writer.close()
        return True


async def open_raw(relay: RelayProcess) -> Raw:
    return await (await Raw.connect(relay)).opened()


CASES: list[tuple[str, list[bytes], int]] = [
    ("a whole message", [frame(TEXT, ATTACH)], 4503),
    ("fragments", [frame(TEXT, ATTACH[:5], fin=False), frame(CONTINUATION, ATTACH[5:])], 4503),
    (
        "one byte a fragment",
        [frame(TEXT, ATTACH[:1], fin=False)]
        + [frame(CONTINUATION, ATTACH[i : i + 1], fin=False) for i in range(1, len(ATTACH))]
        + [frame(CONTINUATION, b"")],
        4503,
    ),
    (
        "a ping between fragments",
        [frame(TEXT, ATTACH[:5], fin=False), frame(PING, b"x"), frame(CONTINUATION, ATTACH[5:])],
        4503,
    ),
    ("empty fragments", [frame(TEXT, b"", fin=False), frame(CONTINUATION, b"", fin=False),
                         frame(CONTINUATION, ATTACH)], 4503),
    ("rsv1", [frame(TEXT, ATTACH, rsv=4)], 1002),
    ("rsv2", [frame(TEXT, ATTACH, rsv=2)], 1002),
    ("rsv1 and rsv2", [frame(TEXT, ATTACH, rsv=6)], 1002),
    ("rsv in a close", [frame(CLOSE, b"\x03\xe8", rsv=1)], 1002),
    ("rsv3", [frame(TEXT, ATTACH, rsv=1)], 1002),
    ("rsv in a ping", [frame(PING, b"", rsv=4)], 1002),
    ("rsv in a continuation", [frame(TEXT, b"{", fin=False), frame(CONTINUATION, b"}", rsv=1)], 1002),
    ("opcode 3", [frame(3, b"x")], 1002),
    ("opcode 7", [frame(7)], 1002),
    ("opcode 4 between fragments",
     [frame(TEXT, b"{", fin=False), frame(4), frame(CONTINUATION, b"}")], 1002),
    ("opcode 11", [frame(11)], 1002),
    ("opcode 12 after a message", [frame(PONG), frame(12, b"x")], 1002),
    ("opcode 15", [frame(15, b"x")], 1002),
    ("no mask", [frame(TEXT, ATTACH, masked=False)], 1002),
    ("a continuation of nothing", [frame(CONTINUATION, ATTACH)], 1002),
    ("a continuation after a whole message", [frame(PONG), frame(CONTINUATION, b"", fin=False)], 1002),
    ("text inside text", [frame(TEXT, b"{", fin=False), frame(TEXT, ATTACH)], 1002),
    ("binary inside text", [frame(TEXT, b"{", fin=False), frame(BINARY, b"x")], 1002),
    ("two continuations of nothing",
     [frame(CONTINUATION, b"x", fin=False), frame(CONTINUATION, ATTACH)], 1002),
    ("pings and pongs between fragments",
     [frame(TEXT, ATTACH[:5], fin=False), frame(PING, b"1"), frame(PONG, b"2"),
      frame(CONTINUATION, ATTACH[5:9], fin=False), frame(PING, b"3"), frame(CONTINUATION, ATTACH[9:])], 4503),
    ("a fragmented ping", [frame(PING, b"x", fin=False)], 1002),
    ("a fragmented close", [frame(CLOSE, b"\x03\xe8", fin=False)], 1002),
    ("a ping of 126 bytes", [frame(PING, b"x" * 126)], 1002),
    ("a close of 126 bytes", [frame(CLOSE, b"\x03\xe8" + b"x" * 124)], 1002),
    ("a length longer than needed", [frame(TEXT, ATTACH, length=b"\x7e\x00\x05")], 1002),
    ("a 64-bit length longer than needed", [frame(TEXT, b"x", length=b"\x7f" + b"\0" * 7 + b"\5")], 1002),
    ("a negative length", [frame(TEXT, b"", length=b"\x7f\x80" + b"\0" * 7)], 1002),
    ("bytes that are not UTF-8", [frame(TEXT, b'{"op":"\xff"}')], 1007),
    ("a lone surrogate", [frame(TEXT, b'"\xed\xa0\x80"')], 1007),
    ("an overlong slash", [frame(TEXT, b'"\xc0\xaf"')], 1007),
    ("beyond Unicode", [frame(TEXT, b'"\xf4\x90\x80\x80"')], 1007),
    ("the last code point", [frame(TEXT, b'"\xf4\x8f\xbf\xbf"')], 4504),
    ("a noncharacter", [frame(TEXT, b'"\xef\xbf\xbe"')], 4504),
    ("a lone continuation byte", [frame(TEXT, b'"\x80"')], 1007),
    ("a byte that is never in UTF-8", [frame(TEXT, b'"\xfe"')], 1007),
    ("an overlong NUL of three bytes", [frame(TEXT, b'"\xe0\x80\x80"')], 1007),
    ("five bytes", [frame(TEXT, b'"\xf8\x88\x80\x80\x80"')], 1007),
    ("a cut code point", [frame(TEXT, b'"\xe2\x82')], 1007),
    ("a code point across fragments", [frame(TEXT, b'{"op":"\xe2', fin=False),
                                       frame(CONTINUATION, b'\x82\xac"}')], 4504),
    ("too large a frame", [frame(TEXT, b"x" * 16385)], 1009),
    ("too large a message of small frames",
     [frame(TEXT, b"x" * 9000, fin=False), frame(CONTINUATION, b"x" * 9000)], 1009),
    ("an announced gigabyte", [frame(TEXT, b"", length=b"\x7f" + struct.pack(">Q", 2**30))], 1009),
    ("the largest message", [frame(TEXT, b'{"op":"x","p":"' + b"x" * (16384 - 17) + b'"}')], 4504),
    ("close without a code", [frame(CLOSE)], 1000),
    ("close 1000", [frame(CLOSE, b"\x03\xe8bye")], 1000),
    ("close 1001", [frame(CLOSE, b"\x03\xe9")], 1001),
    ("close 1003", [frame(CLOSE, b"\x03\xeb")], 1003),
    ("close 1007", [frame(CLOSE, b"\x03\xef")], 1007),
    ("close 1011", [frame(CLOSE, b"\x03\xf3")], 1011),
    ("close 3999", [frame(CLOSE, b"\x0f\x9f")], 3999),
    ("close 4000", [frame(CLOSE, b"\x0f\xa0")], 4000),
    ("close 1000 with the longest reason", [frame(CLOSE, b"\x03\xe8" + b"x" * 123)], 1000),
    ("close, then a message", [frame(CLOSE, b"\x03\xe8"), frame(TEXT, ATTACH)], 1000),
    ("close, then a ping", [frame(CLOSE, b"\x03\xe8"), frame(PING, b"x")], 1000),
    ("close inside a fragmented message",
     [frame(TEXT, ATTACH[:5], fin=False), frame(CLOSE, b"\x03\xe8"), frame(CONTINUATION, ATTACH[5:])], 1000),
    ("close 3000", [frame(CLOSE, b"\x0b\xb8")], 3000),
    ("close 4999", [frame(CLOSE, b"\x13\x87")], 4999),
    ("close with one byte", [frame(CLOSE, b"\x03")], 1002),
    ("close 0", [frame(CLOSE, b"\0\0")], 1002),
    ("close 999", [frame(CLOSE, b"\x03\xe7")], 1002),
    ("close 1004", [frame(CLOSE, b"\x03\xec")], 1002),
    ("close 1005", [frame(CLOSE, b"\x03\xed")], 1002),
    ("close 1006", [frame(CLOSE, b"\x03\xee")], 1002),
    ("close 1015", [frame(CLOSE, b"\x03\xf7")], 1002),
    ("close 1016", [frame(CLOSE, b"\x03\xf8")], 1002),
    ("close 1100", [frame(CLOSE, b"\x04\x4c")], 1002),
    ("close 2000", [frame(CLOSE, b"\x07\xd0")], 1002),
    ("close 2999", [frame(CLOSE, b"\x0b\xb7")], 1002),
    ("close 5000", [frame(CLOSE, b"\x13\x88")], 1002),
    ("close 65535", [frame(CLOSE, b"\xff\xff")], 1002),
    ("close with a reason that is not UTF-8", [frame(CLOSE, b"\x03\xe8\xff")], 1007),
]  # fmt: skip


@pytest.mark.parametrize("pieces", ["whole", "one byte a write"])
@pytest.mark.parametrize(("name", "frames", "code"), CASES, ids=[name for name, _, _ in CASES])
async def test_the_end(
    relay: RelayProcess, name: str, frames: list[bytes], code: int, pieces: str
) -> None:
    raw = await open_raw(relay)
    raw.said_goodbye = name.startswith("close")
    data = b"".join(frames)
    # What is still sent when the connection has ended is answered by a reset, which overtakes the end.
    goes_on = name.startswith(("close, then", "close inside"))
    if pieces == "whole" or len(data) > 2000 or goes_on:
        raw.send(data)
    else:
        for byte in data:
            raw.send(bytes([byte]))
            await asyncio.sleep(0)
    assert await raw.close_code() == code


async def test_pings_are_answered_with_what_they_hold(relay: RelayProcess) -> None:
    raw = await open_raw(relay)
    for payload in (b"", b"x", bytes(range(125))):
        raw.send(frame(PING, payload))
        assert await raw.frame() == (PONG, payload)
    raw.send(*[frame(PING, str(number).encode()) for number in range(10)])
    for number in range(10):
        assert await raw.frame() == (PONG, str(number).encode())
    raw.send(frame(PONG, b"never asked for"), frame(PING, b"alive"))
    assert await raw.frame() == (PONG, b"alive")
    await raw.gone()


async def test_a_close_is_answered_and_the_connection_ended(relay: RelayProcess) -> None:
    raw = await open_raw(relay)
    raw.said_goodbye = True
    raw.send(frame(CLOSE, b"\x03\xe8"))
    assert await raw.close_code() == 1000


@pytest.mark.parametrize("wishes", ["keep-alive, Upgrade", "upgrade , Keep-Alive"])
async def test_an_upgrade_may_be_one_of_several_wishes(relay: RelayProcess, wishes: str) -> None:
    """As Firefox says it (section 4.2.1: a token in a list)."""
    raw = await (await Raw.connect(relay, wishes=wishes)).opened()
    raw.send(frame(PING, b"there"))
    assert await raw.frame() == (PONG, b"there")
    await raw.gone()


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [
        ("", 12, b"400"),
        ("Content-Length: 5\r\n", 13, b"400"),
        ("X: " + "x" * 20000 + "\r\n", 13, b""),
    ],
    ids=["version", "body", "size"],
)
async def test_bad_handshakes(
    relay: RelayProcess, headers: str, version: int, status: bytes
) -> None:
    raw = await Raw.connect(relay, headers, version)
    async with asyncio.timeout(5):
        try:
            answer = await raw.reader.read()
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 101")
    assert status in answer.partition(b"\r\n")[0]
    await raw.gone()


async def test_a_handshake_that_never_ends(relay: RelayProcess) -> None:
    host, _, port = relay.gateway_url[5:].partition("/")[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/channel HTTP/1.1\r\n")
    async with asyncio.timeout(8):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_breaks_the_rules_harms_no_other(relay: RelayProcess) -> None:
    """All the cases above at once, beside a conversation that goes on."""
    tokens = await relay.open_trip("beside")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])

    async def break_rules(name: str, frames: list[bytes]) -> None:
        raw = await open_raw(relay)
        raw.said_goodbye = name.startswith("close")
        raw.send(*frames)
        with suppress(ConnectionResetError):
            await raw.close_code()

    async def talk() -> None:
        for number in range(100):
            await driver.accepted(chat(number))

    broken: list[Any] = [break_rules(name, frames) for name, frames, _ in CASES]
    await asyncio.gather(talk(), *broken)
    await customer.hear("message", text=chat(99))
    assert customer.texts() == [chat(number) for number in range(100)]
    assert "Traceback" not in relay.log.read_text()
    assert "gateway_exception" not in relay.log.read_text()
