"""The pure parts of the command line: text for people, the line editor, ticks, the number search."""

from __future__ import annotations

import base64
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.api import trip_path
from relay.cli.chat_input import Entered, Leave, LineEditor, Place, Quit, Say, Wrong, command_of
from relay.cli.chat_posts import Mark, OwnPosts
from relay.cli.number_search import hides_in
from relay.cli.words import clipped, duration, lines_of, visible
from relay.client import Accepted, Closed, PeerGot, PeerSeen, Post, Reassigned, Refused

# --- words ----------------------------------------------------------------------------------------

_TURNS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}


@given(st.text(alphabet=st.characters(), max_size=60))
def test_no_terminal_obeys_visible_text(text: str) -> None:
    for shown in (visible(text), *lines_of(text), clipped(text, 20)):
        assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)
        assert not any(ord(char) in _TURNS for char in shown)
        shown.encode()


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=60))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_an_escape_sequence_is_written_out() -> None:
    assert visible("\x1b]0;x\x07\x9b2J\r\n") == r"\x1b]0;x\x07\x9b2J\r\n"


@pytest.mark.parametrize(
    ("span_s", "text"),
    [(-5, "0 s"), (0.4, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h")],
)
def test_durations(span_s: float, text: str) -> None:
    assert duration(span_s) == text


@pytest.mark.parametrize("trip", ["a/b", "../trips", "a?b#c", "a b\r\n", "é"])
def test_a_trip_id_stays_one_segment_of_the_path(trip: str) -> None:
    path = trip_path(trip, "end")
    assert path.count("/") == 4
    assert path.isascii()
    assert not set(path) & set("?# \r\n")
    assert unquote(path.split("/")[3]) == trip


# --- what is typed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", None),
        ("   ", None),
        (" halo ", Say(" halo ")),
        ("//loc", Say("/loc")),
        ("/quit", Quit()),
        ("/loc -6.2 106.8", Place(-6.2, 106.8, "")),
        ("/loc 1 2 pintu  utara", Place(1, 2, "pintu utara")),
    ],
)
def test_commands(line: str, command: object) -> None:
    assert command_of(line) == command


@pytest.mark.parametrize("line", ["/", "/quit now", "/loc", "/loc 1", "/loc a b", "/QUIT"])
def test_what_is_no_command(line: str) -> None:
    assert isinstance(command_of(line), Wrong)


KEYS = {
    "left": "\x1b[D", "right": "\x1bOC", "home": "\x1b[H", "end": "\x1b[F", "delete": "\x1b[3~",
    "backspace": "\x7f", "up": "\x1b[A", "f5": "\x1b[15~", "alt-x": "\x1bx", "bell": "\x07",
}  # fmt: skip


@given(
    st.lists(st.one_of(st.sampled_from(sorted(KEYS.values())), st.characters(categories=("L",))))
)
def test_keys_mean_the_same_however_they_arrive(keys: list[str]) -> None:
    whole, split = LineEditor(), LineEditor()
    whole.feed("".join(keys))
    for char in "".join(keys):
        split.feed(char)
    assert (whole.text, whole.cursor) == (split.text, split.cursor)
    assert 0 <= whole.cursor <= len(whole.text)
    assert all(char.isprintable() for char in whole.text)


def test_a_line_is_edited_and_entered() -> None:
    editor = LineEditor()
    assert editor.feed("ac" + KEYS["left"] + "b" + KEYS["home"] + "x" + KEYS["delete"]) == []
    assert (editor.text, editor.cursor) == ("xbc", 1)
    assert editor.feed(KEYS["end"] + KEYS["backspace"] + "!\r") == [Entered("xb!")]
    assert editor.text == ""
    assert editor.feed("one two\x17\x15") == []
    assert editor.text == ""
    assert editor.feed("a\nb\n") == [Entered("a"), Entered("b")]


def test_ways_to_leave() -> None:
    editor = LineEditor()
    assert editor.feed("\x04") == [Leave()]
    assert editor.feed("x\x04\x03") == [Leave()]
    assert editor.text == "x"


def test_an_endless_key_is_given_up() -> None:
    editor = LineEditor()
    editor.feed("\x1b[" + "0" * 100)
    editor.feed("abc")
    assert editor.text.endswith("abc")


# --- ticks ----------------------------------------------------------------------------------------


def accepted(post_id: str, pos: str) -> Accepted:
    return Accepted(post_id, pos, 1, "tag")


def test_a_post_s_marks_in_order() -> None:
    posts = OwnPosts()
    own = posts.add(Post("a", "halo"))
    assert own.mark is Mark.WAITING
    for event, mark in (
        (accepted("a", "1"), Mark.ACCEPTED),
        (PeerGot("1", ("a",)), Mark.DELIVERED),
        (PeerSeen("1"), Mark.SEEN),
    ):
        assert posts.apply(event) == [own]
        assert own.mark is mark
    assert posts.apply(PeerGot("1", ())) == []


def test_a_receipt_that_overtakes_its_answer_counts() -> None:
    posts = OwnPosts()
    own = posts.add(Post("a", "halo"))
    posts.apply(PeerSeen("5"))
    assert own.mark is Mark.WAITING
    posts.apply(accepted("a", "3"))
    assert own.mark is Mark.SEEN


def test_what_never_arrives_says_so() -> None:
    posts = OwnPosts()
    one, two, three = (posts.add(Post(name, name)) for name in "abc")
    posts.apply(Refused("a", "too_long", "the text is too long", Post("a", "a")))
    assert (one.mark, one.problem) == (Mark.FAILED, "refused: the text is too long")
    posts.apply(Reassigned(2, "Agus", (Post("b", "b"),)))
    assert (two.mark, two.problem) == (Mark.FAILED, "never arrived")
    # The log is another now: an old position says nothing about a new post.
    posts.apply(PeerSeen("9"))
    fresh = posts.add(Post("d", "d"))
    posts.apply(Closed("ended", 4500, undelivered=(Post("d", "d"),)))
    assert fresh.mark is Mark.FAILED
    assert three.mark is Mark.WAITING


# --- the number search ----------------------------------------------------------------------------

PHONE = "+6281200001234"


@pytest.mark.parametrize(
    "hidden",
    [
        b"+6281200001234",
        b"081200001234",
        (6281200001234).to_bytes(8, "little"),
        (81200001234).to_bytes(8, "big"),
        b"6281200001234".hex().encode(),
        b"81200001234".hex().upper().encode(),
        base64.b64encode(b"+6281200001234"),
        base64.b64encode(b"x+6281200001234y"),
        base64.urlsafe_b64encode(b"xy+6281200001234"),
    ],
)
def test_a_number_is_found_wherever_it_hides(hidden: bytes) -> None:
    assert hides_in(b"before" + hidden + b"after", PHONE)


@given(st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_is_found_in_base64_at_every_place(before: bytes, after: bytes) -> None:
    assert hides_in(base64.b64encode(before + PHONE.encode() + after), PHONE)


def test_another_number_is_not_found() -> None:
    assert not hides_in(b"+6281200001235 6285700005678 1234567890", PHONE)
