from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.runners.function import encode_result, parse_event

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, (204, "", b"")),
        ("hi", (200, "text/plain; charset=utf-8", b"hi")),
        (b"hi", (200, "application/octet-stream", b"hi")),
        ({"a": 1}, (200, "application/json", b'{"a": 1}')),
        (("no", 404), (404, "text/plain; charset=utf-8", b"no")),
        ((None, 202), (202, "", b"")),
    ],
)
def test_results(result: Any, expected: tuple[int, str, bytes]) -> None:
    assert encode_result(result) == expected


def test_a_returned_event_is_structured() -> None:
    assert encode_result(EVENT)[1] == "application/cloudevents+json"


def test_a_binary_event() -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items()}
    headers |= {"ce-subject": "a%20b", "content-type": "application/json"}
    assert parse_event(headers, b'{"x": 1}') == EVENT | {"subject": "a b", "data": {"x": 1}}


def test_a_structured_event_and_none() -> None:
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    assert parse_event(headers, b'{"id": "1"}') == {"id": "1"}
    assert parse_event({}, b"plain") is None
