"""From EndpointSlices, or from the pods themselves, to addresses with a state. Pure.

Called when one of them or their Service changes. Slices are written after the pods they tell of,
so where the pods of a Service are watched, they have the word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from activator.pods import Address
from activator.probing import ProbeSpec, probe_of_pod
from hearth.kube.meta import Object, is_deleting, labels, metadata, name, namespace
from hearth.kube.serviceports import PORTS_ANNOTATION, declared_behind, port_behind
from hearth.kube.views import Pod
from serving.api.keys import REVISION_UID


class State(Enum):
    """What is said of an endpoint."""

    READY = "ready"
    # An address and a port are known, so the activator may probe it by itself.
    NOT_READY = "not ready"
    # Still finishing what it has; gets nothing new.
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address behind a port of a Service, and the name of its pod."""

    address: Address
    state: State
    pod: str = ""
    # Its port is for HTTP/2 without TLS; None: to be found out.
    speaks_http2: bool | None = False
    # It speaks TLS, and has to show that this is its name.
    tls_name: str = ""
    # How to see that it is ready; None: as its target says.
    probe: ProbeSpec | None = None


# When a pod is listed twice (an old and a new slice for a moment), the more careful word counts.
_CAUTION = {State.READY: 0, State.NOT_READY: 1, State.TERMINATING: 2}
_USUAL_PORT_NAMES = ("http", "http1", "h2c", "")
# Kubernetes' name for it, and the port names that net-kourier goes by.
_APP_PROTOCOL = "kubernetes.io/h2c"
_HTTP2_PORT_NAMES = frozenset(("http2", "h2c"))
# The standard name for HTTP over TLS, as other gateways take it.
_TLS_APP_PROTOCOL = "https"


def endpoints_of(
    slices: Iterable[Object], service: Object, port: int | str
) -> dict[Address, Endpoint]:
    """Every endpoint behind one port of a Service, by address, as its slices have it.

    The Service may be empty: not seen yet.
    """
    entry = _port_entry(service, port)
    name = None if entry is None else str(entry.get("name") or "")
    endpoints: dict[Address, Endpoint] = {}
    for item in _of_first_family(slices, service):
        found = _slice_port(item, name, port)
        number = None if found is None else found.get("port")
        if found is None or number is None:
            continue
        is_http2, tls_name = _is_http2(entry or found), _tls_name(entry or found, service)
        for endpoint in item.get("endpoints") or ():
            for address in (endpoint.get("addresses") or ())[:1]:
                at, state = (address, number), _state(endpoint)
                _add(endpoints, Endpoint(at, state, _pod_name(endpoint), is_http2, tls_name))
    return endpoints


def endpoints_of_pods(
    pods: Iterable[Object], service: Object, port: int | str, *, has_probes: bool = False
) -> dict[Address, Endpoint]:
    """Every endpoint behind one port of a Service, by address, as its pods have it.

    With ``has_probes`` they say as well how to see that they are ready.
    """
    spec, endpoints = service["spec"], dict[Address, Endpoint]()
    entry = _port_entry(service, port)
    for pod in pods:
        view = Pod(pod)
        if entry is None or not view.ip or view.is_finished or not selects(service, pod):
            continue
        number = port_behind(entry, pod)
        if number is not None:
            ready = view.is_ready or bool(spec.get("publishNotReadyAddresses"))
            state = State.READY if ready else State.NOT_READY
            state = State.TERMINATING if is_deleting(pod) else state
            is_http2, tls_name = _is_http2(entry), _tls_name(entry, service)
            probe = _probe(pod, entry) if has_probes else None
            at = (view.ip, number)
            _add(endpoints, Endpoint(at, state, name(pod), is_http2, tls_name, probe))
    return endpoints


def selects(service: Object, pod: Object) -> bool:
    """Whether a pod is behind a Service; one of a revision by that alone.

    What else such a Service selects by says what its EndpointSlices show.
    """
    chosen, carried = service["spec"].get("selector") or {}, labels(pod)
    revision = chosen.get(REVISION_UID)
    if revision is not None:
        return bool(carried.get(REVISION_UID) == revision)
    return bool(chosen) and all(carried.get(k) == v for k, v in chosen.items())


def _probe(pod: Object, entry: Object) -> ProbeSpec:
    return probe_of_pod(pod["spec"], declared_behind(entry, pod) or 0)


def trimmed(pod: Object) -> Object:
    """What ``endpoints_of_pods`` reads of a pod: a tenth of it, and every activator holds all."""
    return _trimmed(pod, {"containers": _only(pod, "containers", "ports")})


def trimmed_with_probes(pod: Object) -> Object:
    """The same of a pod that says how to see that it is ready."""
    probes = ("readinessProbe", "startupProbe")
    spec = {"containers": _only(pod, "containers", "ports", *probes)}
    sidecars = [each for each in _only(pod, "initContainers", *probes) if any(each.values())]
    gates = (pod.get("spec") or {}).get("readinessGates")
    return _trimmed(
        pod,
        spec
        | ({"initContainers": sidecars} if sidecars else {})
        | ({"readinessGates": gates} if gates else {}),
    )


def _only(pod: Object, group: str, *fields: str) -> list[Object]:
    containers = (pod.get("spec") or {}).get(group) or ()
    return [{field: each.get(field) for field in fields} for each in containers]


def _trimmed(pod: Object, spec: Object) -> Object:
    keep = ("name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp")
    about = {field: value for field, value in metadata(pod).items() if field in keep}
    ports = (metadata(pod).get("annotations") or {}).get(PORTS_ANNOTATION)
    if ports is not None:
        about["annotations"] = {PORTS_ANNOTATION: ports}
    status = pod.get("status") or {}
    ready = [c for c in status.get("conditions") or () if c["type"] == "Ready"]
    return {
        "metadata": about,
        "spec": spec,
        "status": {"phase": status.get("phase"), "podIP": status.get("podIP"), "conditions": ready},
    }


def addresses_of(slices: Iterable[Object], like: Address) -> frozenset[str]:
    """Every ``host:port`` behind a headless Service of one port, ready or not.

    Those of the family of ``like``, whose port is meant where a slice names none.
    """
    host, usual_port = like
    found: set[str] = set()
    for item in slices:
        numbers = [port.get("port") for port in item.get("ports") or ()] or [None]
        for endpoint in item.get("endpoints") or ():
            for address in (endpoint.get("addresses") or ())[:1]:
                if (":" in address) != (":" in host):
                    continue
                found |= {f"{address}:{number or usual_port}" for number in numbers}
    return frozenset(found)


def _of_first_family(slices: Iterable[Object], service: Object) -> list[Object]:
    """A Service of two address families has every pod twice; its first family tells all of them."""
    every = list(slices)
    families = (service.get("spec") or {}).get("ipFamilies") or ()
    first = [item for item in every if item.get("addressType") in families[:1]]
    return first or every


def _port_entry(service: Object, port: int | str) -> Object | None:
    """The port of a Service that is given by number or name."""
    for entry in (service.get("spec") or {}).get("ports") or ():
        if entry.get("port") == port or (isinstance(port, str) and entry.get("name") == port):
            return dict(entry)
    return None


def _is_http2(port: Object) -> bool:
    """Whether a port of a Service or of a slice is for HTTP/2 without TLS."""
    said = port.get("appProtocol")
    return said == _APP_PROTOCOL if said else port.get("name") in _HTTP2_PORT_NAMES


def _tls_name(port: Mapping[str, Any], service: Object) -> str:
    """The name that an application has to show where its port is for TLS; "" where it is not."""
    if port.get("appProtocol") != _TLS_APP_PROTOCOL or not service:
        return ""
    return f"{name(service)}.{namespace(service)}.svc"


def _slice_port(item: Object, name: str | None, port: int | str) -> Object | None:
    ports: dict[str, Object] = {
        str(entry.get("name") or ""): entry for entry in item.get("ports") or ()
    }
    if name is not None:
        return ports.get(name)
    if isinstance(port, str) and port in ports:
        return ports[port]
    # The Service itself has not been seen yet: a single port or the usual names leave no doubt.
    if len(ports) == 1:
        return next(iter(ports.values()))
    return next((ports[usual] for usual in _USUAL_PORT_NAMES if usual in ports), None)


def _state(endpoint: Object) -> State:
    conditions = endpoint.get("conditions") or {}
    if conditions.get("terminating"):
        return State.TERMINATING
    # An absent "ready" means ready (discovery/v1: consumers interpret nil as true).
    return State.NOT_READY if conditions.get("ready") is False else State.READY


def _pod_name(endpoint: Object) -> str:
    return str((endpoint.get("targetRef") or {}).get("name") or "")


def _add(endpoints: dict[Address, Endpoint], endpoint: Endpoint) -> None:
    other = endpoints.get(endpoint.address)
    if other is None or (
        other.pod == endpoint.pod and _CAUTION[other.state] < _CAUTION[endpoint.state]
    ):
        endpoints[endpoint.address] = endpoint
    elif other.pod != endpoint.pod and _CAUTION[other.state] > _CAUTION[endpoint.state]:
        # Two pods at one address: the port of a dead one was given to a new one.
        endpoints[endpoint.address] = endpoint
