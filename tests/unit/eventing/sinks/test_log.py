"""Lines of a log sink."""

from __future__ import annotations

import logging

import pytest

from eventing.api.integrationsink import Log
from eventing.codec import Event
from eventing.sinks.log import level_of, line_of

EVENT = Event(
    {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "datacontenttype": "text/x"},
    b"hello",
)


def test_what_is_shown() -> None:
    assert line_of(Log(), EVENT) == "Event[]"
    usual = Log(show_body=True, show_body_type=True)
    assert line_of(usual, EVENT) == "Event[BodyType: text/x, Body: hello]"
    headers = Log(show_headers=True, multiline=True, marker="here")
    assert line_of(headers, EVENT) == "here Event\nid: 1\nsource: /s\nspecversion: 1.0\ntype: t"
    assert line_of(usual, Event({}, None)) == "Event[BodyType: none, Body: [no body]]"


def test_a_large_body_is_cut() -> None:
    line = line_of(Log(show_body=True), Event({}, b"x" * 100_000))
    assert len(line) < 10_100 and "100000 bytes" in line


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2"}',
        '{"user": 1, "secretKey":"hunter2"}',
        "token=hunter2&x=1",
        "{'apiKey': 'hunter2'}",
        '{"my_passphrase": "hunter2\\" and more"}',
    ],
)
def test_secrets_are_masked_on_request(text: str) -> None:
    event = Event({}, text.encode())
    assert "hunter2" in line_of(Log(show_body=True), event)
    masked = line_of(Log(show_body=True, log_mask=True), event)
    assert "hunter2" not in masked and "xxxxx" in masked


def test_levels() -> None:
    assert level_of("INFO") == logging.INFO
    assert level_of("warn") == logging.WARNING
    assert level_of("TRACE") == logging.DEBUG
    assert level_of("strange") == logging.INFO
    assert level_of("OFF") is None
