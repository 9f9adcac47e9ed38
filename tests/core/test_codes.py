"""Close codes carry their advice in their range, and PROTOCOL.md lists every code there is."""

from __future__ import annotations

import re
from pathlib import Path

from relay.core import codes
from relay.core.casework import Category
from relay.core.codes import CloseCode, advised_delay_ms, close_reason, may_reconnect
from relay.core.frames import MAX_NOTE_CHARS, MAX_REPORTED
from relay.store.reporting import LAST

PROTOCOL = (Path(codes.__file__).parents[1] / "PROTOCOL.md").read_text()


def test_the_range_is_the_advice() -> None:
    for code in CloseCode:
        if 4000 <= code < 4500:
            assert may_reconnect(code)
        if code >= 4500:
            assert not may_reconnect(code)
    assert may_reconnect(4321)
    assert not may_reconnect(4999)
    assert may_reconnect(1006)
    assert not may_reconnect(1009)


def test_a_reason_fits_a_close_frame_and_gives_its_delay_back() -> None:
    for code in CloseCode:
        reason = close_reason(code, 1234)
        assert len(reason.encode()) <= 123
        assert advised_delay_ms(reason) == 1234
        assert advised_delay_ms(close_reason(code)) is None
    assert advised_delay_ms("x;retry_after_ms=-5") is None


def test_the_document_lists_every_code() -> None:
    for code in CloseCode:
        assert f"{code.value}" in PROTOCOL, code
    for kind in (codes.RefusedCode, codes.NotReportedCode, codes.ErrorCode, codes.CloseReason):
        for code in kind:
            assert f"`{code.value}`" in PROTOCOL, code


def test_the_section_on_reports_is_the_code() -> None:
    section = PROTOCOL.partition("\n## 15 ")[2].partition("\n## ")[0]
    assert section
    table = section.partition("| `not_reported.code` |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(codes.NotReportedCode)
    (said,) = [row for row in section.splitlines() if row.startswith("| `category` |")]
    assert re.findall(r"`(\w+)`", said)[1:] == list(Category)
    assert f"up to {MAX_NOTE_CHARS:,} characters" in section
    assert f"up to {MAX_REPORTED} |" in section
    assert f"the last {LAST} messages" in section
