"""The cells of ``kubectl get``, kind by kind, pods apart. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hearth.cluster.model.kind import Object
from hearth.cluster.model.tables import (
    NONE,
    UNKNOWN,
    UNSET,
    age,
    containers,
    human_duration,
    label_selector,
    labels_text,
    name,
    seconds_between,
    since,
    some_of,
    template_spec,
)

Row = Sequence[Any]


def _spec(obj: Object) -> Object:
    spec: Object = obj.get("spec") or {}
    return spec


def _status(obj: Object) -> Object:
    status: Object = obj.get("status") or {}
    return status


# -- Configuration -------------------------------------------------------------------------


def config_map(obj: Object, now: float) -> Row:
    """The cells of a ConfigMap: number of entries, age."""
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return name(obj), count, age(obj, now)


def secret(obj: Object, now: float) -> Row:
    """The cells of a Secret: type, number of entries, age."""
    return name(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj, now)


def service_account(obj: Object, now: float) -> Row:
    """The cells of a ServiceAccount: number of secrets, age."""
    return name(obj), len(obj.get("secrets") or ()), age(obj, now)


def namespace(obj: Object, now: float) -> Row:
    """The cells of a Namespace: phase, age."""
    return name(obj), _status(obj).get("phase", ""), age(obj, now)


# -- Workloads -----------------------------------------------------------------------------


def deployment(obj: Object, now: float) -> Row:
    """The cells of a Deployment: ready of desired, up to date, available, containers."""
    status = _status(obj)
    ready = f"{status.get('readyReplicas', 0)}/{_spec(obj).get('replicas') or 0}"
    selector = label_selector(_spec(obj).get("selector")).removeprefix(NONE)
    counts = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return name(obj), ready, *counts, age(obj, now), *containers(template_spec(obj)), selector


def replica_set(obj: Object, now: float) -> Row:
    """The cells of a ReplicaSet: desired, current, ready, containers."""
    status, spec = _status(obj), _spec(obj)
    counts = (
        spec.get("replicas") or 0,
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
    )
    wide = (*containers(template_spec(obj)), label_selector(spec.get("selector")))
    return name(obj), *counts, age(obj, now), *wide


def stateful_set(obj: Object, now: float) -> Row:
    """The cells of a StatefulSet: ready of desired, containers."""
    ready = f"{_status(obj).get('readyReplicas', 0)}/{_spec(obj).get('replicas') or 0}"
    return name(obj), ready, age(obj, now), *containers(template_spec(obj))


def daemon_set(obj: Object, now: float) -> Row:
    """The cells of a DaemonSet: the counts of its status, node selector, containers."""
    status = _status(obj)
    counts = [
        status.get(key, 0)
        for key in (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        )
    ]
    template = template_spec(obj)
    wide = (*containers(template), label_selector(_spec(obj).get("selector")))
    return name(obj), *counts, labels_text(template.get("nodeSelector")), age(obj, now), *wide


def controller_revision(obj: Object, now: float) -> Row:
    """The cells of a ControllerRevision: controller, revision."""
    owners = obj["metadata"].get("ownerReferences") or ()
    controller = next((o for o in owners if o.get("controller")), None)
    owner = NONE
    if controller is not None:
        group = controller["apiVersion"].rpartition("/")[0]
        kind = f"{controller['kind']}.{group}" if group else controller["kind"]
        owner = f"{kind.lower()}/{controller['name']}"
    return name(obj), owner, obj.get("revision", 0), age(obj, now)


def job(obj: Object, now: float) -> Row:
    """The cells of a Job: state, completions, duration, containers."""
    spec, status = _spec(obj), _status(obj)
    started, ended = status.get("startTime"), status.get("completionTime")
    duration = ""
    if started:
        duration = human_duration(seconds_between(started, ended)) if ended else since(started, now)
    wide = (*containers(template_spec(obj)), label_selector(spec.get("selector")))
    return name(obj), _job_state(obj), _completions(spec, status), duration, age(obj, now), *wide


def _completions(spec: Object, status: Object) -> str:
    done = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_state(obj: Object) -> str:
    conditions = _status(obj).get("conditions") or ()
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    for condition in ("Complete", "Failed"):
        if condition in true:
            return condition
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition, state in (
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if condition in true:
            return state
    return "Running"


def cron_job(obj: Object, now: float) -> Row:
    """The cells of a CronJob: schedule, suspension, active jobs, last run."""
    spec, status = _spec(obj), _status(obj)
    last = status.get("lastScheduleTime")
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = (job_spec.get("template") or {}).get("spec") or {}
    return (
        name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        _flag(spec.get("suspend")),
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        *containers(template),
        label_selector(job_spec.get("selector")),
    )


def _flag(value: bool | None) -> str:
    return UNSET if value is None else "True" if value else "False"


# -- Services ------------------------------------------------------------------------------


def service(obj: Object, now: float) -> Row:
    """The cells of a Service: type, addresses, ports, selector."""
    spec = _spec(obj)
    addresses = spec.get("clusterIPs") or [NONE]
    ports = ",".join(_service_port(port) for port in spec.get("ports") or ())
    return (
        name(obj),
        spec.get("type", ""),
        addresses[0],
        _external_address(obj),
        ports or NONE,
        age(obj, now),
        labels_text(spec.get("selector")),
    )


def _service_port(port: Mapping[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node_port}/{port.get('protocol', '')}"


def _external_address(obj: Object) -> str:
    spec = _spec(obj)
    external = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            ingress = load_balancer(_status(obj))
            return ",".join([*([ingress] if ingress else []), *external]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return UNKNOWN


def load_balancer(status: Object) -> str:
    """The addresses of a load balancer, sorted."""
    points = (status.get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({p.get("ip") or p.get("hostname", "") for p in points} - {""}))


def endpoints(obj: Object, now: float) -> Row:
    """The cells of Endpoints: up to three addresses."""
    subsets = obj.get("subsets") or []
    shown = [address for subset in subsets for address in _subset(subset)]
    return name(obj), some_of(shown, 3) if subsets else NONE, age(obj, now)


def _subset(subset: Mapping[str, Any]) -> Iterable[str]:
    addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
    ports = subset.get("ports") or ()
    if not ports:
        return addresses
    return [_host_port(address, port["port"]) for port in ports for address in addresses]


def _host_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def endpoint_slice(obj: Object, now: float) -> Row:
    """The cells of an EndpointSlice: address type, ports, addresses."""
    ports = [_slice_port(port) for port in obj.get("ports") or ()]
    addresses = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return (
        name(obj),
        obj.get("addressType", ""),
        some_of(ports, 3) or UNSET,
        some_of(addresses, 3) or UNSET,
        age(obj, now),
    )


def _slice_port(port: Mapping[str, Any]) -> str:
    if port.get("port") is not None:
        return str(port["port"])
    return port["name"] if port.get("name") is not None else "*"


def ingress(obj: Object, now: float) -> Row:
    """The cells of an Ingress: class, hosts, addresses, ports."""
    spec = _spec(obj)
    rules = spec.get("rules") or []
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    return (
        name(obj),
        spec.get("ingressClassName") or NONE,
        some_of(hosts, 3, total=len(rules)) or "*",
        load_balancer(_status(obj)),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    )


def ingress_class(obj: Object, now: float) -> Row:
    """The cells of an IngressClass: controller, parameters."""
    spec = _spec(obj)
    parameters, shown = spec.get("parameters"), NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        shown = f"{parameters['kind']}{group}/{parameters['name']}"
    return name(obj), spec.get("controller", ""), shown, age(obj, now)


def network_policy(obj: Object, now: float) -> Row:
    """The cells of a NetworkPolicy: the pods it selects."""
    return name(obj), label_selector(_spec(obj).get("podSelector")), age(obj, now)


# -- Cluster -------------------------------------------------------------------------------

_ROLE_PREFIX = "node-role.kubernetes.io/"


def node(obj: Object, now: float) -> Row:
    """The cells of a Node: state, roles, versions, addresses."""
    status = _status(obj)
    info = status.get("nodeInfo") or {}
    return (
        name(obj),
        _node_state(obj),
        ",".join(_node_roles(obj["metadata"].get("labels") or {})) or NONE,
        age(obj, now),
        info.get("kubeletVersion", ""),
        _node_address(status, "InternalIP"),
        _node_address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    )


def _node_state(obj: Object) -> str:
    conditions = _status(obj).get("conditions") or ()
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    states = {"True": "Ready"}
    state = "Unknown" if ready is None else states.get(ready.get("status", ""), "NotReady")
    return f"{state},SchedulingDisabled" if _spec(obj).get("unschedulable") else state


def _node_roles(labels: Mapping[str, str]) -> list[str]:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return sorted(roles - {""})


def _node_address(status: Object, kind: str) -> str:
    addresses = status.get("addresses") or ()
    return next((a["address"] for a in addresses if a.get("type") == kind), NONE)


_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def _access_modes(modes: Iterable[str] | None) -> str:
    given = set(modes or ())
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in given)


def _storage_class(obj: Object) -> str:
    annotated = (obj["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    return str(annotated or _spec(obj).get("storageClassName") or "")


def _phase(obj: Object) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(_status(obj).get("phase", ""))


def persistent_volume(obj: Object, now: float) -> Row:
    """The cells of a PersistentVolume: capacity, modes, policy, claim, class."""
    spec = _spec(obj)
    claim = spec.get("claimRef")
    return (
        name(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _storage_class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        _status(obj).get("reason", ""),
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    )


def persistent_volume_claim(obj: Object, now: float) -> Row:
    """The cells of a PersistentVolumeClaim: phase, volume, capacity, modes, class."""
    spec, status = _spec(obj), _status(obj)
    capacity = modes = ""
    if spec.get("volumeName"):
        capacity = (status.get("capacity") or {}).get("storage", "0")
        modes = _access_modes(status.get("accessModes"))
    return (
        name(obj),
        _phase(obj),
        spec.get("volumeName", ""),
        capacity,
        modes,
        _storage_class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    )


def resource_quota(obj: Object, now: float) -> Row:
    """The cells of a ResourceQuota: used of hard, requests and limits apart."""
    status = _status(obj)
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for resource, hard in sorted((status.get("hard") or {}).items()):
        column = limits if resource.startswith("limits.") else requests
        column.append(f"{resource}: {used.get(resource, '0')}/{hard}")
    return name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)


def storage_class(obj: Object, now: float) -> Row:
    """The cells of a StorageClass; the default one is marked."""
    annotations = obj["metadata"].get("annotations") or {}
    is_default = any(
        annotations.get(key) == "true"
        for key in (
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        )
    )
    return (
        name(obj) + (" (default)" if is_default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    )


def priority_class(obj: Object, now: float) -> Row:
    """The cells of a PriorityClass: value, whether it is the default, preemption."""
    return (
        name(obj),
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy") or "",
    )


def runtime_class(obj: Object, now: float) -> Row:
    """The cells of a RuntimeClass."""
    return name(obj), obj.get("handler") or "", age(obj, now)


def pod_disruption_budget(obj: Object, now: float) -> Row:
    """The cells of a PodDisruptionBudget: bounds, disruptions allowed."""
    spec = _spec(obj)
    bounds = [spec.get(key) for key in ("minAvailable", "maxUnavailable")]
    shown = ["N/A" if bound is None else str(bound) for bound in bounds]
    return name(obj), *shown, _status(obj).get("disruptionsAllowed", 0), age(obj, now)


def lease(obj: Object, now: float) -> Row:
    """The cells of a Lease: holder."""
    return name(obj), _spec(obj).get("holderIdentity") or "", age(obj, now)


# -- Access and admission ------------------------------------------------------------------


def role_binding(obj: Object, now: float) -> Row:
    """The cells of a RoleBinding or ClusterRoleBinding: role, subjects by type."""
    role = obj.get("roleRef") or {}
    subjects = obj.get("subjects") or ()
    users = [s["name"] for s in subjects if s.get("kind") == "User"]
    groups = [s["name"] for s in subjects if s.get("kind") == "Group"]
    accounts = [_account(s) for s in subjects if s.get("kind") == "ServiceAccount"]
    reference = f"{role.get('kind', '')}/{role.get('name', '')}"
    wide = ", ".join(users), ", ".join(groups), ", ".join(accounts)
    return name(obj), reference, age(obj, now), *wide


def _account(subject: Mapping[str, Any]) -> str:
    where = subject.get("namespace")
    return f"{where}/{subject['name']}" if where else str(subject["name"])


def webhooks(obj: Object, now: float) -> Row:
    """The cells of a webhook configuration: number of webhooks."""
    return name(obj), len(obj.get("webhooks") or ()), age(obj, now)


def api_service(obj: Object, now: float) -> Row:
    """The cells of an APIService: who serves it, whether that one is there."""
    service = _spec(obj).get("service")
    parts = (service.get("namespace", ""), service.get("name", "")) if service is not None else ()
    shown = "/".join(parts) or "Local"
    conditions = _status(obj).get("conditions") or ()
    found: Object = next((c for c in conditions if c["type"] == "Available"), {})
    available = found.get("status", "Unknown")
    if available not in ("True", "Unknown"):
        available = f"{available} ({found.get('reason', '')})"
    return name(obj), shown, available, age(obj, now)


# -- Autoscaling ---------------------------------------------------------------------------


def horizontal_pod_autoscaler(obj: Object, now: float) -> Row:
    """The cells of a HorizontalPodAutoscaler: target, metrics, bounds, replicas."""
    spec, status = _spec(obj), _status(obj)
    target = spec.get("scaleTargetRef") or {}
    min_replicas = spec.get("minReplicas")
    return (
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        UNSET if min_replicas is None else str(min_replicas),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj, now),
    )


def _metrics(specs: list[Object], statuses: list[Object]) -> str:
    if not specs:
        return NONE
    shown = [
        _metric(spec, statuses[i] if i < len(statuses) else {}) for i, spec in enumerate(specs)
    ]
    text = ", ".join(shown[:2])
    return f"{text} + {len(shown) - 2} more..." if len(shown) > 2 else text


_SOURCES = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(spec: Object, status: Object) -> str:
    source = _SOURCES.get(spec.get("type", ""))
    if source is None:
        return "<unknown type>"
    details = spec.get(source) or {}
    target = details.get("target") or {}
    current = (status.get(source) or {}).get("current") or {}
    if source in ("resource", "containerResource"):
        return f"{details.get('name', '')}: {_utilization(target, current)}"
    if source == "pods":
        return f"{current.get('averageValue', UNKNOWN)}/{target.get('averageValue', '0')}"
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{current.get('value', UNKNOWN)}/{target.get('value', '0')}"


def _utilization(target: Object, current: Object) -> str:
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    used, target_percent = current.get("averageUtilization"), target.get("averageUtilization")
    shown = UNKNOWN if used is None else f"{used}%"
    return f"{shown}/{'<auto>' if target_percent is None else f'{target_percent}%'}"


# -- Events --------------------------------------------------------------------------------


def event(obj: Object, now: float) -> Row:
    """The cells of an Event: last seen, type, reason, object, message."""
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    series = obj.get("series")
    if series:
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    about = obj.get("involvedObject") or {}
    kind = about.get("kind", "").lower()
    return (
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{about['name']}" if about.get("name") else kind,
        about.get("fieldPath", ""),
        _event_source(obj),
        obj.get("message", "").strip(),
        first,
        count,
        name(obj),
    )


def _event_source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    instance = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {instance}" if instance else component
