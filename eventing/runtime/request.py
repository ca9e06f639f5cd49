"""One delivery as a request: an event, and where it failed before if it did. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventing.codec import Event, encode_batch, encode_structured
from eventing.codec.binary import encode_value
from eventing.codec.structured import CONTENT_TYPE
from eventing.engines.event import RenderedEvent
from eventing.runtime.intake import without_attributes
from eventing.runtime.target import Target

ERROR_DATA_BYTES = 1024
_BATCH = b"content-type: application/cloudevents-batch+json\r\n"
_ERROR_PREFIX = b"ce-knativeerror"
_TRACE_PARENT, _TRACE_STATE = b"traceparent: ", b"tracestate: "
_PARENT, _STATE = "traceparent", "tracestate"
_W3C_PARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
_PRINTABLE = re.compile(rb"[\t -~]+")


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why an event is dead: Knative's ``knativeerror*`` attributes."""

    destination: str
    code: int
    data: str

    @classmethod
    def of(cls, url: str, status: int, *, body: bytes = b"", error: str = "") -> ErrorInfo:
        """Tell of a failed answer, or of none (status 0), which Knative reports as 500."""
        if not status:
            body = f"dispatch error: {error}".encode()
        data = base64.b64encode(body[:ERROR_DATA_BYTES]).decode("ascii")[:ERROR_DATA_BYTES]
        return cls(url, status or 500, data)

    def attributes(self) -> dict[str, str | int | bool]:
        """Return what a dead letter says of its failure."""
        attributes: dict[str, str | int | bool] = {
            "knativeerrordest": self.destination,
            "knativeerrorcode": self.code,
        }
        if self.data:
            attributes["knativeerrordata"] = self.data
        return attributes


def make_request(
    target: Target,
    event: RenderedEvent,
    common: bytes,
    *,
    structured: bool,
    failure: ErrorInfo | None = None,
) -> bytes:
    """Return a whole POST request. ``common`` is of ``common_lines``."""
    if structured:
        head, body = _structured(event, failure)
    else:
        head, body = event.head, event.data
        if failure is not None:
            head = without_attributes(head, _ERROR_PREFIX) + _error_lines(failure)
    return post(target, (common, head), body)


def make_batch_request(target: Target, events: Iterable[RenderedEvent], common: bytes) -> bytes:
    """Return a whole POST request of several events, each with its trace as attributes.

    Other headers that came with them stay behind.
    """
    return post(target, (common, _BATCH), encode_batch(map(_traced, events)))


def _traced(event: RenderedEvent) -> Event:
    """The event; the trace context of its headers as the extension for distributed tracing.

    A request of several events has no trace of its own to tell. An event that has the extension
    keeps it: it is the trace that began all, and not to be changed on the way (version 1.0.2,
    "Using the Distributed Tracing Extension").
    """
    made = event.to_event()
    if _TRACE_PARENT in event.head and _PARENT not in made.attributes:
        parents = _values_of(event.head, _TRACE_PARENT)
        states = b",".join(_values_of(event.head, _TRACE_STATE))
        if len(parents) == 1 and _W3C_PARENT.fullmatch(parents[0]):
            made.attributes[_PARENT] = parents[0].decode("ascii")
            if states and _PRINTABLE.fullmatch(states):
                made.attributes[_STATE] = states.decode("ascii")
    return made


def _values_of(head: bytes, name: bytes) -> list[bytes]:
    lines = head.split(b"\r\n")
    return [line[len(name) :].strip() for line in lines if line.startswith(name)]


def post(target: Target, lines: Sequence[bytes], body: bytes) -> bytes:
    """Return a whole POST request; ``lines`` are header lines, each with its end.

    The length is said also where there is no body: RFC 9110, section 8.6.
    """
    length = b"content-length: %d\r\n\r\n" % len(body)
    return b"".join((target.opening, *lines, length, body))


def with_line(request: bytes, line: bytes) -> bytes:
    """Return a request with one more header line."""
    at = request.index(b"\r\n") + 2
    return request[:at] + line + request[at:]


def common_lines(namespace: str, *, wants_reply: bool) -> bytes:
    """Return what all deliveries of a subscription say."""
    lines = b"kn-namespace: %b\r\n" % namespace.encode()
    return lines + b"prefer: reply\r\n" if wants_reply else lines


def _error_lines(failure: ErrorInfo) -> bytes:
    return b"".join(
        b"ce-%b: %b\r\n" % (name.encode(), encode_value(str(value)))
        for name, value in failure.attributes().items()
    )


def _structured(event: RenderedEvent, failure: ErrorInfo | None) -> tuple[bytes, bytes]:
    """Headers that are not the event's, and the event as JSON."""
    whole = event.to_event()
    if failure is not None:
        whole.attributes |= failure.attributes()
    others = b"".join(
        line + b"\r\n"
        for line in event.head.split(b"\r\n")
        if line and not line.startswith((b"ce-", b"content-type: "))
    )
    return b"content-type: %b\r\n" % CONTENT_TYPE + others, encode_structured(whole)
