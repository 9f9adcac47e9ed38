"""One connection's conversation: both ends agree, whatever is said and however it is cut up."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.session import (
    OPS,
    TRANSITIONS,
    LocalProtocolError,
    RemoteProtocolError,
    Session,
    Side,
    State,
)
from relay.core.websocket import BINARY, CONTINUATION, TEXT, Assembler


def test_every_state_answers_every_op() -> None:
    """A known op either leads to a state or is out of turn; nothing else can happen."""
    for side in Side:
        for state in State:
            for op in (*OPS[side], "never heard of"):
                session = Session(side)
                session._turn(state)
                if op in TRANSITIONS[side][state]:
                    session.send(op)
                    assert session.state is TRANSITIONS[side][state][op]
                else:
                    with pytest.raises(LocalProtocolError) as caught:
                        session.send(op)
                    assert caught.value.unknown is (op not in OPS[side])
                    assert session.state is state


def test_no_message_before_a_token_was_shown_and_none_after_the_end() -> None:
    for op in OPS[Side.APP] - {"attach"}:
        with pytest.raises(RemoteProtocolError):
            Session(Side.RELAY).receive(op)
    ended = Session(Side.RELAY)
    for op in ("attach",):
        ended.receive(op)
    for op in ("attached", "replayed", "closed"):
        ended.send(op)
    for op in OPS[Side.RELAY]:
        with pytest.raises(LocalProtocolError):
            ended.send(op)


def test_who_attached_to_report_says_and_hears_nothing_else() -> None:
    app, relay = Session(Side.APP), Session(Side.RELAY)
    app.send("attach")
    relay.receive("attach")
    for end in (app, relay):
        end.only_to_report()
        assert end.state is State.ATTACHING_TO_REPORT
    with pytest.raises(RemoteProtocolError):
        relay.receive("report")
    for op in ("attached", "replayed"):
        relay.send(op)
        app.receive(op)
    assert (app.state, relay.state) == (State.REPORTING, State.REPORTING)
    for op in OPS[Side.APP]:
        if op in ("report", "ping"):
            relay.receive(op)
        else:
            with pytest.raises(RemoteProtocolError):
                relay.receive(op)
    for op in ("message", "got", "typing", "presence", "state", "reassigned"):
        with pytest.raises(LocalProtocolError):
            relay.send(op)
    # Later it is too late to ask for it.
    live = Session(Side.RELAY)
    live.receive("attach")
    live.send("attached")
    live.only_to_report()
    assert live.state is State.REPLAYING


said = st.lists(
    st.tuples(st.sampled_from(Side), st.sampled_from(sorted(OPS[Side.APP] | OPS[Side.RELAY]))),
    max_size=40,
)


def cut(data: bytes, at: list[int], opcode: int) -> list[tuple[int, bool, bytes]]:
    """A message as WebSocket frames, cut where told."""
    places = sorted({min(place, len(data)) for place in at})
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    return [
        (opcode if index == 0 else CONTINUATION, index == len(parts) - 1, part)
        for index, part in enumerate(parts)
    ]


@given(said, st.lists(st.integers(0, 60), max_size=6), st.booleans(), st.booleans())
def test_two_machines_joined_agree_under_any_split(
    turns: list[tuple[Side, str]], at: list[int], is_text: bool, to_report: bool
) -> None:
    """What one may say the other may hear; both are in the same state after each frame."""
    ends = {side: Session(side) for side in Side}
    wires = {side: Assembler(1000) for side in Side}
    for side, op in turns:
        other = Side.APP if side is Side.RELAY else Side.RELAY
        try:
            ends[side].send(op)
        except LocalProtocolError:
            with pytest.raises(RemoteProtocolError):
                ends[other].receive(op)
        else:
            frame = {"op": op, "filler": "ß" * 20}
            data = json.dumps(frame).encode() if is_text else msgpack.packb(frame)
            came = [
                message
                for part in cut(data, at, TEXT if is_text else BINARY)
                if (message := wires[other].feed(*part)) is not None
            ]
            assert came == [data]
            heard = json.loads(came[0]) if is_text else msgpack.unpackb(came[0])
            ends[other].receive(heard["op"])
            if heard["op"] == "attach" and to_report:
                for end in ends.values():
                    end.only_to_report()
        assert ends[Side.APP].state is ends[Side.RELAY].state
