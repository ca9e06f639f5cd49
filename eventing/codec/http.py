"""Which mode an HTTP message is in, and its events."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from functools import lru_cache

from eventing.codec.binary import Header, decode_binary
from eventing.codec.event import CodecError, Event
from eventing.codec.structured import decode_batch, decode_structured

_NOT_ENCODED = (b"", b"identity")


class Mode(enum.Enum):
    """How a message carries its events (HTTP binding, section 3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCH = "batch"


_BINARY = Mode.BINARY  # looked up for each event


@lru_cache(maxsize=64)
def mode_of(content_type: bytes) -> Mode:
    """Return the mode by the beginning of the media type, in any case."""
    kind = content_type[:32].lower()
    if kind.startswith(b"application/cloudevents-batch"):
        return Mode.BATCH
    if kind.startswith(b"application/cloudevents"):
        return Mode.STRUCTURED
    return Mode.BINARY


def decode(headers: Sequence[Header], body: bytes) -> list[Event]:
    """Return the events of a message: one, or those of a batch. Raises CodecError."""
    known = dict(headers)
    coding = known.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in _NOT_ENCODED:
        # An event has no attribute to say how its data is compressed: it would be lost in
        # structured mode, and bytes that are not what datacontenttype says would be delivered.
        raise CodecError("the content coding of the body is not supported", status=415)
    content_type = known.get(b"content-type", b"")
    mode = mode_of(content_type)
    if mode is _BINARY:
        return [decode_binary(headers, body)]
    _check_json_format(content_type)
    # Attributes repeated as headers are the sender's courtesy: the body counts.
    return decode_batch(body) if mode is Mode.BATCH else [decode_structured(body)]


def decode_replies(headers: Sequence[Header], body: bytes) -> list[Event] | None:
    """Return the events of an HTTP answer, or None where it carries none. Raises CodecError.

    More than one come as a batch, which may be empty.
    """
    content_type = value_of(headers, b"content-type")
    if mode_of(content_type) is Mode.BINARY and not value_of(headers, b"ce-specversion"):
        return None
    return decode(headers, body)


def decode_reply(headers: Sequence[Header], body: bytes) -> Event | None:
    """Return the one event of an HTTP answer, or None where it carries none. Raises CodecError."""
    events = decode_replies(headers, body)
    if events is None:
        return None
    if len(events) != 1:
        raise CodecError("a reply is one event")
    return events[0]


def value_of(headers: Sequence[Header], name: bytes) -> bytes:
    """Return the first header of that name, or nothing."""
    for key, value in headers:
        if key == name:
            return value
    return b""


def _check_json_format(content_type: bytes) -> None:
    media_type, _, parameters = content_type.lower().partition(b";")
    if media_type.strip() not in (
        b"application/cloudevents+json",
        b"application/cloudevents-batch+json",
    ):
        raise CodecError(
            f"the event format {media_type.strip().decode('latin-1')} is not supported", status=415
        )
    if b"charset" in parameters and b"utf-8" not in parameters and b"utf8" not in parameters:
        raise CodecError("JSON events are encoded in UTF-8")
