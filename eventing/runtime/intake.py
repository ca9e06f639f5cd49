"""From an event that came in (from a producer, or as a reply) to what the log keeps. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from eventing.codec import CodecError, Event, render_head
from eventing.codec.binary import Header
from eventing.engines.event import CAUSES, RenderedEvent
from eventing.runtime.config import MAX_ATTRIBUTE_BYTES

TTL_ATTRIBUTE = "knativebrokerttl"
ARRIVAL_ATTRIBUTE = "knativearrivaltime"
DEFAULT_TTL = 255
"""How often an event may go through a broker again as a reply, as Knative counts."""

_OURS = (b"ce-knativebrokerttl:", b"ce-knativearrivaltime:")
_TRACE_CONTEXT = (b"traceparent", b"tracestate")
_FORWARDED = frozenset({b"x-request-id", b"retry-after", *_TRACE_CONTEXT})
_TRACE_LINES = tuple(name + b": " for name in _TRACE_CONTEXT)
_FORWARDED_PREFIXES = (b"knative-", b"x-b3-")
_INT32 = range(-(2**31), 2**31)
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class TooManyPasses(CodecError):
    """The event has been through brokers as often as it may: a loop is cut here."""


def prepare(
    event: Event,
    *,
    arrival_ns: int,
    answered: RenderedEvent | None = None,
    headers: Iterable[Header] = (),
    max_head_bytes: int = MAX_ATTRIBUTE_BYTES,
    causes: Sequence[str] = (),
) -> RenderedEvent:
    """Stamp an event and render it for the log of a Broker.

    ``headers`` are those it came with, of which some go on. ``answered`` is the event that a
    reply answers: its count of passes goes on, and so does its trace unless the reply has one.
    ``causes`` are the subscriptions through which a reply came to be.
    Raises CodecError, or TooManyPasses.
    """
    attributes = event.attributes
    given = attributes.get(TTL_ATTRIBUTE)
    left = _ttl_left(given) if answered is None else answered.ttl - 1
    if left <= 0:
        raise TooManyPasses("the event went through too many brokers", attribute=TTL_ATTRIBUTE)
    head = render_head(event)
    if TTL_ATTRIBUTE in attributes or ARRIVAL_ATTRIBUTE in attributes:
        head = without_lines(head, _OURS)
    if len(head) > max_head_bytes:
        raise CodecError("the attributes are too large", status=413)
    arrival = _rfc3339_nanos(arrival_ns)
    lines = _forwarded_lines(headers, answered)
    head = b"".join((head, b"ce-knativearrivaltime: ", arrival.encode(), b"\r\n", *lines))
    texts, types = _texts_and_types(event, causes)
    texts.pop(TTL_ATTRIBUTE, None)
    texts[ARRIVAL_ATTRIBUTE] = arrival
    return RenderedEvent(arrival_ns, left, head, types, event.data or b"", texts)


def prepare_unstamped(
    event: Event,
    *,
    arrival_ns: int,
    headers: Iterable[Header],
    answered: RenderedEvent | None = None,
    max_head_bytes: int | None = None,
) -> RenderedEvent:
    """Render an event that passes as it came: into a channel, or as a reply to somewhere else.

    Raises CodecError where a limit is given that it is beyond.
    """
    head = render_head(event)
    if max_head_bytes is not None and len(head) > max_head_bytes:
        raise CodecError("the attributes are too large", status=413)
    head = b"".join((head, *_forwarded_lines(headers, answered)))
    texts, types = _texts_and_types(event)
    ttl = DEFAULT_TTL if answered is None else answered.ttl
    return RenderedEvent(arrival_ns, ttl, head, types, event.data or b"", texts)


def _forwarded_lines(headers: Iterable[Header], answered: RenderedEvent | None) -> list[bytes]:
    lines = [b"%b: %b\r\n" % header for header in headers if _forwards(header[0])]
    if answered is not None and not any(line.startswith(b"traceparent:") for line in lines):
        lines = [line for line in lines if not line.startswith(b"tracestate:")]
        lines += _trace_lines(answered.head)
    return lines


def _trace_lines(head: bytes) -> list[bytes]:
    """The trace context among header lines (W3C Trace Context, sections 3.2 and 3.3)."""
    if b"traceparent: " not in head:
        return []
    return [line + b"\r\n" for line in head.split(b"\r\n") if line.startswith(_TRACE_LINES)]


def is_forwarded(name: bytes) -> bool:
    """Whether a header of the producer, or of a reply, goes on to subscribers."""
    return name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES)


_forwards = lru_cache(maxsize=1024)(is_forwarded)


def _ttl_left(given: object) -> int:
    """One less than given; the default where that is no 32-bit integer, as in Knative."""
    if given is None or _INTEGER.fullmatch(text := str(given)) is None:
        return DEFAULT_TTL
    ttl = int(text)
    return ttl - 1 if ttl in _INT32 else DEFAULT_TTL


def without_lines(head: bytes, prefixes: tuple[bytes, ...]) -> bytes:
    """Return header lines without those that begin so."""
    lines = head.split(b"\r\n")[:-1]
    return b"".join([line + b"\r\n" for line in lines if not line.startswith(prefixes)])


def without_attributes(head: bytes, prefix: bytes) -> bytes:
    """Return header lines without those whose name begins so."""
    return without_lines(head, (prefix,)) if prefix in head else head


def _texts_and_types(event: Event, causes: Sequence[str] = ()) -> tuple[dict[str, str], bytes]:
    """The attributes in text form, and those that are not text as JSON. Takes the event over."""
    if event.is_text and not causes:
        texts: Any = event.attributes
        return texts, b""
    typed: dict[str, object] = {
        name: value
        for name, value in event.attributes.items()
        if value.__class__ is not str and name != TTL_ATTRIBUTE
    }
    if causes:
        typed[CAUSES] = list(causes)
    return event.texts(), orjson.dumps(typed) if typed else b""


def _rfc3339_nanos(moment_ns: int) -> str:
    seconds, nanoseconds = divmod(moment_ns, 1_000_000_000)
    return f"{_whole_second(seconds)}.{nanoseconds:09d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    """Many events arrive within a second."""
    moment = _EPOCH + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}"
