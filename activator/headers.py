"""What happens to each header field on its way through: pure byte handling, no state.

Called by the request reader (``framing``), the response relay (``relay``) and the exchange. Fields
that are not named here pass through untouched and uncopied.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Field(IntEnum):
    """Request fields that the activator reads, replaces or keeps from the application."""

    DROP = 0
    HOST = 1
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4
    UPGRADE = 5
    EXPECT = 6
    FORWARDED_FOR = 7
    FORWARDED_PROTO = 8
    FORWARDED_HOST = 9
    FORWARDED = 10
    TE = 11
    PROBE = 12
    PROBE_HASH = 13


# Hop-by-hop fields (RFC 9110, section 7.6.1), and Knative's routing fields: those are the
# gateway's to set, so a client's own copy must not reach the application.
REQUEST_FIELDS: dict[bytes, Field] = {
    b"host": Field.HOST,
    b"content-length": Field.CONTENT_LENGTH,
    b"transfer-encoding": Field.TRANSFER_ENCODING,
    b"connection": Field.CONNECTION,
    b"upgrade": Field.UPGRADE,
    b"expect": Field.EXPECT,
    b"x-forwarded-for": Field.FORWARDED_FOR,
    b"x-forwarded-proto": Field.FORWARDED_PROTO,
    b"x-forwarded-host": Field.FORWARDED_HOST,
    b"forwarded": Field.FORWARDED,
    b"te": Field.TE,
    b"k-network-probe": Field.PROBE,
    b"k-network-hash": Field.PROBE_HASH,
    b"keep-alive": Field.DROP,
    b"proxy-connection": Field.DROP,
    b"proxy-authenticate": Field.DROP,
    b"proxy-authorization": Field.DROP,
    b"http2-settings": Field.DROP,
    b"knative-serving-revision": Field.DROP,
    b"knative-serving-namespace": Field.DROP,
    b"k-proxy-request": Field.DROP,
    b"k-passthrough-lb": Field.DROP,
    b"k-original-host": Field.DROP,
}

RESPONSE_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"upgrade")
)

# A trailer section must not change framing, routing or authentication after the fact
# (RFC 9110, section 6.5.1).
_NOT_IN_TRAILERS = frozenset(REQUEST_FIELDS) | {
    b"trailer",
    b"authorization",
    b"cookie",
    b"set-cookie",
    b"cache-control",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"max-forwards",
}

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


def without_fields(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Header lines whose field name is not among ``names``."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def is_forwardable_trailer(name: bytes) -> bool:
    return name.lower() not in _NOT_IN_TRAILERS


def find_field(lines: list[bytes], name: bytes) -> bytes | None:
    """The first value of a field among raw lines. Only rules that match on headers pay for it."""
    for line in lines:
        field, _, value = line.partition(b":")
        if field.lower() == name:
            return value.strip(b" \t")
    return None


def forwarded_node(address: str) -> bytes:
    """A peer's address as RFC 7239 writes it: IPv6 in brackets and quotes."""
    return b'"[%b]"' % address.encode() if ":" in address else address.encode()


def forwarded_lines(peer: str, host: bytes, scheme: bytes = b"http") -> bytes:
    """The forwarding fields of a request that arrived without any, ready to be written."""
    return b"".join(
        (
            b"x-forwarded-for: %b\r\n" % peer.encode(),
            b"x-forwarded-proto: %b\r\n" % scheme,
            b"x-forwarded-host: %b\r\n" % host,
            b"forwarded: for=%b;host=%b;proto=%b\r\n"
            % (forwarded_node(peer), quoted_host(host), scheme),
        )
    )


def extended_forwarded_lines(
    peer: str,
    host: bytes,
    *,
    seen_for: bytes,
    seen_proto: bytes,
    seen_host: bytes,
    seen_forwarded: bytes,
    scheme: bytes = b"http",
) -> bytes:
    """The same where a proxy in front of us has begun: addresses are appended, the rest kept."""
    own = b"for=%b;host=%b;proto=%b" % (forwarded_node(peer), quoted_host(host), scheme)
    addresses = b"%b, %b" % (seen_for, peer.encode()) if seen_for else peer.encode()
    return b"".join(
        (
            b"x-forwarded-for: %b\r\n" % addresses,
            b"x-forwarded-proto: %b\r\n" % (seen_proto or scheme),
            b"x-forwarded-host: %b\r\n" % (seen_host or host),
            b"forwarded: %b\r\n" % (b"%b, %b" % (seen_forwarded, own) if seen_forwarded else own),
        )
    )


def quoted_host(host: bytes) -> bytes:
    """A host with a port is no token, so RFC 7239 wants it quoted."""
    return b'"%b"' % host if b":" in host else host
