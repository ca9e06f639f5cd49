"""Cluster IPs: the addresses of Services in 10.96.0.0/12. Pure.

They are derived from the object's uid, so that no allocator is needed. The first 128 stand for
what the cluster itself is asked for.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network

CLUSTER_IPS = IPv4Network("10.96.0.0/12")
API_ADDRESS = "10.96.0.1"
"""Of ``kubernetes.default``, as in most clusters."""
RESOLVER_ADDRESS = "10.96.0.10"
"""Of who answers questions about names, as in most clusters."""


def cluster_ip(uid: str) -> str:
    """An address of the range, always the same for one object."""
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4], "big") % ((1 << 20) - 256)
    return str(CLUSTER_IPS[number + 128])
