from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.crilog import MAX_TEXT, LineFormatter, last_lines, timestamp

T = 1_790_000_000_123_456_789


def test_the_format() -> None:
    assert timestamp(T) == "2026-09-21T14:13:20.123456789Z"
    assert LineFormatter("stderr").feed(b"one\ntwo\nthr", T) == (
        b"2026-09-21T14:13:20.123456789Z stderr F one\n"
        b"2026-09-21T14:13:20.123456789Z stderr F two\n"
    )


def test_an_unfinished_line_comes_at_the_end() -> None:
    lines = LineFormatter("stdout")
    assert lines.feed(b"no newline", T) == b""
    assert lines.finish(T).endswith(b" stdout F no newline\n")
    assert lines.finish(T) == b""


def test_a_long_line_comes_in_pieces() -> None:
    lines = LineFormatter("stdout")
    pieces = (lines.feed(b"x" * (2 * MAX_TEXT + 5), T) + lines.feed(b"\n", T)).splitlines()
    assert [(p.split(b" ")[2], len(p.split(b" ", 3)[3])) for p in pieces] == [
        (b"P", MAX_TEXT),
        (b"P", MAX_TEXT),
        (b"F", 5),
    ]


def text_of(log: bytes) -> bytes:
    out = b""
    for line in log.split(b"\n")[:-1]:
        _, _, tag, text = line.split(b" ", 3)
        out += text + (b"\n" if tag == b"F" else b"")
    return out


@given(st.lists(st.binary(max_size=200)), st.integers(0, 3))
def test_nothing_is_lost_however_it_is_cut(chunks: list[bytes], longer: int) -> None:
    lines = LineFormatter("stdout")
    chunks = [chunk * (1 + longer * 200) for chunk in chunks]
    log = b"".join(lines.feed(chunk, T) for chunk in chunks) + lines.finish(T)
    whole = b"".join(chunks)
    expected = whole if not whole or whole.endswith(b"\n") else whole + b"\n"
    assert text_of(log) == expected


def test_last_lines() -> None:
    log = LineFormatter("stdout").feed(b"one\ntwo\nthree\n", T)
    assert last_lines(log, lines=2, size=100) == "two\nthree\n"
    assert last_lines(log, lines=2, size=4) == "ree\n"
    assert last_lines(b"", lines=2, size=4) == ""
