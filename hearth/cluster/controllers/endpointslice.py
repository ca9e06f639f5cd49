"""EndpointSlices of a Service: the addresses and ports of its pods. Pure.

Pods on one machine share an address and differ in their ports, which the node chooses; so each
distinct set of ports becomes a slice of its own. Elsewhere every pod has the declared ports and
there is one set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.controllers import sources
from hearth.cluster.controllers.pacing import DELAY_SECONDS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Index, Lister, Watch
from hearth.kube.meta import Key, Object
from hearth.kube.names import random_suffix
from hearth.kube.plan import Action, Create, Delete, Plan, Update
from hearth.kube.resources import ENDPOINTSLICES
from hearth.kube.serviceports import PORTS_ANNOTATION, port_behind
from hearth.kube.views import Pod

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100

Ports = tuple[tuple[str, int, str, str], ...]
"""Name, number, protocol and application protocol of each port."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Service."""

    service: Object
    pods: Sequence[Object]
    """Those that the Service's selector matches."""
    slices: Sequence[Object]
    """Those this controller made for the Service."""


def _selector_clause(service: Object) -> Iterator[str]:
    """One clause of the selector finds the candidates among many Services."""
    selector = service["spec"].get("selector") or {}
    if selector:
        yield sources.clause(meta.namespace(service), *min(selector.items()))


def _service_of(endpoint_slice: Object) -> Iterator[str]:
    carried = meta.labels(endpoint_slice)
    if carried.get(SERVICE_NAME) and carried.get(MANAGED_BY) == MANAGER:
        yield f"{meta.namespace(endpoint_slice)}/{carried[SERVICE_NAME]}"


_SERVICES_BY_SELECTOR = Index(sources.SERVICES, _selector_clause)
_SLICES_BY_SERVICE = Index(sources.ENDPOINTSLICES, _service_of)


def _services_of_pod(lister: Lister, pod: Object) -> Iterator[Key]:
    labels = meta.labels(pod).items()
    for clause in sources.clauses_of(pod):
        for service in lister.by_index(_SERVICES_BY_SELECTOR, clause):
            if service["spec"]["selector"].items() <= labels:
                yield meta.key(service)


def _services_of_slice(_lister: Lister, endpoint_slice: Object) -> Iterator[Key]:
    for text in _service_of(endpoint_slice):
        namespace, _, name = text.partition("/")
        yield namespace, name


def _is_shown_otherwise(old: Object, new: Object) -> bool:
    """Whether slices may say something else of a pod; its containers' names and ports stay."""
    return _shown(old) != _shown(new)


def _shown(pod: Object) -> tuple[object, ...]:
    view, metadata = Pod(pod), meta.metadata(pod)
    return (
        view.ip,
        view.node_name,
        view.is_ready,
        view.is_finished,
        meta.labels(pod),
        metadata.get("deletionTimestamp"),
        meta.annotations(pod).get(PORTS_ANNOTATION),
    )


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the Service up, the pods its selector matches and the slices made for it."""
    service = lister.get(sources.SERVICES, *key)
    if service is None:
        return None
    selector = service["spec"].get("selector") or {}
    matched = [
        pod
        for clause in _selector_clause(service)
        for pod in lister.by_index(sources.PODS_BY_CLAUSE, clause)
        if selector.items() <= meta.labels(pod).items()
    ]
    return Observed(service, matched, lister.by_index(_SLICES_BY_SERVICE, meta.key_text(key)))


def reconcile(observed: Observed) -> Plan:
    """Make the slices what the pods ask for."""
    missing = {meta.name(s): s for s in make_slices(observed.service, observed.pods)}
    actions: list[Action] = []
    for known in observed.slices:
        desired = missing.pop(meta.name(known), None)
        if desired is None:
            actions.append(Delete(ENDPOINTSLICES, meta.namespace(known), meta.name(known)))
        elif _differs(known, desired):
            can_wait = not _differs(_of_ready(known), _of_ready(desired))
            actions.append(Update(ENDPOINTSLICES, _updated(known, desired), can_wait))
    actions += [
        Create(ENDPOINTSLICES, desired, can_wait=not _of_ready(desired)["endpoints"])
        for desired in missing.values()
    ]
    return Plan(tuple(actions))


def _differs(known: Object, desired: Object) -> bool:
    return any(known.get(field) != desired[field] for field in ("endpoints", "ports"))


def _of_ready(endpoint_slice: Object) -> Object:
    """Leave out where nobody sends requests to: it will be ready or gone in a moment."""
    ready = [e for e in endpoint_slice["endpoints"] or () if e["conditions"].get("ready")]
    return {**endpoint_slice, "endpoints": ready}


def _updated(known: Object, desired: Object) -> Object:
    return {**known, "endpoints": desired["endpoints"], "ports": desired["ports"]}


def make_slices(service: Object, matched: Sequence[Object]) -> list[Object]:
    """Return the slices a Service should have; one without a selector gets none from here."""
    if not service["spec"].get("selector") or meta.is_deleting(service):
        return []
    groups: dict[Ports, list[Object]] = {}
    for pod in sorted(matched, key=meta.name):
        view = Pod(pod)
        if view.ip and not view.is_finished:
            groups.setdefault(_ports(service, pod), []).append(pod)
    slices = []
    for ports, members in sorted(groups.items()):
        for number, start in enumerate(range(0, len(members), MAX_ENDPOINTS)):
            chunk = members[start : start + MAX_ENDPOINTS]
            slices.append(_slice(service, ports, chunk, number=number))
    return slices


def _slice(service: Object, ports: Ports, members: Sequence[Object], *, number: int) -> Object:
    unique = json.dumps([meta.uid(service), ports, number]).encode()
    suffix = random_suffix(list(hashlib.sha256(unique).digest()[:5]))
    carried = {k: v for k, v in meta.labels(service).items() if k != SERVICE_NAME}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta.name(service)[:57]}-{suffix}",
            "namespace": meta.namespace(service),
            "labels": carried | {MANAGED_BY: MANAGER, SERVICE_NAME: meta.name(service)},
            "ownerReferences": [meta.owner_reference(service)],
        },
        "addressType": "IPv4",
        "ports": [_port_object(*port) for port in ports],
        "endpoints": [_endpoint(service, pod) for pod in members],
    }


def _port_object(name: str, number: int, protocol: str, application: str) -> dict[str, Any]:
    port: dict[str, Any] = {"name": name, "port": number, "protocol": protocol}
    return port | ({"appProtocol": application} if application else {})


def _endpoint(service: Object, pod: Object) -> dict[str, Any]:
    view = Pod(pod)
    serving, terminating = view.is_ready, meta.is_deleting(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: dict[str, Any] = {
        "addresses": [view.ip],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "name": meta.name(pod),
            "namespace": meta.namespace(pod),
            "uid": meta.uid(pod),
        },
    }
    if view.node_name:
        endpoint["nodeName"] = view.node_name
    return endpoint


def _ports(service: Object, pod: Object) -> Ports:
    """Return the Service's ports on one pod; a named target port the pod lacks is left out."""
    ports = []
    for port in service["spec"].get("ports") or ():
        number = port_behind(port, pod)
        if number is not None:
            protocol, application = port.get("protocol", "TCP"), port.get("appProtocol", "")
            ports.append((port.get("name", ""), number, protocol, application))
    return tuple(ports)


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "endpointslice",
    sources.SERVICES,
    observe,
    lambda observed, *, settings, now: reconcile(observed),
    watches=(
        Watch(sources.PODS, _services_of_pod, when=_is_shown_otherwise),
        Watch(sources.ENDPOINTSLICES, _services_of_slice, is_own=True),
    ),
    indexes=(_SERVICES_BY_SELECTOR, _SLICES_BY_SERVICE, sources.PODS_BY_CLAUSE),
    delay_seconds=DELAY_SECONDS,
    field_manager="endpointslice-controller",
)
