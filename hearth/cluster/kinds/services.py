"""Rules of Service. Pure; used by the catalog of kinds.

Cluster IPs (``clusterips``) lead somewhere from containers alone (``node.names``): nothing else on
this machine listens on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child, text_at
from hearth.cluster.kinds.probes import port_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, labels_errors
from hearth.cluster.model.clusterips import cluster_ip
from hearth.cluster.model.fielderrors import FieldError, duplicate, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import (
    dns1123_label_problems,
    dns1123_subdomain_problems,
    qualified_name_problems,
)

_HEADLESS = "None"
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")
_AFFINITY_SECONDS = 10800
_FIRST_NODE_PORT, _LAST_NODE_PORT = 30000, 32767


def _default(obj: Object) -> None:
    spec = child(obj, "spec")
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = child(child(spec, "sessionAffinityConfig"), "clientIP")
        config.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (0, "", None):
            port["targetPort"] = port.get("port", 0)
    if kind in _WITH_ADDRESS:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if _reachable_from_outside(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for point in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if point.get("ip"):
                point.setdefault("ipMode", "VIP")


def _reachable_from_outside(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in _WITH_NODE_PORTS or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _prepare(new: Object, old: Object | None) -> None:
    spec = child(new, "spec")
    if old is None:
        new["status"] = {"loadBalancer": {}}
    else:
        _keep_allocations(spec, child(old, "spec"))
    _pair_addresses(spec, None if old is None else child(old, "spec"))
    if spec.get("type") not in _WITH_ADDRESS:
        return
    headless = spec.get("clusterIP") == _HEADLESS
    if not spec.get("clusterIP"):
        spec["clusterIP"] = cluster_ip(new["metadata"].get("uid", ""))
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    _default_families(spec, headless)
    if spec.get("type") in _WITH_NODE_PORTS:
        _allocate_node_ports(new)
    if _needs_health_check(spec):
        key = f"{new['metadata'].get('uid', '')}/health"
        spec.setdefault("healthCheckNodePort", _node_port(key))


_FAMILY = ("ipFamilies", "ipFamilyPolicy")
_ADDRESS = ("clusterIP", "clusterIPs")


def _keep_allocations(spec: Object, before: Object) -> None:
    """What the server once allocated stays when an update leaves it out."""
    kind, earlier = spec.get("type"), before.get("type")
    if kind in _WITH_ADDRESS and earlier in _WITH_ADDRESS:
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            _fill(spec, before, _ADDRESS)
        _fill(spec, before, _FAMILY)
    for key in _of_other_types(spec, before):
        if spec.get(key) == before.get(key):
            spec.pop(key, None)
    _keep_node_ports(spec, before)


def _keep_node_ports(spec: Object, before: Object) -> None:
    if spec.get("type") in _WITH_NODE_PORTS:
        taken = {_port_key(port): port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            _fill(port, {"nodePort": taken.get(_port_key(port))}, ("nodePort",))
    elif before.get("type") in _WITH_NODE_PORTS:
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _of_other_types(spec: Object, before: Object) -> Iterator[str]:
    """Fields that a service of this type cannot have, left over from the type it had."""
    if spec.get("type") == "ExternalName" != before.get("type"):
        yield from (*_ADDRESS, *_FAMILY, "internalTrafficPolicy")
    if not _reachable_from_outside(spec):
        yield "externalTrafficPolicy"
    if not _needs_health_check(spec):
        yield "healthCheckNodePort"
    if spec.get("type") != "LoadBalancer":
        yield "allocateLoadBalancerNodePorts"
        yield "loadBalancerClass"


def _fill(target: Object, source: Object, keys: tuple[str, ...]) -> None:
    for key in keys:
        if not target.get(key) and source.get(key):
            target[key] = source[key]


def _port_key(port: Object) -> tuple[str, int]:
    return port.get("protocol", ""), port.get("port", 0)


def _pair_addresses(spec: Object, before: Object | None) -> None:
    """``clusterIP`` is the first of ``clusterIPs``; a client may have set or cleared only one."""
    single, several = spec.get("clusterIP"), spec.get("clusterIPs")
    if before is None:
        if single and not several:
            spec["clusterIPs"] = [single]
        return
    same_list = several == before.get("clusterIPs")
    if single != before.get("clusterIP") and same_list:
        if single:
            spec["clusterIPs"] = [single]
        else:
            spec.pop("clusterIPs", None)


def _default_families(spec: Object, headless: bool) -> None:
    if headless and not spec.get("selector"):
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    policy = spec.setdefault("ipFamilyPolicy", "SingleStack")
    both = policy == "RequireDualStack" and headless
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])


def _allocate_node_ports(obj: Object) -> None:
    spec = obj["spec"]
    if spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        return
    taken = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            continue
        number = _node_port(f"{obj['metadata'].get('uid', '')}/{_port_key(port)}")
        while number in taken:
            number = number + 1 if number < _LAST_NODE_PORT else _FIRST_NODE_PORT
        port["nodePort"] = number
        taken.add(number)


def _node_port(key: str) -> int:
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    return _FIRST_NODE_PORT + number % (_LAST_NODE_PORT - _FIRST_NODE_PORT + 1)


def _needs_health_check(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


# -- Validation ----------------------------------------------------------------------------


def _errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    kind, headless = spec.get("type", ""), spec.get("clusterIP") == _HEADLESS
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        yield required("spec.ports")
    yield from _type_errors(spec, kind, headless)
    yield from _ports_errors(ports)
    yield from labels_errors(spec.get("selector"), "spec.selector")
    yield from _affinity_errors(spec)
    if kind != "ExternalName":
        yield from _address_errors(spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        yield from each(f"spec.externalIPs[{i}]", address, checks.ip_problems(address))
    yield from checks.one_of(kind, _TYPES, "spec.type")
    yield from _port_use_errors(ports, kind)
    yield from _traffic_errors(spec, kind)
    if kind in _WITH_NODE_PORTS:
        yield from _node_port_errors(ports)


def _type_errors(spec: Object, kind: str, headless: bool) -> Iterator[FieldError]:
    if kind in _WITH_NODE_PORTS and headless:
        detail = f"may not be set to 'None' for {kind} services"
        yield invalid("spec.clusterIPs[0]", _HEADLESS, detail)
    if kind != "ExternalName":
        return
    for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            yield forbidden(f"spec.{key}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    else:
        yield from each("spec.externalName", name, dns1123_subdomain_problems(name))


def _ports_errors(ports: list[Object]) -> Iterator[FieldError]:
    names: set[str] = set()
    for i, port in enumerate(ports):
        path, name = f"spec.ports[{i}]", port.get("name", "")
        if len(ports) > 1 and not name:
            yield required(f"{path}.name")
        elif name:
            yield from each(f"{path}.name", name, dns1123_label_problems(name))
            if name in names:
                yield duplicate(f"{path}.name", name)
            names.add(name)
        number = port.get("port", 0)
        yield from each(f"{path}.port", number, checks.port_number_problems(number))
        yield from checks.one_of(port.get("protocol", ""), _PROTOCOLS, f"{path}.protocol")
        yield from port_errors(port.get("targetPort", 0), f"{path}.targetPort")
        if (protocol := port.get("appProtocol")) is not None:
            problems = qualified_name_problems(protocol)
            yield from each(f"{path}.appProtocol", protocol, problems)


def _affinity_errors(spec: Object) -> Iterator[FieldError]:
    affinity = spec.get("sessionAffinity", "")
    yield from checks.one_of(affinity, ("ClientIP", "None"), "spec.sessionAffinity")
    if affinity != "ClientIP":
        return
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    seconds = config.get("timeoutSeconds") or 0
    if not 0 < seconds <= 86400:
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        yield invalid(path, seconds, "must be greater than 0 and less than 86400")


def _address_errors(spec: Object) -> Iterator[FieldError]:
    path, single, several = "spec.clusterIPs", spec.get("clusterIP"), spec.get("clusterIPs") or []
    if single and several and several[0] != single:
        yield invalid(path, several, "first value must match `clusterIP`")
    elif several and not single:
        yield invalid(path, several, "must be empty when `clusterIP` is not specified")
    families = spec.get("ipFamilies") or []
    for i, family in enumerate(families):
        yield from checks.one_of(family, ("IPv4", "IPv6"), f"spec.ipFamilies[{i}]")
    yield from _family_errors(spec, families)
    for i in checks.duplicates(families):
        yield duplicate(f"spec.ipFamilies[{i}]", families[i])
    if (policy := spec.get("ipFamilyPolicy")) is not None:
        policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
        yield from checks.one_of(policy, policies, "spec.ipFamilyPolicy")
    for i, address in enumerate(several):
        if address == _HEADLESS and i == 0:
            if len(several) > 1:
                yield invalid(path, several, "'None' must be the first and only value")
            continue
        yield from each(f"{path}[{i}]", address, checks.ip_problems(address))
    if len(several) > 2:
        yield invalid(path, several, "may only hold up to 2 values")


def _family_errors(spec: Object, families: list[str]) -> Iterator[FieldError]:
    """This cluster has IPv4 addresses alone.

    A headless service without a selector may name any family: others make its endpoints.
    """
    if spec.get("clusterIP") == _HEADLESS and not spec.get("selector"):
        return
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        detail = "this cluster is not configured for dual-stack services"
        yield invalid("spec.ipFamilyPolicy", "RequireDualStack", detail)
    for i, family in enumerate(families):
        if family == "IPv6":
            yield invalid(f"spec.ipFamilies[{i}]", family, "not configured on this cluster")


def _node_port_errors(ports: list[Object]) -> Iterator[FieldError]:
    for i, port in enumerate(ports):
        number = port.get("nodePort")
        if number and not _FIRST_NODE_PORT <= number <= _LAST_NODE_PORT:
            detail = (
                "provided port is not in the valid range. The range of valid ports is "
                f"{_FIRST_NODE_PORT}-{_LAST_NODE_PORT}"
            )
            yield invalid(f"spec.ports[{i}].nodePort", number, detail)


def _port_use_errors(ports: list[Object], kind: str) -> Iterator[FieldError]:
    if kind == "ClusterIP":
        for i, port in enumerate(ports):
            if port.get("nodePort"):
                detail = "may not be used when `type` is 'ClusterIP'"
                yield forbidden(f"spec.ports[{i}].nodePort", detail)
    node_ports = [(p.get("protocol"), p.get("nodePort") or -i) for i, p in enumerate(ports, 1)]
    for i in checks.duplicates(node_ports):
        yield duplicate(f"spec.ports[{i}].nodePort", ports[i]["nodePort"])
    for i in checks.duplicates([_port_key(port) for port in ports]):
        protocol, number = _port_key(ports[i])
        shown = {
            "Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number,
            "TargetPort": 0, "NodePort": 0,
        }  # fmt: skip
        yield duplicate(f"spec.ports[{i}]", shown)


_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


def _traffic_errors(spec: Object, kind: str) -> Iterator[FieldError]:
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        detail = "may only be used when `type` is 'LoadBalancer'"
        yield forbidden("spec.allocateLoadBalancerNodePorts", detail)
    if spec.get("loadBalancerClass") is not None and kind != "LoadBalancer":
        detail = "may only be used when `type` is 'LoadBalancer'"
        yield forbidden("spec.loadBalancerClass", detail)
    path, policy = "spec.externalTrafficPolicy", spec.get("externalTrafficPolicy", "")
    if not _reachable_from_outside(spec):
        if policy:
            yield invalid(path, policy, "may only be set for externally-accessible services")
    else:
        yield from checks.one_of(policy, ("Cluster", "Local"), path)
    internal = spec.get("internalTrafficPolicy")
    if internal is not None:
        yield from checks.one_of(internal, ("Cluster", "Local"), "spec.internalTrafficPolicy")
    elif kind in _WITH_ADDRESS:
        yield required("spec.internalTrafficPolicy")
    distribution = spec.get("trafficDistribution")
    if distribution is not None:
        yield from checks.one_of(distribution, _DISTRIBUTIONS, "spec.trafficDistribution")
    health = spec.get("healthCheckNodePort")
    if health and not _needs_health_check(spec):
        detail = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        yield invalid("spec.healthCheckNodePort", health, detail)


def _update(new: Object, old: Object) -> Iterator[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return
    several, earlier = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if earlier and not several:
        yield invalid("spec.clusterIPs[0]", several, "primary clusterIP can not be unset")
        return
    for i, (now, then) in enumerate(zip(several, earlier, strict=False)):
        if now != then:
            yield invalid(f"spec.clusterIPs[{i}]", several, "may not change once set")


SERVICE = Rules(
    default=_default,
    prepare=_prepare,
    validate=_errors,
    update=_update,
    update_first=True,
    name=dns1123_label_problems,
    warnings=warnings.of_service,
    fields={
        "spec.clusterIP": text_at("spec", "clusterIP"),
        "spec.type": text_at("spec", "type"),
    },
)
