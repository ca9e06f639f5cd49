"""Warnings that come with an accepted object: odd, but not wrong. Pure; used by the catalog.

Follows ``pkg/api/pod/warnings.go`` and the strategies of Kubernetes' kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_label_problems
from hearth.kube.quantity import parse_quantity

Warnings = Callable[[Object, Object | None], list[str]]
_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_BYTES = ("memory", "ephemeral-storage")
_GONE_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_OLD_LABELS = {
    "beta.kubernetes.io/arch": ('deprecated since v1.14; use "kubernetes.io/arch" instead'),
    "beta.kubernetes.io/os": ('deprecated since v1.14; use "kubernetes.io/os" instead'),
    "failure-domain.beta.kubernetes.io/region": (
        'deprecated since v1.17; use "topology.kubernetes.io/region" instead'
    ),
    "failure-domain.beta.kubernetes.io/zone": (
        'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'
    ),
    "beta.kubernetes.io/instance-type": (
        'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'
    ),
}


def of_pod(obj: Object, old: Object | None = None) -> list[str]:
    """The warnings on a new pod; those who change pods are controllers and read none."""
    if old is not None:
        return []
    texts = list(_name_warnings(obj, "the Pod's hostname"))
    return texts + list(_spec_warnings(obj.get("spec") or {}, "spec"))


def of_network_policy(obj: Object, old: Object | None = None) -> list[str]:
    """Nothing here keeps packets back, and who writes a policy counts on it."""
    if old is not None:
        return []
    return [
        "NetworkPolicies are kept and not enforced: on one machine every pod reaches every other"
    ]


def _is_same_spec(obj: Object, old: Object | None) -> bool:
    """Whether an update leaves alone what could be warned of, so that warnings do not repeat."""
    return old is not None and obj.get("spec") == old.get("spec")


def of_workload(obj: Object, old: Object | None = None) -> list[str]:
    """The warnings on a kind with a pod template: Deployment, ReplicaSet, StatefulSet, Job."""
    if _is_same_spec(obj, old):
        return []
    texts = [] if old is not None else list(_name_warnings(obj, "Pod names and hostnames"))
    template = (obj.get("spec") or {}).get("template") or {}
    return texts + list(_spec_warnings(template.get("spec") or {}, "spec.template.spec"))


def of_daemon_set(obj: Object, old: Object | None = None) -> list[str]:
    """The warnings on a DaemonSet; none when its spec is as it was."""
    if _is_same_spec(obj, old):
        return []
    template = (obj.get("spec") or {}).get("template") or {}
    return list(_spec_warnings(template.get("spec") or {}, "spec.template.spec"))


def of_cron_job(obj: Object, old: Object | None = None) -> list[str]:
    """The warnings on a CronJob; none when its spec is as it was."""
    if _is_same_spec(obj, old):
        return []
    texts = [] if old is not None else list(_name_warnings(obj, "Pod names and hostnames"))
    job = ((obj.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    spec = (job.get("template") or {}).get("spec") or {}
    return texts + list(_spec_warnings(spec, "spec.jobTemplate.spec.template.spec"))


def of_service(obj: Object, old: Object | None = None) -> list[str]:
    """The warnings on a Service; none when its spec is as it was."""
    if _is_same_spec(obj, old):
        return []
    return list(_service_warnings(obj.get("spec") or {}))


def of_endpoints(obj: Object, old: Object | None = None) -> list[str]:
    """The warning that Endpoints are deprecated."""
    return ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"]


def _name_warnings(obj: Object, use: str) -> Iterator[str]:
    problems = dns1123_label_problems(obj["metadata"].get("name", ""))
    if problems:
        yield (
            f"metadata.name: this is used in {use}, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )


def _spec_warnings(spec: Object, path: str) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if key in _OLD_LABELS:
            yield f"{path}.nodeSelector[{key}]: {_OLD_LABELS[key]}"
    for i, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("labelSelector") is None:
            yield f"{path}.topologySpreadConstraints[{i}].labelSelector: {_NULL_SELECTOR}"
    for i, volume in enumerate(spec.get("volumes") or ()):
        for key, text in _GONE_VOLUMES.items():
            if volume.get(key) is not None:
                yield f"{path}.volumes[{i}].{key}: {text}"
    yield from _repeated(spec, "hostAliases", "ip", path)
    yield from _repeated(spec, "imagePullSecrets", "name", path)
    containers = list(_containers(spec, path))
    for container, container_path in containers:
        yield from _amount_warnings(container, container_path)
        yield from _env_warnings(container.get("env") or [], container_path)
    yield from _port_warnings(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {text}"
    yield from _affinity_warnings(spec.get("affinity") or {}, f"{path}.affinity")


def _repeated(spec: Object, key: str, name: str, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for i, item in enumerate(spec.get(key) or ()):
        value = item.get(name, "")
        if value in seen:
            yield f'{path}.{key}[{i}].{name}: duplicate {name} "{value}"'
        seen.add(value)


def _containers(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(key) or ()):
            yield container, f"{path}.{key}[{i}]"


def _amount_warnings(container: Object, path: str) -> Iterator[str]:
    resources = container.get("resources") or {}
    for name in _BYTES:
        for kind in ("limits", "requests"):
            text = (resources.get(kind) or {}).get(name)
            if text is not None and parse_quantity(text).milli % 1000:
                detail = f'fractional byte value "{text}" is invalid, must be an integer'
                yield f"{path}.resources.{kind}[{name}]: {detail}"


def _env_warnings(variables: list[Object], path: str) -> Iterator[str]:
    """A variable may be given twice when the second builds on the first."""
    seen: set[str] = set()
    for i, variable in enumerate(variables):
        name, value = variable.get("name", ""), variable.get("value", "")
        reference = f"$({name})"
        extends = reference in value and value != reference and "valueFrom" not in variable
        if name in seen and not extends:
            detail = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{path}.env[{i}]: {detail}"
        seen.add(name)


def _port_warnings(containers: list[tuple[Object, str]]) -> Iterator[str]:
    ports = [
        (port, f"{path}.ports[{i}]")
        for container, path in containers
        for i, port in enumerate(container.get("ports") or ())
    ]
    for i, (port, path) in enumerate(ports):
        for other, where in ports[:i]:
            yield from _pair_warnings(port, other, path=path, where=where)
    names: dict[str, str] = {}
    for port, path in ports:
        name = port.get("name")
        if name and name in names:
            first = names[name]
            yield (
                f'{path}: duplicate port name "{name}" with {first}, services and probes that '
                f"select ports by name will use {first}"
            )
        elif name:
            names[name] = path


def _pair_warnings(port: Object, other: Object, *, path: str, where: str) -> Iterator[str]:
    if (port.get("containerPort"), port.get("protocol")) != (
        other.get("containerPort"),
        other.get("protocol"),
    ):
        return
    host, others = port.get("hostPort", 0), other.get("hostPort", 0)
    address, other_address = port.get("hostIP", ""), other.get("hostIP", "")
    if (address, host) == (other_address, others):
        yield f"{path}: duplicate port definition with {where}"
    elif not host or not others:
        yield f"{path}: overlapping port definition with {where}"
    elif host == others and bool(address) != bool(other_address):
        yield f"{path}: dangerously ambiguous port definition with {where}"


def _affinity_warnings(affinity: Object, path: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        key = "requiredDuringSchedulingIgnoredDuringExecution"
        for i, term in enumerate(rules.get(key) or ()):
            if term.get("labelSelector") is None:
                yield f"{path}.{kind}.{key}[{i}].labelSelector: {_NULL_SELECTOR}"
        key = "preferredDuringSchedulingIgnoredDuringExecution"
        for i, weighted in enumerate(rules.get(key) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                term_path = f"{path}.{kind}.{key}[{i}].podAffinityTerm"
                yield f"{term_path}.labelSelector: {_NULL_SELECTOR}"


def _service_warnings(spec: Object) -> Iterator[str]:
    kind = spec.get("type")
    if kind == "ClusterIP" and spec.get("clusterIP") == "None":
        for key in ("loadBalancerIP", "externalIPs"):
            if spec.get(key):
                yield f"spec.{key} is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    if kind == "ExternalName" and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if kind != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'
