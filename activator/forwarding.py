"""Fields that the gateway itself reads and writes on a request's way to the application. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping

from activator.http.events import FieldBlock, Peer

PROBE = b"k-network-probe"
PROBE_HASH = b"k-network-hash"
FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
FORWARDED_HOST = b"x-forwarded-host"
FORWARDED = b"forwarded"

PROXY_AUTHORIZATION = b"proxy-authorization"

TAKEN = (
    PROBE,
    PROBE_HASH,
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED,
    PROXY_AUTHORIZATION,
)
"""What a client says in these fields is the gateway's to read; it writes its own."""

DROPPED = (
    b"knative-serving-revision",
    b"knative-serving-namespace",
    b"k-proxy-request",
    b"k-passthrough-lb",
    b"k-original-host",
)
"""Knative's routing fields are the gateway's to set: no client's copy reaches an application."""


def asking_namespace(credentials: bytes) -> str:
    """Return the namespace of the pod that asks a proxy; nothing where it does not say so.

    On one machine the user in a pod's ``http_proxy`` is its namespace, which is no secret and gives
    no rights: it says where a name without one is looked up, as a resolver's search list does.
    """
    scheme, _, value = credentials.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        user, _, _ = b64decode(value.strip(), validate=True).partition(b":")
        return user.decode("ascii")
    except ValueError:
        return ""


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
