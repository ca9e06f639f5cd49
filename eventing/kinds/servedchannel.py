"""Channels whose events we keep: their address, and whether events can be sent there. Pure.

Its address is the name of a Service, as in Knative, which leads to the ingress: by another name
where the ingress has one (in a cluster), by its address where it has that alone (on one machine).
The broker process says in the status that it takes events, and whom it delivers them to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.channelkinds import CHANNEL_KINDS, ChannelKind
from eventing.api.views import spec_of, status_annotation
from eventing.kinds.children import ensured, head
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import (
    mark_address,
    mark_dead_letter_sink,
    mark_policies,
    status_updates,
)
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Resolution
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.gotext import quote
from hearth.kube.meta import Key, Object, key, key_text, name
from hearth.kube.plan import Action, Plan
from hearth.kube.resources import ENDPOINTSLICES, SERVICES

_UNRESOLVED_SINK = "Unable to get the DeadLetterSink's URI"
_ROLE = "messaging.knative.dev/role"
_ROLES = f"{_ROLE} in ({','.join(kind.role for kind in CHANNEL_KINDS)})"
SERVICE_SOURCE = Source(SERVICES, label_selector=_ROLES)
SLICE_SOURCE = Source(ENDPOINTSLICES, label_selector=_ROLES)


@dataclass(frozen=True, slots=True)
class Observed:
    """The channel, what was made for it, and what it refers to."""

    kind: ChannelKind
    channel: Object
    service: Object | None
    endpoints: Object | None
    dead_letter_sink: Resolution | None
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(
    kind: ChannelKind, references: References, lister: Lister, channel_key: Key
) -> Observed | None:
    """Read a channel and its Service, and follow what it refers to."""
    lookup = references.lookup(Referrer(_title(kind), channel_key))
    channel = lister.get(kind.source, *channel_key)
    if channel is None or meta.is_deleting(channel):
        return None
    sink = (spec_of(channel).get("delivery") or {}).get("deadLetterSink")
    made = channel_key[0], kind.service_name(channel_key)
    return Observed(
        kind,
        channel,
        service=lister.get(SERVICE_SOURCE, *made),
        endpoints=lister.get(SLICE_SOURCE, *made),
        dead_letter_sink=lookup.resolve(sink, channel_key[0]) if sink else None,
        policies=policies_of(lister, kind.resource, channel),
        look_again=lookup.look_again,
    )


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """First what the address needs, then the status that tells of it."""
    kind, channel = observed.kind, observed.channel

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _mark_data_plane(kind, status, conditions)
        if other := _not_ours(observed):
            text = f"Channel Service failed: {other}"
            conditions.mark_false(keys.CHANNEL_SERVICE_READY, "ChannelServiceFailed", text)
        else:
            conditions.mark_true(keys.CHANNEL_SERVICE_READY)
        mark_dead_letter_sink(
            observed.dead_letter_sink, status, conditions, reason=_UNRESOLVED_SINK
        )
        where, title = key(channel)
        host = f"{kind.service_name((where, title))}.{where}.svc.{settings.cluster_domain}"
        path, url = f"/{kind.path}/{where}/{title}", f"http://{host}"
        mark_address(kind.resource, channel, status, conditions, settings, path=path, url=url)
        mark_policies(observed.policies, status, conditions, settings)

    depends = ConditionSet(keys.READY, kind.conditions)
    updates = status_updates(kind.resource, channel, depends, decide, now=now)
    children = () if _not_ours(observed) else _children(observed, settings)
    return Plan(children, then=updates, requeue_after=observed.look_again)


def _mark_data_plane(
    kind: ChannelKind, status: dict[str, Any], conditions: ConditionManager
) -> None:
    if kind.by_subscribers and _all_served(status):
        conditions.mark_true(kind.by_subscribers)
    elif kind.by_subscribers:
        text = "failed to reconcile consumer group"
        conditions.mark_unknown(kind.by_subscribers, "all subscribers not ready", text)
    opened = status_annotation({"status": status}, keys.OPENED_ANNOTATION)
    problem = status_annotation({"status": status}, keys.PROBLEM_ANNOTATION)
    for each in kind.by_log:
        if problem:
            conditions.mark_false(each, "LogFails" if opened else kind.problem, problem)
        elif opened:
            conditions.mark_true(each)
        else:
            text = "The event log of this channel has not been opened yet."
            conditions.mark_unknown(each, "LogNotOpen", text)


def _all_served(status: Mapping[str, Any]) -> bool:
    return all(each.get("ready") == "True" for each in status.get("subscribers") or ())


def _not_ours(observed: Observed) -> str:
    """What Knative says where a Service of the name stands for somebody else."""
    owner = meta.controller_of(observed.service) if observed.service else None
    if observed.service is None or (owner or {}).get("uid") == meta.uid(observed.channel):
        return ""
    of = f"{_title(observed.kind)}: {key_text(key(observed.channel))}"
    return f"{of} does not own Service: {quote(name(observed.service))}"


def _children(observed: Observed, settings: ControlSettings) -> tuple[Action, ...]:
    ingress = urlsplit(settings.ingress_url)
    host, port = ingress.hostname or "", ingress.port or 80
    service = _made(observed, "v1", "Service")
    if not _is_address(host):
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
        service["spec"] = {"type": "ExternalName", "externalName": host, "ports": ports}
        return ensured(SERVICES, service, observed.service)
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}]
    service["spec"] = {"ports": ports}
    endpoints = _endpoints(observed, host, port)
    return ensured(SERVICES, service, observed.service) + ensured(
        ENDPOINTSLICES, endpoints, observed.endpoints
    )


def _endpoints(observed: Observed, host: str, port: int) -> Object:
    made = _made(observed, "discovery.k8s.io/v1", "EndpointSlice")
    made["metadata"]["labels"]["kubernetes.io/service-name"] = name(made)
    ready = {"ready": True, "serving": True, "terminating": False}
    return made | {
        "addressType": "IPv6" if ":" in host else "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [host], "conditions": ready}],
    }


def _made(observed: Observed, api_version: str, kind: str) -> Object:
    channel = observed.channel
    metadata = head(channel, observed.kind.service_name(key(channel)))
    labels = {_ROLE: observed.kind.role}
    return {"apiVersion": api_version, "kind": kind, "metadata": {**metadata, "labels": labels}}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _title(kind: ChannelKind) -> str:
    return kind.resource.kind.lower()


def controller(
    kind: ChannelKind, references: References
) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the channels of a kind."""
    owner = owner_key(kind.resource)
    return ControllerSpec(
        _title(kind),
        kind.source,
        partial(observe, kind, references),
        reconcile,
        watches=(
            Watch(SERVICE_SOURCE, owner),
            Watch(SLICE_SOURCE, owner),
            policies_watch(kind.source),
        ),
    )
