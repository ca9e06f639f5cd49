"""Fields that the gateway itself reads and writes on a request's way to the application. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from activator.http.events import FieldBlock, Peer

PROBE = b"k-network-probe"
PROBE_HASH = b"k-network-hash"
FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
FORWARDED_HOST = b"x-forwarded-host"
FORWARDED = b"forwarded"

TAKEN = (PROBE, PROBE_HASH, FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED)
"""What a client says in these fields is the gateway's to read; it writes its own."""

DROPPED = (
    b"knative-serving-revision",
    b"knative-serving-namespace",
    b"k-proxy-request",
    b"k-passthrough-lb",
    b"k-original-host",
)
"""Knative's routing fields are the gateway's to set: no client's copy reaches an application."""


def forwarded_node(address: str) -> bytes:
    """A peer's address as RFC 7239 writes it: IPv6 in brackets and quotes."""
    return b'"[%b]"' % address.encode() if ":" in address else address.encode()


def forwarded_block(peer: Peer, host: bytes) -> FieldBlock:
    """The forwarding fields of a request that arrived without any."""
    return extended_block(peer, host, {})


def extended_block(peer: Peer, host: bytes, seen: Mapping[bytes, bytes]) -> FieldBlock:
    """The same where a proxy in front of us has begun: addresses are appended, the rest kept."""
    address, scheme = peer.address.encode(), peer.scheme
    own = b"for=%b;host=%b;proto=%b" % (forwarded_node(peer.address), _quoted_host(host), scheme)
    addresses, forwarded = seen.get(FORWARDED_FOR), seen.get(FORWARDED)
    return FieldBlock.of(
        (
            (FORWARDED_FOR, b"%b, %b" % (addresses, address) if addresses else address),
            (FORWARDED_PROTO, seen.get(FORWARDED_PROTO) or scheme),
            (FORWARDED_HOST, seen.get(FORWARDED_HOST) or host),
            (FORWARDED, b"%b, %b" % (forwarded, own) if forwarded else own),
        )
    )


def _quoted_host(host: bytes) -> bytes:
    """A host with a port is no token, so RFC 7239 wants it quoted."""
    return b'"%b"' % host if b":" in host else host
