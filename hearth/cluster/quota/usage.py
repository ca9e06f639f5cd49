"""What an object counts for in a ResourceQuota. Pure.

Rules of ``k8s.io/kubernetes/pkg/quota/v1/evaluator/core``: pods (compute resources and number),
Services, PersistentVolumeClaims, and the number of any other objects.
"""

from __future__ import annotations

from typing import Any

from hearth.cluster.model.objects import Object
from hearth.cluster.quota.amounts import ONE, ZERO, Amounts, parse_amounts, plus, pod_amounts
from hearth.kube.clock import parse_rfc3339
from hearth.kube.quantity import Quantity

PODS, SERVICES, CLAIMS = "pods", "services", "persistentvolumeclaims"
_COUNT = "count/"
_BY_CLASS = ".storageclass.storage.k8s.io/"
_OF_CLAIMS = (CLAIMS, "requests.storage")
_OF_SERVICES = (SERVICES, "services.nodeports", "services.loadbalancers")
_COUNTED_BY_NAME = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
_NATIVE = ("cpu", "memory", "ephemeral-storage")
IGNORED = ("events", "events.events.k8s.io")
"""Resources that no quota counts."""
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def resource_of(name: str) -> str:
    """The resource (``PLURAL.GROUP``) whose objects a name in ``hard`` is about."""
    if name.startswith(_COUNT):
        return name.removeprefix(_COUNT)
    if name in _OF_SERVICES:
        return SERVICES
    if name in _OF_CLAIMS or name.rpartition(_BY_CLASS)[2] in _OF_CLAIMS:
        return CLAIMS
    return name if name in _COUNTED_BY_NAME else PODS


def usage_of(resource: str, obj: Object, now: float) -> Amounts:
    """What an object of a resource counts for."""
    if resource == PODS:
        return _pod(obj, now)
    counted: dict[str, Quantity] = {_COUNT + resource: ONE}
    if resource == SERVICES:
        return counted | _service(obj.get("spec") or {})
    if resource == CLAIMS:
        return counted | _claim(obj)
    return counted | ({resource: ONE} if resource in _COUNTED_BY_NAME else {})


def is_terminating(pod: Object) -> bool:
    """Whether a pod has a deadline; what the scope of that name is about."""
    deadline = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    return deadline is not None and int(deadline) >= 0


def is_charged(resource: str, operation: str, new: Object, old: Object | None) -> bool:
    """Whether a write of the object itself can use more, so that quotas are asked."""
    if operation == "CREATE":
        return resource not in IGNORED
    if operation != "UPDATE" or old is None:
        return False
    if resource == PODS:
        return is_terminating(new) != is_terminating(old)
    return resource in (SERVICES, CLAIMS)


def _pod(pod: Object, now: float) -> Amounts:
    """A pod that has ended, or should have by now, counts as an object alone."""
    counted: dict[str, Quantity] = {_COUNT + PODS: ONE}
    if _has_ended(pod, now):
        return counted
    spec = pod.get("spec") or {}
    overhead = parse_amounts(spec.get("overhead"))
    limits = pod_amounts(spec, "limits")
    limits = plus(limits, {k: v for k, v in overhead.items() if k in limits and limits[k].amount})
    counted |= compute_usage(plus(pod_amounts(spec, "requests"), overhead), limits)
    return counted | {PODS: ONE}


def _has_ended(pod: Object, now: float) -> bool:
    metadata = pod["metadata"]
    if (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return True
    grace = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in metadata or grace is None:
        return False
    return bool(now > parse_rfc3339(metadata["deletionTimestamp"]) + grace)


def compute_usage(requests: Amounts, limits: Amounts) -> dict[str, Quantity]:
    """Requests and limits under the names that quotas have for them."""
    used: dict[str, Quantity] = {}
    for name, quantity in requests.items():
        used[f"requests.{name}"] = quantity
        if name in _NATIVE or name.startswith("hugepages-"):
            used[name] = quantity
    for name, quantity in limits.items():
        if name in _NATIVE:
            used[f"limits.{name}"] = quantity
    return used


def _service(spec: dict[str, Any]) -> dict[str, Quantity]:
    ports, kind = spec.get("ports") or [], spec.get("type")
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    node_ports = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    return {
        SERVICES: ONE,
        "services.loadbalancers": ONE if kind == "LoadBalancer" else ZERO,
        "services.nodeports": Quantity(ONE.amount * node_ports),
    }


def _claim(claim: Object) -> dict[str, Quantity]:
    spec = claim.get("spec") or {}
    storage = parse_amounts((spec.get("resources") or {}).get("requests")).get("storage")
    used = {CLAIMS: ONE}
    if storage is not None:
        used["requests.storage"] = Quantity(ONE.amount * storage.value, storage.family)
    annotations = claim["metadata"].get("annotations") or {}
    storage_class = annotations.get(_CLASS_ANNOTATION) or spec.get("storageClassName")
    if storage_class:
        used |= {f"{storage_class}{_BY_CLASS}{name}": amount for name, amount in used.items()}
    return used
