"""One delivery as a request: an event, and where it failed before if it did. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from activator.http.events import FieldBlock, RequestHead
from eventing.codec import encode_batch, encode_structured
from eventing.codec.binary import encode_value
from eventing.codec.structured import CONTENT_TYPE
from eventing.engines.event import RenderedEvent
from eventing.runtime.intake import without_attributes
from eventing.runtime.target import Target

ERROR_DATA_BYTES = 1024
_BATCH = FieldBlock(b"content-type: application/cloudevents-batch+json\r\n")
_ERROR_PREFIX = b"ce-knativeerror"


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
    common: FieldBlock,
    *,
    structured: bool,
    failure: ErrorInfo | None = None,
) -> tuple[RequestHead, bytes]:
    """Return a whole POST request: its head, and its body. ``common`` is of ``common_fields``."""
    if structured:
        head, body = _structured(event, failure)
    else:
        head, body = event.head, event.data
        if failure is not None:
            head = without_attributes(head, _ERROR_PREFIX) + _error_lines(failure)
    request = RequestHead()
    request.method = b"POST"
    request.target = target.path
    request.authority = target.authority
    request.blocks = (common, FieldBlock(head))
    request.length = len(body)
    request.has_length = True  # also where there is no body: RFC 9110, section 8.6
    return request, body


def make_batch_request(
    target: Target, events: Iterable[RenderedEvent], common: FieldBlock
) -> tuple[RequestHead, bytes]:
    """Return a whole POST request of several events. Headers that came with them stay behind."""
    body = encode_batch(event.to_event() for event in events)
    request = RequestHead.of(
        b"POST", target.path, target.authority, blocks=(common, _BATCH), length=len(body)
    )
    return request, body


def common_fields(namespace: str, *, wants_reply: bool) -> FieldBlock:
    """Return what all deliveries of a subscription say."""
    lines = b"kn-namespace: %b\r\n" % namespace.encode()
    return FieldBlock(lines + b"prefer: reply\r\n" if wants_reply else lines)


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
