"""The channel's life: the table is total, final where it must be, and the scripts run it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from relay.core.lifecycle import TABLE, Command, Refusal, State, step
from relay.store.scripts import ALL


def test_every_state_answers_every_command() -> None:
    for state in State:
        for command in Command:
            assert isinstance(step(state, command), State | Refusal), (state, command)


def test_no_refusal_can_be_taken_for_a_state() -> None:
    """The scripts tell the two apart by value alone."""
    assert not {str(state) for state in State} & {str(refusal) for refusal in Refusal}


@given(st.lists(st.sampled_from(Command)))
def test_closed_is_final_and_a_grace_never_ends_open(commands: list[Command]) -> None:
    state = State.ABSENT
    for command in commands:
        following = step(state, command)
        if isinstance(following, Refusal):
            continue
        if state is State.CLOSED:
            assert following is State.CLOSED
        if state is State.GRACE:
            assert following in (State.GRACE, State.CLOSED)
        state = following


@given(st.sampled_from(Command))
def test_nothing_is_posted_attached_or_noted_outside_open_and_grace(command: Command) -> None:
    if command in (Command.POST, Command.ATTACH, Command.RECEIPT, Command.TOKEN):
        assert isinstance(step(State.ABSENT, command), Refusal)
        assert step(State.CLOSED, command) is Refusal.CLOSED
        assert step(State.OPEN, command) is State.OPEN
        assert step(State.GRACE, command) is State.GRACE


def test_the_scripts_carry_what_they_ask_of_this_table() -> None:
    asking = [script for script in ALL if "MOVES[" in script.text]
    assert len(asking) > 8
    for script in asking:
        asked = set(re.findall(r"step\([^']*'(\w+)'", script.text))
        asked |= set(re.findall(r"step\([^\n]* or '(\w+)'\)", script.text))
        assert asked, script.name
        (states,) = re.findall(r"local STATES = { ([^}]*) }", script.text)
        assert states == ", ".join(f"{state} = true" for state in TABLE)
        (moves,) = re.findall(r"local MOVES = { (.*) }\n", script.text)
        found = dict(re.findall(r"\['(\w+)'\] = { ([^}]*) }", moves))
        assert asked <= found.keys()
        for command, row in found.items():
            told = dict(re.findall(r"(\w+) = '(\w+)'", row))
            assert told == {state: TABLE[state][Command(command)] for state in TABLE}
