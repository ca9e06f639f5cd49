"""Rules about header fields that hold for every message (RFC 9110). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus

Field = tuple[bytes, bytes]
"""A field's name as it came, in any case, and its value."""

Trailers = Sequence[Field]

HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"upgrade")
)
"""Fields of a response that are about one connection only (RFC 9110, section 7.6.1)."""

# A trailer section must not change framing, routing or authentication after the fact
# (RFC 9110, section 6.5.1).
_NOT_IN_TRAILERS = HOP_BY_HOP | frozenset(
    (
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"http2-settings",
        b"max-forwards",
        b"proxy-authorization",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
    )
)

# Connection tokens that must not take a field away: framing and routing are not the client's.
_NOT_REMOVABLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"close"))
_PLAIN_TOKENS = frozenset((b"", b"close", b"keep-alive"))
_SPLIT = re.compile(rb"[ \t]*,[ \t]*")


def tokens(value: bytes) -> list[bytes]:
    """The members of a comma separated list in lower case, empty ones left out."""
    return [token for token in _SPLIT.split(value.strip(b" \t").lower()) if token]


def named_by_connection(value: bytes) -> frozenset[bytes]:
    """Fields that a Connection field declares hop-by-hop for this message only."""
    lowered = value.lower()
    if lowered in _PLAIN_TOKENS:
        return frozenset()
    return frozenset(tokens(value)) - _PLAIN_TOKENS - _NOT_REMOVABLE


def without_fields(fields: Iterable[Field], names: frozenset[bytes]) -> list[Field]:
    """The fields whose name, in lower case, is not among ``names``."""
    return [field for field in fields if field[0].lower() not in names]


def find_field(fields: Iterable[Field], name: bytes) -> bytes | None:
    """The first value of the field of that name, which is given in lower case."""
    for key, value in fields:
        if key.lower() == name:
            return value.strip(b" \t")
    return None


def may_be_trailer(name: bytes, refused: frozenset[bytes] = frozenset()) -> bool:
    """Whether a trailer of that name is passed on; ``refused`` are more names that are not."""
    lowered = name.lower()
    return lowered not in _NOT_IN_TRAILERS and lowered not in refused


def field_lines(fields: Iterable[Field]) -> bytes:
    """Fields in the form of HTTP/1, each line with its end."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def parse_lines(lines: Iterable[bytes]) -> list[Field]:
    """Header lines of HTTP/1, without their ends, as fields."""
    made = []
    for line in lines:
        name, _, value = line.partition(b":")
        made.append((name, value.strip(b" \t")))
    return made


def phrase(status: int) -> bytes:
    """The reason phrase of a status; empty for one that the standard does not name."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
