"""Heads and chunks in the form of HTTP/1.1. Pure; called once or twice per request."""

from __future__ import annotations

from activator.http.events import UNKNOWN, RequestHead, ResponseHead
from activator.http.fields import Trailers, field_lines


def request_head(head: RequestHead) -> bytes:
    """The request line and all fields."""
    lines = [head.method, b" ", head.target, b" HTTP/1.1\r\nhost: ", head.authority, b"\r\n"]
    for block in head.blocks:
        lines.append(block.wire)
    for name, value in head.fields:
        # Four calls cost half of what a tuple of four does.
        lines.append(name)
        lines.append(b": ")
        lines.append(value)
        lines.append(b"\r\n")
    if head.length < 0 or head.upgrade or head.wants_trailers or head.expects_continue:
        lines.append(_hop_fields(head))
    elif head.has_length:
        lines.append(b"content-length: %d\r\n" % head.length)
    lines.append(b"\r\n")
    return b"".join(lines)


def _hop_fields(head: RequestHead) -> bytes:
    """What this hop needs to know of the body and of the connection."""
    fields = b""
    if head.length == UNKNOWN:
        fields = b"transfer-encoding: chunked\r\n"
    elif head.has_length:
        fields = b"content-length: %d\r\n" % head.length
    if head.expects_continue and head.length:
        fields += b"expect: 100-continue\r\n"
    if head.upgrade:
        fields += b"connection: upgrade\r\nupgrade: %b\r\n" % head.upgrade
    if head.wants_trailers:
        fields += b"te: trailers\r\n"
    return fields


def response_head(head: ResponseHead, more: bytes = b"") -> bytes:
    """The status line and all fields, with ``more`` lines about this hop."""
    if head.is_verbatim:
        if not more:
            return head.wire[: head.body_at]
        return head.wire[: head.body_at - 2] + more + b"\r\n"
    start = b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)
    return start + field_lines(head.fields) + more + b"\r\n"


def chunk(data: bytes) -> bytes:
    """A piece of a body as a chunk; nothing for an empty one, which would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Trailers = ()) -> bytes:
    """The end of a chunked body."""
    return b"0\r\n%b\r\n" % field_lines(trailers) if trailers else b"0\r\n\r\n"
