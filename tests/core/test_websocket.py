"""Messages out of frames, by RFC 6455."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.codes import CloseCode
from relay.core.websocket import BINARY, CONTINUATION, TEXT, Assembler, FrameError


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8), st.sampled_from([TEXT, BINARY]))
def test_fragments_are_joined_in_order(parts: list[bytes], opcode: int) -> None:
    assembler = Assembler(1000)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        message = assembler.feed(opcode if index == 0 else CONTINUATION, last, part)
        assert (message is None) is not last
    assert message == b"".join(parts)
    assert assembler.opcode == opcode
    # And it is ready for the next message.
    assert assembler.feed(TEXT, True, b"next") == b"next"


def test_a_continuation_of_nothing() -> None:
    with pytest.raises(FrameError) as caught:
        Assembler(10).feed(CONTINUATION, True, b"x")
    assert caught.value.code is CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_inside_another(opcode: int) -> None:
    assembler = Assembler(10)
    assembler.feed(TEXT, False, b"x")
    with pytest.raises(FrameError) as caught:
        assembler.feed(opcode, True, b"y")
    assert caught.value.code is CloseCode.PROTOCOL_ERROR


def test_a_message_is_bounded_as_a_whole() -> None:
    assembler = Assembler(10)
    assembler.feed(TEXT, False, b"x" * 6)
    with pytest.raises(FrameError) as caught:
        assembler.feed(CONTINUATION, False, b"x" * 5)
    assert caught.value.code is CloseCode.MESSAGE_TOO_BIG
    exact = Assembler(10)
    exact.feed(TEXT, False, b"x" * 6)
    assert exact.feed(CONTINUATION, True, b"x" * 4) == b"x" * 10
