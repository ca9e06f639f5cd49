"""What an event costs to be read and written again, beside the Python SDK: one hop of a broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)

from eventing.codec import decode, encode_structured, render_head
from eventing.runtime.intake import prepare
from tests.bench.rows import Row, row

EVENTS, RUNS = 4000, 9
BODY = json.dumps({"text": "x" * 880}).encode()

Fields = list[tuple[bytes, bytes]]
T = TypeVar("T")


def rows() -> list[Row]:
    """The table's rows."""
    messages = [_fields(number) for number in range(EVENTS)]
    theirs = [
        HTTPMessage({name.decode(): value.decode() for name, value in each}, BODY)
        for each in messages
    ]
    written = [json.dumps(_members(number)).encode() for number in range(EVENTS)]
    kind: Fields = [(b"content-type", b"application/cloudevents+json")]
    structured = [HTTPMessage({"content-type": kind[0][1].decode()}, each) for each in written]

    def hop(fields: Fields) -> None:
        [event] = decode(fields, BODY)
        render_head(event)

    def stamped(fields: Fields) -> None:
        [event] = decode(fields, BODY)
        prepare(event, arrival_ns=1_700_000_000_000_000_000, headers=fields)

    def again(body: bytes) -> None:
        [event] = decode(kind, body)
        encode_structured(event)

    sdk = _each(lambda message: to_binary_event(from_http_event(message)), theirs)
    sdk_structured = _each(lambda m: to_structured_event(from_http_event(m)), structured)
    return [
        row(
            "an event in binary mode read and written again",
            _each(hop, messages),
            "us",
            at_most=5,
            peers={"the SDK": min(sdk)},
        ),
        row("the same, stamped for a broker's log", _each(stamped, messages), "us"),
        row(
            "an event in structured mode read and written again",
            _each(again, written),
            "us",
            peers={"the SDK": min(sdk_structured)},
        ),
    ]


def _fields(number: int) -> Fields:
    return [
        (b"host", b"broker-ingress.knative-eventing.svc.cluster.local"),
        (b"user-agent", b"bench"),
        (b"ce-specversion", b"1.0"),
        (b"ce-type", b"com.example.order.created"),
        (b"ce-source", b"https://example.com/orders"),
        (b"ce-id", b"6f7c1f5e-0d6f-4b4c-9a3f-%012d" % number),
        (b"ce-time", b"2026-11-29T08:%02d:%02d.123456Z" % (number // 60 % 60, number % 60)),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
    ]


def _members(number: int) -> dict[str, object]:
    fields = {name.decode(): value.decode() for name, value in _fields(number)}
    attributes: dict[str, object] = {
        name[3:]: value for name, value in fields.items() if name.startswith("ce-")
    }
    return attributes | {"datacontenttype": "application/json", "data": json.loads(BODY)}


def _each(work: Callable[[T], object], items: Sequence[T]) -> list[float]:
    """Microseconds an item, of several runs."""
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for item in items:
            work(item)
        found.append((time.perf_counter() - began) / len(items) * 1e6)
    return found
