"""Status lines: what llhttp would let pass is looked at."""

from __future__ import annotations

import pytest

from activator.http.h1.statuslines import interim_status, usual_status
from activator.http.h1.watching import BadResponse


def test_a_line_of_http_1_1_for_a_response_with_a_body_is_usual() -> None:
    assert usual_status(b"HTTP/1.1 200 OK\r\n") == 200
    assert usual_status(b"HTTP/1.1 404 Not here\r\n") == 404
    assert usual_status(b"HTTP/1.1 404 Not here\r\n") == 404
    assert usual_status(b"HTTP/1.1 999 \xe4\ta\r\n") == 999
    assert usual_status(b"HTTP/1.1 200\r\n") == 200


def test_others_are_not() -> None:
    for line in (b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 x\r\n"):
        assert usual_status(line) == 0


def test_interim_ones_have_a_status() -> None:
    assert interim_status(b"HTTP/1.1 103 Early Hints\r\n") == 103


@pytest.mark.parametrize("look", [usual_status, interim_status])
@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 20 O\r\n", b"HTTP/1.1 200 \x00\r\n", b"x\r\n", b"\r\n"]
)
def test_what_is_no_line_is_refused(look: object, line: bytes) -> None:
    assert callable(look)
    with pytest.raises(BadResponse):
        look(line)
