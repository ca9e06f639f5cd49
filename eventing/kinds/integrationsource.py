"""IntegrationSource: a ContainerSource whose container is Hearth's adapter. ``reconcile`` is pure.

Its timer works; services of AWS do not, and its condition says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.apiserveradapter import CONFIG
from eventing.api.timerevents import SOURCE, TYPE
from eventing.api.views import spec_of, status_of
from eventing.kinds.adapters import adapter_pod
from eventing.kinds.children import head
from eventing.kinds.containersource import CONTAINERSOURCE_SOURCE
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import SOURCE_FIELDS, status_updates
from eventing.kinds.workloads import covers
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.names import child_name
from hearth.knative.resources import CONTAINERSOURCES, INTEGRATIONSOURCES
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, name
from hearth.kube.plan import Action, Create, Event, Plan, Update

CONTAINER_SOURCE_READY = "ContainerSourceReady"
CONDITIONS = ConditionSet(keys.READY, (CONTAINER_SOURCE_READY,))
NAME = "integrationsource"
COMPONENT = "integrationsource"
INTEGRATIONSOURCE_SOURCE = Source(INTEGRATIONSOURCES)
_NOT_SERVED = "sources of AWS are not served here, a timer is"


@dataclass(frozen=True, slots=True)
class Observed:
    """An IntegrationSource, and the ContainerSource that does its work."""

    source: Object
    container_source: Object | None


def observe(lister: Lister, key: Key) -> Observed | None:
    """Read an IntegrationSource and what was made for it."""
    source = lister.get(INTEGRATIONSOURCE_SOURCE, *key)
    if source is None or meta.is_deleting(source):
        return None
    return Observed(source, lister.get(CONTAINERSOURCE_SOURCE, key[0], child_of(key)))


def child_of(source: Key) -> str:
    """Return the name of the ContainerSource."""
    return child_name(source[1], "-containersource")


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Keep the ContainerSource, and tell how it is."""
    source = observed.source
    is_served = spec_of(source).get("timer") is not None
    kept = _kept(observed, make_child(source, settings)) if is_served else ()

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        if is_served:
            _take_over(source, observed.container_source, status, conditions)
        else:
            conditions.mark_false(CONTAINER_SOURCE_READY, "NotSupported", _NOT_SERVED)

    updates = status_updates(INTEGRATIONSOURCES, source, CONDITIONS, decide, now=now)
    return Plan(kept, then=updates)


def make_child(source: Object, settings: ControlSettings) -> Object:
    """Return the ContainerSource, as admission would leave it."""
    spec = spec_of(source)
    config = json.dumps({"timer": spec.get("timer")}, separators=(",", ":"))
    template: dict[str, Any] = spec.get("template") or {}
    pod = adapter_pod(
        settings.adapters,
        component=COMPONENT,
        account="",
        env=({"name": CONFIG, "value": config},),
        pod={k: v for k, v in (template.get("spec") or {}).items() if k != "containers"},
    )
    metadata: Mapping[str, Any] = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), "app.kubernetes.io/name": name(source)}
    sink = dict(spec.get("sink") or {})
    if sink.get("ref") and not sink["ref"].get("namespace"):
        sink["ref"] = {**sink["ref"], "namespace": meta.namespace(source)}
    overrides = {"ceOverrides": spec["ceOverrides"]} if spec.get("ceOverrides") else {}
    return {
        "apiVersion": CONTAINERSOURCES.api_version,
        "kind": CONTAINERSOURCES.kind,
        "metadata": {
            **head(source, child_of(meta.key(source))),
            "labels": {"app.kubernetes.io/name": name(source)},
        },
        "spec": {
            "sink": sink,
            **overrides,
            "template": {"metadata": {**metadata, "labels": labels}, "spec": pod},
        },
    }


def _kept(observed: Observed, desired: Object) -> tuple[Action, ...]:
    source, existing = observed.source, observed.container_source
    if existing is None:
        text = f'ContainerSource created "{name(desired)}"'
        told = Event(source, "Normal", "ContainerSourceCreated", text)
        return Create(CONTAINERSOURCES, desired), told
    if not meta.is_controlled_by(existing, source) or covers(spec_of(existing), desired["spec"]):
        return ()
    text = f'ContainerSource updated "{name(desired)}"'
    told = Event(source, "Normal", "ContainerSourceUpdated", text)
    return Update(CONTAINERSOURCES, {**existing, "spec": desired["spec"]}), told


def _take_over(
    source: Object, child: Object | None, status: dict[str, Any], conditions: ConditionManager
) -> None:
    """Sink and readiness are those of the ContainerSource."""
    if child is not None and not meta.is_controlled_by(child, source):
        text = f'ContainerSource "{name(child)}" is not owned by IntegrationSource "{name(source)}"'
        conditions.mark_false(CONTAINER_SOURCE_READY, "NotOwned", text)
        return
    told = status_of(child or {})
    for field in SOURCE_FIELDS:
        status.pop(field, None)
        if field in told:
            status[field] = told[field]
    status["ceAttributes"] = [{"type": TYPE, "source": SOURCE}]
    ready = Conditions.of(child or {}).get(keys.READY)
    if ready is not None and ready["status"] == "True":
        conditions.mark_true(CONTAINER_SOURCE_READY)
    else:
        conditions.propagate(CONTAINER_SOURCE_READY, ready)


def controller(_references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps IntegrationSources."""
    return ControllerSpec(
        NAME,
        INTEGRATIONSOURCE_SOURCE,
        observe,
        reconcile,
        watches=(Watch(CONTAINERSOURCE_SOURCE, owner_key(INTEGRATIONSOURCES)),),
    )
