"""Rules of Ingress, IngressClass and NetworkPolicy, kept as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, immutable, wildcard_subdomain_problems
from hearth.cluster.model.fielderrors import FieldError, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1035_label_problems, dns1123_subdomain_problems


def _new_ingress(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"loadBalancer": {}}


def _ingress_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        yield invalid("spec", rules, "either `defaultBackend` or `rules` must be specified")
    for i, rule in enumerate(rules):
        yield from _rule_errors(rule, f"spec.rules[{i}]")
    if backend is not None:
        yield from _backend_errors(backend, "spec.defaultBackend")
    if (name := spec.get("ingressClassName")) is not None:
        yield from each("spec.ingressClassName", name, dns1123_subdomain_problems(name))


def _rule_errors(rule: Object, path: str) -> Iterator[FieldError]:
    host = rule.get("host", "")
    if host:
        check = wildcard_subdomain_problems if "*" in host else dns1123_subdomain_problems
        yield from each(f"{path}.host", host, check(host))
    http = rule.get("http")
    if http is None:
        return
    paths = http.get("paths") or []
    if not paths:
        yield required(f"{path}.http.paths")
    for i, item in enumerate(paths):
        yield from _path_errors(item, f"{path}.http.paths[{i}]")


def _path_errors(item: Object, path: str) -> Iterator[FieldError]:
    kind, where = item.get("pathType"), item.get("path", "")
    kinds = ("Exact", "ImplementationSpecific", "Prefix")
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
    else:
        yield from checks.one_of(kind, kinds, f"{path}.pathType")
    if kind in ("Exact", "Prefix") and not where.startswith("/"):
        yield invalid(f"{path}.path", where, "must be an absolute path")
    yield from _backend_errors(item.get("backend") or {}, f"{path}.backend")


def _backend_errors(backend: Object, path: str) -> Iterator[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is None and resource is None:
        yield required(path, "must specify either `service` or `resource`")
    elif service is not None and resource is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif service is not None:
        yield from _service_errors(service, f"{path}.service")


def _service_errors(service: Object, path: str) -> Iterator[FieldError]:
    name, port = service.get("name", ""), service.get("port") or {}
    if not name:
        yield required(f"{path}.name")
    else:
        yield from each(f"{path}.name", name, dns1035_label_problems(name))
    if port.get("name") and port.get("number"):
        yield invalid(path, "", "cannot set both port name & port number")
    elif port.get("name"):
        yield from each(f"{path}.port.name", port["name"], checks.port_name_problems(port["name"]))
    elif port.get("number"):
        problems = checks.port_number_problems(port["number"])
        yield from each(f"{path}.port.number", port["number"], problems)
    else:
        yield required(path, "port name or number is required")


INGRESS = Rules(prepare=_new_ingress, validate=_ingress_errors, generation=True)


def _default_class(obj: Object) -> None:
    parameters = child(obj, "spec").get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def _class_errors(obj: Object) -> Iterator[FieldError]:
    controller = (obj.get("spec") or {}).get("controller", "")
    if len(controller) > 250:
        yield invalid("spec.controller", controller, "must be no more than 250 characters")
    host, _, rest = controller.partition("/")
    if not controller:
        yield required("spec.controller")
    elif not host or not rest:
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield invalid("spec.controller", controller, detail)
    else:
        yield from each("spec.controller", host, dns1123_subdomain_problems(host))


def _class_update(new: Object, old: Object) -> Iterator[FieldError]:
    controller, before = (o.get("spec", {}).get("controller") for o in (new, old))
    yield from immutable(controller, before, "spec.controller")


INGRESS_CLASS = Rules(
    default=_default_class, validate=_class_errors, update=_class_update, generation=True
)


def _default_policy(obj: Object) -> None:
    spec = child(obj, "spec")
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _policy_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from checks.label_selector_errors(spec.get("podSelector"), "spec.podSelector")
    for direction, key in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                protocols = ("SCTP", "TCP", "UDP")
                port_path = f"{path}.ports[{j}]"
                yield from checks.one_of(port.get("protocol"), protocols, f"{port_path}.protocol")
            for j, peer in enumerate(rule.get(key) or ()):
                yield from _peer_errors(peer, f"{path}.{key}[{j}]")
    for i, kind in enumerate(spec.get("policyTypes") or ()):
        yield from checks.one_of(kind, ("Egress", "Ingress"), f"spec.policyTypes[{i}]")


def _peer_errors(peer: Object, path: str) -> Iterator[FieldError]:
    given = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if key in peer]
    for key in given:
        if key != "ipBlock":
            yield from checks.label_selector_errors(peer[key], f"{path}.{key}")
    block = peer.get("ipBlock")
    if block is not None:
        cidr = block.get("cidr", "")
        if not cidr:
            yield required(f"{path}.ipBlock.cidr")
        else:
            yield from each(f"{path}.ipBlock.cidr", cidr, checks.cidr_problems(cidr))
    if not given:
        yield required(path, "must specify a peer")
    elif block is not None and len(given) > 1:
        detail = "may not specify both ipBlock and another peer"
        yield FieldError(path, "FieldValueForbidden", f"Forbidden: {detail}")


NETWORK_POLICY = Rules(
    warnings=warnings.of_network_policy,
    default=_default_policy,
    validate=_policy_errors,
    name=dns1123_subdomain_problems,
    generation=True,
)
