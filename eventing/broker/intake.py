"""From an event that came in (from a producer, or as a reply) to what the log keeps. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import lru_cache

import orjson

from eventing.broker.engine import NewEvent
from eventing.codec import CodecError, Event, render_head
from eventing.codec.binary import Header

TTL_ATTRIBUTE = "knativebrokerttl"
ARRIVAL_ATTRIBUTE = "knativearrivaltime"
MAX_HEAD_BYTES = 64 * 1024
"""Attributes become headers of deliveries; few servers take more."""
DEFAULT_TTL = 255
"""How often an event may go through a broker again as a reply, as Knative counts."""

_OURS = (b"ce-knativebrokerttl:", b"ce-knativearrivaltime:")
_FORWARDED = frozenset({b"x-request-id", b"retry-after"})
_FORWARDED_PREFIXES = (b"knative-", b"x-b3-")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class TooManyPasses(CodecError):
    """The event has been through brokers as often as it may: a loop is cut here."""


def prepare(
    event: Event, *, arrival_ns: int, ttl: int | None = None, headers: Iterable[Header] = ()
) -> NewEvent:
    """Stamps the event and renders it for the log.

    A given ``ttl`` is that of the event a reply answers; else the producer's counts, if any.
    """
    attributes = event.attributes
    left = ttl - 1 if ttl is not None else _ttl_left(attributes.get(TTL_ATTRIBUTE))
    if left <= 0:
        raise TooManyPasses("the event went through too many brokers", attribute=TTL_ATTRIBUTE)
    head = render_head(event)
    if TTL_ATTRIBUTE in attributes or ARRIVAL_ATTRIBUTE in attributes:
        head = _without(head, _OURS)
    if len(head) > MAX_HEAD_BYTES:
        raise CodecError("the attributes are too large", status=413)
    arrival = _rfc3339_nanos(arrival_ns)
    lines = [head, b"ce-knativearrivaltime: %b\r\n" % arrival.encode()]
    for name, value in headers:
        if name[:1] in b"xkr" and is_forwarded(name):
            lines.append(b"%b: %b\r\n" % (name, value))
    texts, types = _texts_and_types(event)
    texts.pop(TTL_ATTRIBUTE, None)
    texts[ARRIVAL_ATTRIBUTE] = arrival
    return NewEvent(arrival_ns, left, b"".join(lines), types, event.data or b"", texts)


def is_forwarded(name: bytes) -> bool:
    """Whether a header of the producer goes on to subscribers."""
    return name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES)


def _ttl_left(given: object) -> int:
    """One less than given; the default where nothing sensible was."""
    if given is None:
        return DEFAULT_TTL
    try:
        return int(str(given)) - 1
    except ValueError:
        return DEFAULT_TTL


def _without(head: bytes, prefixes: tuple[bytes, ...]) -> bytes:
    lines = head.split(b"\r\n")[:-1]
    return b"".join([line + b"\r\n" for line in lines if not line.startswith(prefixes)])


def without_attributes(head: bytes, prefix: bytes) -> bytes:
    """Header lines without those whose name begins so."""
    return _without(head, (prefix,)) if prefix in head else head


def _texts_and_types(event: Event) -> tuple[dict[str, str], bytes]:
    """The attributes in text form, and those that are not text as JSON."""
    typed = {
        name: value
        for name, value in event.attributes.items()
        if value.__class__ is not str and name != TTL_ATTRIBUTE
    }
    return event.texts(), orjson.dumps(typed) if typed else b""


def _rfc3339_nanos(moment_ns: int) -> str:
    seconds, nanoseconds = divmod(moment_ns, 1_000_000_000)
    return f"{_whole_second(seconds)}.{nanoseconds:09d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    """Many events arrive within a second."""
    moment = _EPOCH + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}"
