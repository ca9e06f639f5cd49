"""Where a URL leads: the connection to open and what each request asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

Address = tuple[str, int]

CLUSTER_LOCAL = (".svc.cluster.local", ".svc")
"""What in-cluster hosts end in."""
_TARGET_SAFE = "/?&=%:@!$'()*+,;~-._[]"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_BAD = re.compile(r"[\x00-\x20\x7f]")


class BadTarget(ValueError):
    """A URL that cannot be delivered to."""


class Bearer(NamedTuple):
    """Whose token is shown: a service account's, and whom it is meant for."""

    namespace: str
    account: str
    audience: str


@dataclass(frozen=True, slots=True)
class Target:
    """A URL made ready."""

    url: str
    address: Address
    """Where to connect to."""
    tls_name: str | None
    """The name that the peer's certificate must have; None for plain HTTP."""
    authority: bytes
    """What the Host header says."""
    path: bytes
    """Path and query."""
    ca_certs: str | None = None
    """Certificates (PEM) to trust, beside those of the system."""
    bearer: Bearer | None = None
    """Whose token is shown there."""
    tunnel: Address | None = None
    """The proxy that is asked (CONNECT) for the way to ``address``."""
    opening: bytes = field(init=False, repr=False, compare=False)
    """How each POST to it begins: the request line and the Host field."""
    peer: str = field(init=False, repr=False, compare=False)
    """Who is at the other end: the same for all targets that may share connections."""

    def __post_init__(self) -> None:
        """Make once what each request needs."""
        opening = b"POST %b HTTP/1.1\r\nhost: %b\r\n" % (self.path, self.authority)
        object.__setattr__(self, "opening", opening)
        peer = f"{self.address} {self.tls_name} {self.tunnel} {self.ca_certs}"
        object.__setattr__(self, "peer", peer)


_NEAR = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?\.[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def _may_be_service(host: str) -> bool:
    """Whether it is a name and a namespace; ``localhost`` is none, and no number ends a name."""
    return _NEAR.fullmatch(host) is not None and not host.endswith(".localhost")


OwnAddress = Callable[[str], Address | None]
"""Where we listen ourselves for what is sent to this host; None for others' hosts."""


def _nothing_own(host: str) -> Address | None:
    return None


@dataclass(frozen=True, slots=True)
class Reach:
    """How in-cluster hosts are reached."""

    gateway: Address | None = None
    own: OwnAddress = _nothing_own


DIRECT = Reach()


def parse_target(url: str, gateway: Address | None, *, own: OwnAddress = _nothing_own) -> Target:
    """Read a URL; raise BadTarget where nothing can be delivered to it.

    What we serve ourselves is reached where we listen, without anybody between.

    In-cluster hosts go through the gateway's internal listener where there is one: it holds a
    request for a Service at zero until a pod can take it, and knows the way where TLS is spoken.
    ``NAME.NAMESPACE`` may be a Service or a host elsewhere: the gateway knows, and is asked as a
    proxy. ``*.localhost`` is this machine, also where the resolver does not know that name.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    try:
        port = parts.port
    except ValueError as error:
        raise BadTarget(f"{url!r} has no valid port") from error
    if scheme not in _DEFAULT_PORTS or not parts.hostname or _BAD.search(url):
        raise BadTarget(f"{url!r} is not an absolute http or https URL")
    host = parts.hostname
    path = quote(parts.path or "/", safe=_TARGET_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_TARGET_SAFE)
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        shown += f":{port}"
    address = (host, port or _DEFAULT_PORTS[scheme])
    if scheme == "http" and host.endswith(CLUSTER_LOCAL):
        address = own(host) or gateway or address
    elif host == "localhost" or host.endswith(".localhost"):
        address = ("127.0.0.1", address[1])
    elif scheme == "http" and gateway is not None and _may_be_service(host):
        served = own(host + CLUSTER_LOCAL[0])
        if served is not None:
            address, shown = served, shown.replace(host, host + CLUSTER_LOCAL[0], 1)
        else:
            address, path = gateway, f"http://{shown}{path}"
    tls_name = host if scheme == "https" else None
    is_inside = host.endswith(CLUSTER_LOCAL) or _may_be_service(host)
    tunnel = gateway if tls_name is not None and is_inside else None
    authority = shown.encode("ascii")
    return Target(url, address, tls_name, authority, path.encode("ascii"), tunnel=tunnel)
