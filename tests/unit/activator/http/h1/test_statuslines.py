"""Status lines: what llhttp would let pass is looked at."""

from __future__ import annotations

import pytest

from activator.http.h1 import statuslines
from activator.http.h1.statuslines import USUAL, final_status, interim_status
from activator.http.h1.watching import BadResponse


def test_a_line_of_http_1_1_for_a_response_with_a_body_is_usual_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert USUAL[b"HTTP/1.1 200 OK"] == 200
    known: dict[bytes, int] = {}
    monkeypatch.setattr(statuslines, "USUAL", known)
    assert final_status(b"HTTP/1.1 404 Not here") == 404
    assert known == {b"HTTP/1.1 404 Not here": 404}
    assert final_status(b"HTTP/1.1 999 \xe4\ta") == 999
    assert final_status(b"HTTP/1.1 200") == 200


def test_others_are_not() -> None:
    for line in (b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 x"):
        assert final_status(line) == 0
        assert line not in USUAL


def test_interim_ones_have_a_status() -> None:
    assert interim_status(b"HTTP/1.1 103 Early Hints") == 103


@pytest.mark.parametrize("look", [final_status, interim_status])
@pytest.mark.parametrize("line", [b"HTTP/1.1 20 O", b"HTTP/1.1 200 \x00", b"x", b""])
def test_what_is_no_line_is_refused(look: object, line: bytes) -> None:
    assert callable(look)
    with pytest.raises(BadResponse):
        look(line)
