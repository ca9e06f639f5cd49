"""Events as messages, written by hand so that nothing tidies them up on the way."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

from conformance.hub import Header, Message, Reply

TYPE = "conformance.event"
REPLY_TYPE = "conformance.reply"
STRUCTURED = "application/cloudevents+json; charset=utf-8"
BATCH = "application/cloudevents-batch+json; charset=utf-8"
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")


def event(**attributes: Any) -> dict[str, Any]:
    """The attributes of a new event; None takes one away."""
    whole = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "https://conformance.example.com/tests",
        "type": TYPE,
        **attributes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def encode(value: Any) -> str:
    """A value as the HTTP binding writes it into a header."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe=_PLAIN)


def headers_of(attributes: dict[str, Any]) -> tuple[Header, ...]:
    return tuple((f"ce-{name}", encode(value)) for name, value in attributes.items())


def binary(
    attributes: dict[str, Any],
    data: bytes = b'{"a":1}',
    content_type: str | None = "application/json",
    *more: Header,
) -> Message:
    """An event in binary mode; ``more`` headers go as they are."""
    kind: tuple[Header, ...] = (("content-type", content_type),) if content_type else ()
    return Message((*headers_of(attributes), *kind, *more), data)


def structured(members: dict[str, Any], *more: Header, content_type: str = STRUCTURED) -> Message:
    """An event in structured mode; ``members`` include its data."""
    return Message((("content-type", content_type), *more), json.dumps(members).encode())


def batch(*events: dict[str, Any], content_type: str = BATCH) -> Message:
    """Events in batched mode."""
    return Message((("content-type", content_type),), json.dumps(events).encode())


def reply(status: int = 200, **attributes: Any) -> Reply:
    """An answer that is an event."""
    message = binary(event(**{"type": REPLY_TYPE, **attributes}), b'{"b":2}')
    return Reply(status, message.headers, message.body)
