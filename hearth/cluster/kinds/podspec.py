"""Validation of pod specs with Kubernetes' messages, in the order in which it gives them. Pure.

Follows ``ValidatePodSpec`` of ``pkg/apis/core/validation``; containers and volumes have modules
of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.affinity import affinity_errors, spread_errors
from hearth.cluster.kinds.containers import (
    containers_errors,
    ephemeral_containers_errors,
    init_containers_errors,
)
from hearth.cluster.kinds.volumes import valid_volume_names, volumes_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, labels_errors
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.cluster.model.objectmeta import annotations_errors
from hearth.kube.names import (
    dns1123_label_problems,
    dns1123_subdomain_problems,
    label_value_problems,
    qualified_name_problems,
)

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_LARGEST_INT32 = 2**31 - 1


def pod_spec_errors(spec: Object, path: str, *, of_pod: bool = False) -> Iterator[FieldError]:
    """The errors of a spec that has its defaults; ``of_pod`` where it is not a template's."""
    if spec.get("terminationGracePeriodSeconds") is None:
        yield required(f"{path}.terminationGracePeriodSeconds")
    volumes = spec.get("volumes") or []
    yield from volumes_errors(volumes, f"{path}.volumes")
    names = valid_volume_names(volumes, f"{path}.volumes")
    yield from containers_errors(spec, f"{path}.containers", names)
    yield from init_containers_errors(spec, f"{path}.initContainers", names)
    yield from ephemeral_containers_errors(spec, f"{path}.ephemeralContainers", names)
    yield from _host_network_errors(spec, path, of_pod)
    yield from _policy_errors(spec, path)
    yield from labels_errors(spec.get("nodeSelector"), f"{path}.nodeSelector")
    yield from _security_errors(spec.get("securityContext") or {}, f"{path}.securityContext")
    yield from affinity_errors(spec.get("affinity"), f"{path}.affinity")
    yield from _dns_config_errors(spec, f"{path}.dnsConfig")
    yield from _gate_errors(spec, path)
    yield from spread_errors(spec, f"{path}.topologySpreadConstraints")
    yield from _name_errors(spec, path)
    yield from _scheduling_errors(spec, path)


def _host_network_errors(spec: Object, path: str, of_pod: bool) -> Iterator[FieldError]:
    if not spec.get("hostNetwork"):
        return
    for i, container in enumerate(spec.get("containers") or ()):
        for j, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort", 0)
            if (of_pod or host) and host != port.get("containerPort"):
                port_path = f"{path}.containers[{i}].ports[{j}].hostPort"
                yield invalid(
                    port_path, host, "must match `containerPort` when `hostNetwork` is true"
                )


def _policy_errors(spec: Object, path: str) -> Iterator[FieldError]:
    restart, dns = spec.get("restartPolicy", ""), spec.get("dnsPolicy", "")
    supported = ("Always", "OnFailure", "Never")
    if not restart:
        yield required(f"{path}.restartPolicy")
    elif restart not in supported:
        yield not_supported(f"{path}.restartPolicy", restart, supported)
    if not dns:
        yield required(f"{path}.dnsPolicy")
    elif dns not in _DNS_POLICIES:
        yield not_supported(f"{path}.dnsPolicy", dns, _DNS_POLICIES)


def _security_errors(context: Object, path: str) -> Iterator[FieldError]:
    problem = checks.range_problem(0, _LARGEST_INT32)
    for key in ("fsGroup", "runAsUser", "runAsGroup"):
        value = context.get(key)
        if value is not None and not 0 <= value <= _LARGEST_INT32:
            yield invalid(f"{path}.{key}", value, problem)
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= _LARGEST_INT32:
            yield invalid(f"{path}.supplementalGroups[{i}]", group, problem)
    change = context.get("fsGroupChangePolicy")
    if change is not None:
        supported = ("OnRootMismatch", "Always")
        yield from checks.one_of(change, supported, f"{path}.fsGroupChangePolicy")


def _dns_config_errors(spec: Object, path: str) -> Iterator[FieldError]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        elif not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required(f"{path}.nameservers", detail)
            return
    if config is None:
        return
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for i, server in enumerate(servers):
        yield from each(f"{path}.nameservers[{i}]", server, checks.ip_problems(server))
    if len(searches) > 32:
        yield invalid(f"{path}.searches", searches, "must not have more than 32 search paths")
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.options[{i}]", "must not be empty")


def _gate_errors(spec: Object, path: str) -> Iterator[FieldError]:
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType", "")
        gate_path = f"{path}.readinessGates[{i}].conditionType"
        yield from each(gate_path, kind, qualified_name_problems(kind))
    gates = [gate.get("name", "") for gate in spec.get("schedulingGates") or ()]
    for i, gate in enumerate(gates):
        gate_path = f"{path}.schedulingGates[{i}]"
        yield from each(gate_path, gate, qualified_name_problems(gate))


_NAMES = (
    ("serviceAccountName", dns1123_subdomain_problems),
    ("nodeName", dns1123_subdomain_problems),
)
_LABELS = (
    ("hostname", dns1123_label_problems),
    ("subdomain", dns1123_label_problems),
)


def _name_errors(spec: Object, path: str) -> Iterator[FieldError]:
    for key, problems in _NAMES:
        if name := spec.get(key):
            yield from each(f"{path}.{key}", name, problems(name))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _LARGEST_INT32:
        problem = checks.range_problem(1, _LARGEST_INT32)
        yield invalid(f"{path}.activeDeadlineSeconds", deadline, problem)
    for key, problems in _LABELS:
        if name := spec.get(key):
            yield from each(f"{path}.{key}", name, problems(name))


def _scheduling_errors(spec: Object, path: str) -> Iterator[FieldError]:
    yield from tolerations_errors(spec.get("tolerations") or [], f"{path}.tolerations")
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        alias_path, address = f"{path}.hostAliases[{i}]", alias.get("ip", "")
        yield from each(f"{alias_path}.ip", address, checks.ip_problems(address))
        for j, name in enumerate(alias.get("hostnames") or ()):
            yield from each(f"{alias_path}.hostnames[{j}]", name, dns1123_subdomain_problems(name))
    for key in ("priorityClassName", "runtimeClassName"):
        if name := spec.get(key):
            yield from each(f"{path}.{key}", name, dns1123_subdomain_problems(name))
    preemption = spec.get("preemptionPolicy")
    if preemption is not None:
        supported = ("PreemptLowerPriority", "Never")
        yield from checks.one_of(preemption, supported, f"{path}.preemptionPolicy")


def tolerations_errors(tolerations: list[Object], path: str) -> Iterator[FieldError]:
    """Checks tolerations of a pod spec."""
    for i, toleration in enumerate(tolerations):
        yield from _toleration_errors(toleration, f"{path}[{i}]")


def _toleration_errors(toleration: Object, path: str) -> Iterator[FieldError]:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    value, effect = toleration.get("value", ""), toleration.get("effect", "")
    if key:
        yield from each(f"{path}.key", key, qualified_name_problems(key))
    elif operator != "Exists":
        detail = (
            'operator must be Exists when `key` is empty, which means "match all values and all '
            'keys"'
        )
        yield invalid(f"{path}.operator", operator, detail)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid(f"{path}.effect", effect, detail)
    if operator in ("", "Equal"):
        if problems := label_value_problems(value):
            yield invalid(f"{path}.operator", value, ";".join(problems))
    elif operator == "Exists":
        if value:
            detail = "value must be empty when `operator` is 'Exists'"
            yield invalid(f"{path}.operator", value, detail)
    else:
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))
    if effect:
        yield from checks.one_of(effect, _TAINT_EFFECTS, f"{path}.effect")


def pod_template_errors(template: Object, path: str) -> Iterator[FieldError]:
    """The errors of a workload's pod template."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    yield from labels_errors(metadata.get("labels"), f"{path}.labels")
    yield from annotations_errors(metadata.get("annotations"), f"{path}.annotations")
    yield from pod_spec_errors(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        yield forbidden(f"{path}.spec.ephemeralContainers", detail)
