"""InMemoryChannel: its address, and whether events can be sent to it. ``reconcile`` is pure.

Its address is the name of a Service, as in Knative, which leads to the ingress: by another name
where the ingress has one (in a cluster), by its address where it has that alone (on one machine).
The broker process says in the status that it takes events, and whom it delivers them to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.channelviews import INMEMORYCHANNEL_SOURCE, service_name
from eventing.api.sinkviews import path_of
from eventing.api.views import spec_of, status_annotation
from eventing.kinds.children import ensured
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
from hearth.knative.resources import CHANNELS, INMEMORYCHANNELS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, key, namespace, owner_reference
from hearth.kube.plan import Action, Plan
from hearth.kube.resources import ENDPOINTSLICES, SERVICES

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.SERVICE_READY,
        keys.ENDPOINTS_READY,
        keys.ADDRESSABLE,
        keys.CHANNEL_SERVICE_READY,
        keys.DEAD_LETTER_SINK_RESOLVED,
        keys.EVENT_POLICIES_READY,
    ),
)
NAME = "inmemorychannel"
_UNRESOLVED_SINK = "Unable to get the DeadLetterSink's URI"
_ROLE = {"messaging.knative.dev/role": "in-memory-channel"}
_SELECTOR = "messaging.knative.dev/role=in-memory-channel"
SERVICE_SOURCE = Source(SERVICES, label_selector=_SELECTOR)
SLICE_SOURCE = Source(ENDPOINTSLICES, label_selector=_SELECTOR)


@dataclass(frozen=True, slots=True)
class Observed:
    """The channel, what was made for it, and what it refers to."""

    channel: Object
    service: Object | None
    endpoints: Object | None
    dead_letter_sink: Resolution | None
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, channel_key: Key) -> Observed | None:
    """Read a channel and its Service, and follow what it refers to."""
    lookup = references.lookup(Referrer(NAME, channel_key))
    channel = lister.get(INMEMORYCHANNEL_SOURCE, *channel_key)
    if channel is None or meta.is_deleting(channel):
        return None
    sink = (spec_of(channel).get("delivery") or {}).get("deadLetterSink")
    made = channel_key[0], service_name(channel_key)
    return Observed(
        channel,
        service=lister.get(SERVICE_SOURCE, *made),
        endpoints=lister.get(SLICE_SOURCE, *made),
        dead_letter_sink=lookup.resolve(sink, channel_key[0]) if sink else None,
        policies=policies_of(lister, INMEMORYCHANNELS, channel),
        look_again=lookup.look_again,
    )


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """First what the address needs, then the status that tells of it."""
    channel = observed.channel

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _mark_data_plane(status, conditions)
        conditions.mark_true(keys.CHANNEL_SERVICE_READY)
        mark_dead_letter_sink(
            observed.dead_letter_sink, status, conditions, reason=_UNRESOLVED_SINK
        )
        host = f"{service_name(key(channel))}.{namespace(channel)}.svc.{settings.cluster_domain}"
        path, url = path_of(CHANNELS, channel), f"http://{host}"
        mark_address(INMEMORYCHANNELS, channel, status, conditions, settings, path=path, url=url)
        mark_policies(observed.policies, status, conditions, settings)

    updates = status_updates(INMEMORYCHANNELS, channel, CONDITIONS, decide, now=now)
    children = _children(observed, settings)
    return Plan(children, then=updates, requeue_after=observed.look_again)


def _mark_data_plane(status: dict[str, Any], conditions: ConditionManager) -> None:
    opened = status_annotation({"status": status}, keys.OPENED_ANNOTATION)
    for kind in (keys.DISPATCHER_READY, keys.SERVICE_READY, keys.ENDPOINTS_READY):
        if opened:
            conditions.mark_true(kind)
        else:
            conditions.mark_unknown(
                kind, "LogNotOpen", "The event log of this channel has not been opened yet."
            )


def _children(observed: Observed, settings: ControlSettings) -> tuple[Action, ...]:
    ingress = urlsplit(settings.ingress_url)
    host, port = ingress.hostname or "", ingress.port or 80
    service = _made(observed.channel, "v1", "Service")
    if not _is_address(host):
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
        service["spec"] = {"type": "ExternalName", "externalName": host, "ports": ports}
        return ensured(SERVICES, service, observed.service)
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}]
    service["spec"] = {"ports": ports}
    endpoints = _endpoints(observed.channel, host, port)
    return ensured(SERVICES, service, observed.service) + ensured(
        ENDPOINTSLICES, endpoints, observed.endpoints
    )


def _endpoints(channel: Object, host: str, port: int) -> Object:
    made = _made(channel, "discovery.k8s.io/v1", "EndpointSlice")
    made["metadata"]["labels"]["kubernetes.io/service-name"] = service_name(key(channel))
    ready = {"ready": True, "serving": True, "terminating": False}
    return made | {
        "addressType": "IPv6" if ":" in host else "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [host], "conditions": ready}],
    }


def _made(channel: Object, api_version: str, kind: str) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": service_name(key(channel)),
            "namespace": namespace(channel),
            "labels": dict(_ROLE),
            "ownerReferences": [owner_reference(channel)],
        },
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps InMemoryChannels."""
    owner = owner_key(INMEMORYCHANNELS)
    return ControllerSpec(
        NAME,
        INMEMORYCHANNEL_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(SERVICE_SOURCE, owner),
            Watch(SLICE_SOURCE, owner),
            policies_watch(INMEMORYCHANNEL_SOURCE),
        ),
    )
