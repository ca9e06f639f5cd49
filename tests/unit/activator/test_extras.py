from __future__ import annotations

from typing import Any

import pytest

from activator.extras import Extras, extras_of, look_up, send_later
from activator.http.events import RequestHead
from serving.api import keys
from serving.api.asyncrequests import AsyncOptions

LATER = Extras("ns", "hello", AsyncOptions(60.0, pending=7))


def a_head(
    *fields: tuple[bytes, bytes], method: bytes = b"POST", target: bytes = b"/a?b"
) -> RequestHead:
    head = RequestHead.of(method, target, b"hello.example.com")
    head.fields = list(fields)
    return head


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, None),
        ({keys.ASYNC: "false"}, None),
        ({keys.ASYNC: "nonsense"}, None),
        ({keys.WAITING_PAGE: "yes"}, None),
        ({keys.WAITING_PAGE: "true"}, Extras("ns", "hello", has_page=True)),
        ({keys.ASYNC: "{pending: 7, retention: 1m}"}, LATER),
    ],
)
def test_what_a_kingress_asks_for(annotations: dict[str, str], expected: Extras | None) -> None:
    metadata: dict[str, Any] = {"namespace": "ns", "annotations": annotations}
    assert extras_of({**metadata, "labels": {keys.SERVICE: "hello"}}) == expected
    # Of a DomainMapping, or of a Route that is no Service's, nothing counts.
    assert extras_of(metadata) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], False),
        ([(b"Prefer", b"respond-async")], True),
        ([(b"prefer", b"return=minimal, Respond-Async; x=y, wait=10")], True),
        ([(b"prefer", b"return=minimal"), (b"prefer", b"respond-async")], True),
        ([(b"prefer", b"reply")], False),
        ([(b"prefer", b"respond-async"), (b"content-type", b"application/grpc")], False),
    ],
)
def test_who_wants_to_be_answered_later(fields: list[Any], expected: bool) -> None:
    assert LATER.is_for_later(a_head(*fields)) is expected
    assert not Extras("ns", "hello", has_page=True).is_for_later(a_head(*fields))


def test_some_requests_are_about_the_moment() -> None:
    prefer = (b"prefer", b"respond-async")
    assert not any(
        LATER.is_for_later(a_head(prefer, method=each)) for each in (b"HEAD", b"OPTIONS", b"TRACE")
    )
    switching = a_head(prefer, method=b"GET")
    switching.upgrade = b"websocket"
    assert not LATER.is_for_later(switching)


def test_the_broker_is_told_what_a_client_cannot_say() -> None:
    head = a_head((b"x-hearth-async-host", b"forged"), (b"x", b"y"))
    send_later(head, LATER, b"hello.example.com")
    assert head.target == b"/async/ns/hello/accept/a?b"
    assert head.fields == [(b"x", b"y")]
    [told] = head.blocks
    assert b"x-hearth-async-host: hello.example.com\r\n" in told.wire
    assert b"x-hearth-async-options: retention=60, pending=7\r\n" in told.wire


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/.well-known/hearth/async/ns/hello/t?x", b"/async/ns/hello/results/t"),
        (b"POST", b"/.well-known/hearth/async/ns/hello/t", None),
        (b"GET", b"/.well-known/hearth/async/ns/hello", None),
        (b"GET", b"/.well-known/hearth/async/ns/hello/t/x", None),
        (b"GET", b"/other", None),
    ],
)
def test_who_asks_for_a_result(method: bytes, target: bytes, expected: bytes | None) -> None:
    head = a_head(method=method, target=target)
    assert look_up(head) is (expected is not None)
    assert head.target == (expected or target)
