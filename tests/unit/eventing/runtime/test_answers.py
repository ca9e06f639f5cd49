"""Answers: what others say ends up in a header without breaking it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from activator.http.fields import parse_lines
from eventing.runtime.answers import answer, reason_field


@given(st.text())
def test_a_reason_is_one_header_whatever_it_says(text: str) -> None:
    head = answer(500, "no", (reason_field(text),))
    lines = head.wire[: head.body_at].split(b"\r\n")[1:-2]
    names = [name for name, _ in parse_lines(lines)]
    assert names.count(b"reason") == 1
    assert set(names) == {b"content-length", b"allow", b"reason", b"content-type"}


def test_a_reason_says_what_can_be_said() -> None:
    assert reason_field("a\r\nset-cookie: x\x00é") == (b"reason", b"a  set-cookie: x")
    assert len(reason_field("x" * 2000)[1]) == 512
