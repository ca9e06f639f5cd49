"""A request as the application gets it: the head in bytes. Pure; called once per request."""

from __future__ import annotations

from typing import Any

from activator.framing import CHUNKED, RequestHead
from activator.headers import find_field, without_fields
from activator.routes import Split


def request_head(head: RequestHead, host: bytes, forwarding: bytes, appended: bytes = b"") -> bytes:
    """The request line and all fields. ``forwarding`` and ``appended`` are whole lines."""
    start = head.method + b" " + head.target + b" HTTP/1.1\r\nhost: " + host + b"\r\n" + forwarding
    if head.lines:
        start += b"\r\n".join(head.lines) + b"\r\n"
    if appended:
        start += appended
    if head.has_length or head.transfer_encoding or head.connection or head.trailers_welcome:
        start += _hop_fields(head)
    return start + b"\r\n"


def _hop_fields(head: RequestHead) -> bytes:
    """What this hop needs to know of the body and of the connection."""
    fields = b""
    if head.length == CHUNKED:
        fields = b"transfer-encoding: chunked\r\n"
    elif head.has_length:
        fields = b"content-length: %d\r\n" % head.length
    if head.expects_continue and head.length:
        fields += b"expect: 100-continue\r\n"
    if head.upgrades:
        fields += b"connection: upgrade\r\nupgrade: %b\r\n" % head.upgrade
    if head.trailers_welcome:
        fields += b"te: trailers\r\n"
    return fields


def apply_split(head: RequestHead, split: Split[Any]) -> None:
    """A field that a split appends replaces the client's own of that name."""
    if any(find_field(head.lines, name) is not None for name in split.names):
        head.lines = without_fields(head.lines, split.names)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: list[bytes]) -> bytes:
    if not trailers:
        return b"0\r\n\r\n"
    return b"0\r\n" + b"\r\n".join(trailers) + b"\r\n\r\n"
