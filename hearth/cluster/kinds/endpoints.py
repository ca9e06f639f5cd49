"""Rules of Endpoints and EndpointSlice. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, duplicate, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import (
    dns1123_label_problems,
    dns1123_subdomain_problems,
    qualified_name_problems,
)

_PROTOCOLS = ("SCTP", "TCP", "UDP")


# -- Endpoints -----------------------------------------------------------------------------


def _default_endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _endpoints_errors(obj: Object) -> Iterator[FieldError]:
    for i, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for key in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(key) or ()):
                problems = checks.ip_problems(address.get("ip", ""))
                yield from each(f"{path}.{key}[{j}].ip", address.get("ip", ""), problems)
        ports = subset.get("ports") or []
        for j, port in enumerate(ports):
            yield from _endpoint_port_errors(port, f"{path}.ports[{j}]", len(ports) > 1)


def _endpoint_port_errors(port: Object, path: str, named: bool) -> Iterator[FieldError]:
    name, number = port.get("name", ""), port.get("port", 0)
    if named and not name:
        yield required(f"{path}.name")
    elif name:
        yield from each(f"{path}.name", name, dns1123_label_problems(name))
    yield from each(f"{path}.port", number, checks.port_number_problems(number))
    yield from checks.one_of(port.get("protocol", ""), _PROTOCOLS, f"{path}.protocol")


ENDPOINTS = Rules(
    default=_default_endpoints,
    validate=_endpoints_errors,
    metadata_again=True,
    warnings=warnings.of_endpoints,
)


# -- Endpoint slices -----------------------------------------------------------------------


def _default_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _slice_errors(obj: Object) -> Iterator[FieldError]:
    kind = obj.get("addressType", "")
    if not kind:
        yield required("addressType")
    else:
        yield from checks.one_of(kind, ("FQDN", "IPv4", "IPv6"), "addressType")
    for i, endpoint in enumerate(obj.get("endpoints") or ()):
        yield from _endpoint_errors(endpoint, f"endpoints[{i}]", kind)
    ports = obj.get("ports") or []
    for i, port in enumerate(ports):
        yield from _slice_port_errors(port, f"ports[{i}]")
    names = [port.get("name", "") for port in ports]
    for i in checks.duplicates(names):
        yield duplicate(f"ports[{i}].name", names[i])


def _endpoint_errors(endpoint: Object, path: str, kind: str) -> Iterator[FieldError]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    for i, address in enumerate(addresses):
        address_path = f"{path}.addresses[{i}]"
        yield from each(address_path, address, _endpoint_address_problems(address, kind))
    if host := endpoint.get("hostname"):
        yield from each(f"{path}.hostname", host, dns1123_label_problems(host))
    if node := endpoint.get("nodeName"):
        yield from each(f"{path}.nodeName", node, dns1123_subdomain_problems(node))


def _endpoint_address_problems(address: str, kind: str) -> list[str]:
    """Loopback addresses, refused by Kubernetes, are where all pods of one machine are."""
    if kind == "FQDN":
        return dns1123_subdomain_problems(address)
    problems = checks.ip_problems(address)
    if not problems and (":" in address) != (kind == "IPv6"):
        problems = [f"must be an {kind} address"]
    return problems


def _slice_port_errors(port: Object, path: str) -> Iterator[FieldError]:
    name, number = port.get("name", ""), port.get("port")
    if name:
        yield from each(f"{path}.name", name, dns1123_label_problems(name))
    yield from checks.one_of(port.get("protocol", ""), _PROTOCOLS, f"{path}.protocol")
    if number is not None:
        yield from each(f"{path}.port", number, checks.port_number_problems(number))
    if (protocol := port.get("appProtocol")) is not None:
        problems = qualified_name_problems(protocol)
        yield from each(f"{path}.appProtocol", protocol, problems)


def _slice_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from checks.immutable(new.get("addressType"), old.get("addressType"), "addressType")


ENDPOINT_SLICE = Rules(
    default=_default_slice,
    validate=_slice_errors,
    update=_slice_update,
    generation=True,
    metadata_again=True,
)
