"""Whether activators are meant to be in a revision's path, and what shows it. Pure.

Requests go through the activator in any case. What Knative decides by target burst capacity is
shown: the mode and the number in the PodAutoscaler's status, from where ServerlessServices are read
(``serving.api.serverless``), and, of a revision whose annotations ask for a target burst capacity,
the endpoints of its public Service: activators' while capacity for a burst is missing, else the
pods'. The other revisions cost nothing for it: their public Service leads to their pods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace, owner_reference
from hearth.kube.plan import Action, Create, Delete, Update
from hearth.kube.resources import ENDPOINTSLICES
from serving.api import keys, views
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.serverless import LEAST_ACTIVATORS, MODE_PROXY, MODE_SERVE
from serving.autoscaler.spec import decider_spec
from serving.kinds.ports import SERVICE_PORTS

_KNATIVES_OWN = AutoscalerConfig()
_OF_METRIC = ("stable_window", "panic_window_percentage", "target_burst_capacity")
_OF_BURST = ("target_burst_capacity", "activator_capacity")
NOBODY = {f"{keys.NETWORKING_INTERNAL_GROUP}/mode": MODE_PROXY}
"""In the selector of a public Service: no pod has it, so what is written here is all there is."""


def asks_for_burst(podautoscaler: Object) -> bool:
    """Whether the endpoints of its public Service are to tell the mode."""
    return keys.TARGET_BURST_CAPACITY.find(meta.annotations(podautoscaler)) is not None


def mode_of(podautoscaler: Object, *, desired: int, excess: int) -> str:
    """Return Serve while there are to be pods, with capacity enough for a burst.

    Before anything was decided the mode stays: an autoscaler that starts changes nothing.
    """
    if desired < 0:
        told = views.PodAutoscaler(podautoscaler).status.get("annotations") or {}
        return MODE_SERVE if told.get(keys.ACTIVATORS, "").startswith(MODE_SERVE) else MODE_PROXY
    return MODE_SERVE if desired > 0 and excess >= 0 else MODE_PROXY


def activators_text(
    podautoscaler: Object, mode: str, ready: int, config: AutoscalerConfig
) -> str | None:
    """Return what the status says of mode and number; None where it is as for everybody."""
    is_usual = mode == MODE_PROXY and not asks_for_burst(podautoscaler)
    if is_usual and _is_knatives(config, _OF_BURST):
        return None
    spec = decider_spec(podautoscaler, config)
    burst, cover = spec.target_burst_capacity, ready * spec.total
    wanted = 0.0 if burst == 0 else (cover + max(burst, 0.0)) / config.activator_capacity
    return f"{mode} {max(LEAST_ACTIVATORS, math.ceil(wanted))}"


def averaged_text(podautoscaler: Object, config: AutoscalerConfig) -> str | None:
    """Return what the status says of the Metric; None where annotations alone say it."""
    if _is_knatives(config, _OF_METRIC):
        return None
    spec = decider_spec(podautoscaler, config)
    asked = "unasked" if spec.target_burst_capacity == -1 else "asked"
    return f"{round(spec.stable_window)} {round(spec.panic_window)} {asked}"


def _is_knatives(config: AutoscalerConfig, settings: tuple[str, ...]) -> bool:
    return all(getattr(config, each) == getattr(_KNATIVES_OWN, each) for each in settings)


def endpoint_actions(
    podautoscaler: Object, mode: str, *, activators: Sequence[Object], shown: Object | None
) -> tuple[Action, ...]:
    """Return what makes the endpoints of the public Service those of activators, or ours gone.

    Without an activator the pods' own are better than none: ``selector_of`` says the same.
    """
    desired = None
    if asks_for_burst(podautoscaler) and mode == MODE_PROXY and activators:
        desired = _slice(podautoscaler, activators)
    if desired is None:
        return () if shown is None else (Delete(ENDPOINTSLICES, namespace(shown), name(shown)),)
    if shown is None:
        return (Create(ENDPOINTSLICES, desired),)
    fields = ("endpoints", "ports")
    if all(desired[field] == shown.get(field) for field in fields):
        return ()
    return (Update(ENDPOINTSLICES, {**shown, **{field: desired[field] for field in fields}}),)


def slice_name(podautoscaler: Object) -> str:
    """Return the name of the EndpointSlice with activators."""
    return f"{name(podautoscaler)}-activators"


def _slice(podautoscaler: Object, activators: Sequence[Object]) -> Object:
    protocol = views.PodAutoscaler(podautoscaler).protocol
    title, _ = SERVICE_PORTS.get(protocol, SERVICE_PORTS[keys.PROTOCOL_HTTP1])
    first = activators[0]
    number = next((p["port"] for p in first.get("ports") or () if p.get("name") == title), 80)
    ready = [
        {key: endpoint[key] for key in ("addresses", "targetRef") if key in endpoint}
        for each in activators
        if each.get("addressType") == first.get("addressType")
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    ]
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": {
            "name": slice_name(podautoscaler),
            "namespace": namespace(podautoscaler),
            "labels": {
                "kubernetes.io/service-name": name(podautoscaler),
                "endpointslice.kubernetes.io/managed-by": "hearth-serving",
                keys.SERVERLESS_SERVICE: name(podautoscaler),
                keys.ACTIVATORS: "true",
            },
            "ownerReferences": [owner_reference(podautoscaler)],
        },
        "addressType": first.get("addressType", "IPv4"),
        "endpoints": [
            {**each, "conditions": {"ready": True}}
            for each in sorted(ready, key=lambda each: list(each["addresses"]))
        ],
        "ports": [{"name": title, "port": number, "protocol": "TCP"}],
    }
