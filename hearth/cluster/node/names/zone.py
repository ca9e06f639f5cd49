"""From a name to what the cluster knows under it. Pure.

The names are those of Kubernetes' DNS specification: Services, pods of headless Services by their
host name, pods by their address. Left out are SRV and PTR records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Protocol

from hearth.cluster.model.clusterips import API_ADDRESS, CLUSTER_IPS, cluster_ip
from hearth.kube import meta
from hearth.kube.meta import Key, Object

_MOST_ALIASES = 8
_MOST_ADDRESSES = 256
API_SERVICE: Key = ("default", "kubernetes")
GATEWAY_SERVICE: Key = ("knative-serving", "hearth-gateway")
"""Where all that ends in ``.localhost`` is: this machine, as seen from its own browsers."""


class Cluster(Protocol):
    """What is known of Services at the moment of a question."""

    def service(self, key: Key) -> Object | None:
        """A Service; None where there is none of that name."""

    def slices(self, key: Key) -> Sequence[Object]:
        """The EndpointSlices of a Service."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is under a name: nothing of any kind where all is empty.

    ``aliases`` are the names that it goes on by, ``outside`` the one that others have to be asked
    for. ``service`` is whose ports have to be open before the address is told.
    """

    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    outside: str = ""
    service: Key | None = None


def find(name: str, cluster: Cluster, domain: str) -> Found | None:
    """What a name in lower case, without its final dot, stands for; None: there is no such name."""
    aliases: list[str] = []
    while True:
        found = _look(name, cluster, domain)
        if found is None or not found.aliases:
            break
        name = found.aliases[0]
        if name in aliases or len(aliases) == _MOST_ALIASES:
            return Found(tuple(aliases))  # of Services that name each other
        aliases.append(name)
    if found is None:
        return Found(tuple(aliases)) if aliases else None
    return replace(found, aliases=tuple(aliases))


def is_within(name: str, domain: str) -> bool:
    """Whether nobody but this cluster can know the name."""
    return name == domain or name.endswith(f".{domain}")


def _look(name: str, cluster: Cluster, domain: str) -> Found | None:
    """One step: a Service that is a name of another host gives that as its one alias."""
    if name.endswith(".localhost"):
        return _service(GATEWAY_SERVICE, cluster)
    if not is_within(name, domain):
        # A whole name of ours with more behind it is a resolver's try of its search list.
        return None if f".svc.{domain}." in name else Found(outside=name)
    labels = name.removesuffix(domain).rstrip(".").split(".")
    match labels:
        case [""] | ["svc"] | ["pod"] | [_, "svc" | "pod"]:
            return Found()
        case [service, namespace, "svc"]:
            return _service((namespace, service), cluster)
        case [host, service, namespace, "svc"]:
            return _host(host, (namespace, service), cluster)
        case [address, _, "pod"]:
            return _dashed(address)
    return None


def _service(key: Key, cluster: Cluster) -> Found | None:
    if key == API_SERVICE:
        return Found(addresses=(API_ADDRESS,), service=key)
    service = cluster.service(key)
    if service is None:
        return None
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return Found(aliases=(str(spec.get("externalName", "")).rstrip(".").lower(),))
    if spec.get("clusterIP") == "None":
        addresses = tuple(address for address, _ in _ready(cluster.slices(key)))[:_MOST_ADDRESSES]
        if all(map(_is_reachable, addresses)):
            return Found(addresses=addresses)
    return Found(addresses=(address_of(service),), service=key)


def address_of(service: Object) -> str:
    """Where a Service's ports are: at its cluster IP, unless that is none of ours."""
    given = str(service["spec"].get("clusterIP") or "")
    is_ours = _is_address(given) and IPv4Address(given) in CLUSTER_IPS
    if is_ours and int(IPv4Address(given)) - int(CLUSTER_IPS[0]) >= 128:
        return given
    return cluster_ip(meta.uid(service))


def _host(host: str, key: Key, cluster: Cluster) -> Found | None:
    """A pod of a Service by its ``hostname`` and ``subdomain``."""
    slices = cluster.slices(key)
    found = tuple(address for address, name in _ready(slices) if name == host)
    return Found(addresses=found[:_MOST_ADDRESSES]) if found else None


def _dashed(text: str) -> Found | None:
    address = text.replace("-", ".")
    return Found(addresses=(address,)) if _is_address(address) else None


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _is_reachable(address: str) -> bool:
    """Whether a container may go there itself: loopback is another one inside it."""
    return not IPv4Address(address).is_loopback


def _ready(slices: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """Address and host name of each endpoint that takes connections, each once."""
    seen = set()
    for item in slices:
        if item.get("addressType", "IPv4") != "IPv4":
            continue
        for endpoint in item.get("endpoints") or ():
            for address in endpoint.get("addresses") or ():
                pair = (str(address), str(endpoint.get("hostname") or ""))
                if _is_ready(endpoint) and _is_address(pair[0]) and pair not in seen:
                    seen.add(pair)
                    yield pair


def _is_ready(endpoint: dict[str, Any]) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


# -- where a Service's ports lead -----------------------------------------------------------------


def tcp_ports(service: Object) -> tuple[int, ...]:
    """The ports that connections may come by."""
    return tuple(int(port["port"]) for port in _tcp(service))


def machine_ports(service: Object) -> tuple[int, ...]:
    """Those, and the ports of the machine behind them: URLs for browsers have these."""
    behind = (port.get("targetPort") for port in _tcp(service))
    numbers = (number for number in behind if isinstance(number, int))
    return tuple(dict.fromkeys((*tcp_ports(service), *numbers)))


def _tcp(service: Object) -> list[dict[str, Any]]:
    ports = service["spec"].get("ports") or ()
    return [port for port in ports if (port.get("protocol") or "TCP") == "TCP"]


def destinations(service: Object, slices: Sequence[Object], port: int) -> list[tuple[str, int]]:
    """The endpoints behind a TCP port of a Service that take connections."""
    ports = [p for p in _tcp(service) if p["port"] == port]
    ports = ports or [p for p in _tcp(service) if p.get("targetPort") == port]
    names = {str(p.get("name") or "") for p in ports}
    found: dict[tuple[str, int], None] = {}
    for item in slices:
        numbers = [
            int(p["port"])
            for p in item.get("ports") or ()
            if p.get("port") and str(p.get("name") or "") in names
        ]
        for endpoint in item.get("endpoints") or ():
            if numbers and _is_ready(endpoint):
                found.update({(str(a), numbers[0]): None for a in endpoint["addresses"][:1]})
    return list(found)
