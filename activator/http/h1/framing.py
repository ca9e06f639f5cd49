"""What a request's head says of its framing and its hop, settled by RFC 9112. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol

from activator.http import refusals
from activator.http.events import UNKNOWN, RequestHead
from activator.http.fields import Trailers, tokens
from activator.http.refusals import FramingError


@dataclass(frozen=True, slots=True)
class FramingLimits:
    """Bounds of a request head and of what is between chunks."""

    # Envoy's default is 60 KiB, Go's 1 MiB.
    head_octets: int = 64 * 1024
    # Envoy's default is 100, Apache's 100.
    fields: int = 200


DEFAULT_LIMITS = FramingLimits()


@dataclass(frozen=True, slots=True)
class Hop:
    """What a request says to this connection alone."""

    is_plain: bool = True
    """An HTTP/1.1 request whose connection goes on, and no HEAD: any response may pass as is."""
    http11: bool = True
    keep_alive: bool = True
    h2c: bytes | None = None
    """The settings of an offer to go on in HTTP/2, which may be taken (RFC 7540, section 3.2)."""


PLAIN = Hop()
TO_HEAD = Hop(is_plain=False)


class RequestSink(Protocol):
    """Who gets the events: a head, and unless the request is whole with it any pieces and an end.

    It is whole where its length is 0, and where ``head.body`` is there.
    """

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        """A head is complete."""

    def on_request_body(self, data: bytes) -> None:
        """A piece of the body, chunks undone."""

    def on_request_end(self, trailers: Trailers) -> None:
        """The request is whole."""


class NoSink:
    """Hears the events of a head that was made up to bring a parser into position."""

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        """Nobody's request."""

    def on_request_body(self, data: bytes) -> None:
        """Nobody's body."""

    def on_request_end(self, trailers: Trailers) -> None:
        """Nobody's end."""


def made_up_head(length: int, *, is_closing: bool) -> bytes:
    """A head that leads a parser to a body of this length, and says nothing else."""
    framing = b"Transfer-Encoding: chunked" if length == UNKNOWN else b"Content-Length: %d" % length
    if is_closing:
        framing += b"\r\nConnection: close"
    return b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing


def check_version(version: str) -> bool:
    """Whether it is 1.1; 1.0 is the other one that there may be. Raises FramingError."""
    if version not in ("1.0", "1.1"):
        is_old = version == "0.9"
        raise FramingError(refusals.BAD_REQUEST if is_old else refusals.UNSUPPORTED_VERSION)
    return version == "1.1"


def check_hosts(hosts: int, *, is_11: bool) -> None:
    """RFC 9112, section 3.2: exactly one Host; HTTP/1.0 may go without. Raises FramingError."""
    if hosts > 1 or (is_11 and hosts == 0):
        raise FramingError(refusals.BAD_REQUEST)


def coded_length(transfer_encoding: bytes, *, is_11: bool) -> int:
    """Settle the length; llhttp has made sure that none is said beside the coding."""
    # RFC 9112, section 6.1: with a Transfer-Encoding in HTTP/1.0 the framing is faulty. Empty
    # members of the list would be allowed, and are understood differently; a tab behind it, too.
    if is_11 and transfer_encoding.strip(b" ").lstrip(b" \t").lower() == b"chunked":
        return UNKNOWN
    codings = tokens(transfer_encoding)
    if is_11 and len(codings) > 1 and codings[-1] == b"chunked":
        # Other codings would have to be undone for the framing to stay true.
        raise FramingError(refusals.UNSUPPORTED_CODING)
    raise FramingError(refusals.BAD_REQUEST)


def settle_expectation(head: RequestHead, expect: bytes, *, is_11: bool) -> None:
    """RFC 9110, section 10.1.1: one expectation there is; 1.0 has none. Raises FramingError."""
    if expect.strip(b" \t").lower() != b"100-continue":
        raise FramingError(refusals.EXPECTATION_FAILED)
    head.expects_continue = is_11


def settle_target(head: RequestHead) -> None:
    """Settle a target that is no path, or has something that no path has. Raises FramingError."""
    target = head.target
    if b"#" in target:
        raise FramingError(refusals.BAD_REQUEST)
    if target == b"*" and head.method == b"OPTIONS":
        return
    scheme, separator, rest = target.partition(b"://")
    authority = rest.split(b"/", 1)[0].split(b"?", 1)[0]
    if not separator or scheme.lower() != b"http" or not authority or b"@" in authority:
        raise FramingError(refusals.BAD_REQUEST)
    path = rest[len(authority) :]
    head.is_absolute = True
    head.target = path if path[:1] == b"/" else b"/" + path
    # RFC 9112, section 3.2.2: the target's authority replaces the Host field.
    head.authority = authority


def decoded_settings(fields: list[bytes]) -> bytes | None:
    """The payload of a SETTINGS frame, where exactly one field tells it (RFC 7540, 3.2.1)."""
    if len(fields) != 1:
        return None
    text = fields[0].strip(b" \t")
    try:
        settings = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        return None
    return settings if len(settings) % 6 == 0 else None
