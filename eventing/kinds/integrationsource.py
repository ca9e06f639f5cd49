"""IntegrationSource: a ContainerSource whose container is our adapter. ``reconcile`` is pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.apiserveradapter import CONFIG
from eventing.api.integrationevents import connector_of
from eventing.api.observability import told
from eventing.api.views import spec_of, status_of
from eventing.kinds.adapters import ADAPTER_LABEL, adapter_pod
from eventing.kinds.awspods import account_of, credentials, service_config
from eventing.kinds.children import head
from eventing.kinds.containersource import CONTAINERSOURCE_SOURCE
from eventing.kinds.lastwords import ADAPTER_FAILED, ADAPTER_PODS, last_words, pods_of
from eventing.kinds.positions import (
    Kept,
    ensured_position,
    kept_of,
    position_name,
)
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import SOURCE_FIELDS, status_updates
from eventing.kinds.workloads import covers
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.names import child_name
from hearth.knative.resources import CONTAINERSOURCES, INTEGRATIONSOURCES
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, name
from hearth.kube.plan import Action, Create, Event, Plan, Update

CONTAINER_SOURCE_READY = "ContainerSourceReady"
CONDITIONS = ConditionSet(keys.READY, (CONTAINER_SOURCE_READY,))
NAME = "integrationsource"
COMPONENT = "integrationsource"
INTEGRATIONSOURCE_SOURCE = Source(INTEGRATIONSOURCES)
_OF_CONTAINER_SOURCE = "sources.knative.dev/containerSource"
"""The label that pods of a ContainerSource have, with its name."""


@dataclass(frozen=True, slots=True)
class Observed:
    """An IntegrationSource, and the ContainerSource that does its work."""

    source: Object
    container_source: Object | None
    pods: Sequence[Object] = ()
    """Of its adapter."""
    position: Kept = field(default_factory=Kept)
    """Where the adapter keeps how far it has read a stream."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read an IntegrationSource and what was made for it."""
    source = lister.get(INTEGRATIONSOURCE_SOURCE, *key)
    if source is None or meta.is_deleting(source):
        return None
    child = child_of(key)
    pods = pods_of(lister, key[0], {_OF_CONTAINER_SOURCE: child})
    made = lister.get(CONTAINERSOURCE_SOURCE, key[0], child)
    kept = kept_of(references.lookup(Referrer(NAME, key)), key) if _has_stream(source) else Kept()
    return Observed(source, made, pods, kept)


def child_of(source: Key) -> str:
    """Return the name of the ContainerSource."""
    return child_name(source[1], "-containersource")


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Keep the ContainerSource, and tell how it is."""
    source = observed.source

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _take_over(observed, status, conditions)

    updates = status_updates(INTEGRATIONSOURCES, source, CONDITIONS, decide, now=now)
    kept = (*_position(observed), *_kept(observed, make_child(source, settings)))
    return Plan(kept, then=updates)


def _position(observed: Observed) -> tuple[Action, ...]:
    if not _has_stream(observed.source):
        return ()
    aws: Mapping[str, Any] = spec_of(observed.source)["aws"]
    return ensured_position(observed.source, observed.position, account_of(aws))


def _has_stream(source: Object) -> bool:
    return (spec_of(source).get("aws") or {}).get("ddbStreams") is not None


def make_child(source: Object, settings: ControlSettings) -> Object:
    """Return the ContainerSource, as admission would leave it."""
    spec = spec_of(source)
    aws: Mapping[str, Any] = spec.get("aws") or {}
    config = json.dumps(_config(source), separators=(",", ":"))
    template: dict[str, Any] = spec.get("template") or {}
    pod = adapter_pod(
        settings.adapters,
        component=COMPONENT,
        account=account_of(aws),
        env=({"name": CONFIG, "value": config}, *credentials(aws), *told(settings.tracing)),
        pod={k: v for k, v in (template.get("spec") or {}).items() if k != "containers"},
    )
    metadata: Mapping[str, Any] = template.get("metadata") or {}
    labels = {
        **(metadata.get("labels") or {}),
        "app.kubernetes.io/name": name(source),
        ADAPTER_LABEL: COMPONENT,
    }
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


def _config(source: Object) -> dict[str, Any]:
    """What the adapter is to do, and since when it was asked to."""
    spec = spec_of(source)
    if spec.get("timer") is not None or not spec.get("aws"):
        return {"timer": spec.get("timer")}
    told = service_config(spec["aws"])
    if told.get("ddbStreams") is not None:
        told["made"] = parse_rfc3339(meta.creation_timestamp(source))
        told["position"] = position_name(meta.key(source))
    return {"aws": told}


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


def _take_over(observed: Observed, status: dict[str, Any], conditions: ConditionManager) -> None:
    """Sink and readiness are those of the ContainerSource; why it is not ready its pod may say."""
    source, child = observed.source, observed.container_source
    if child is not None and not meta.is_controlled_by(child, source):
        text = f'ContainerSource "{name(child)}" is not owned by IntegrationSource "{name(source)}"'
        conditions.mark_false(CONTAINER_SOURCE_READY, "NotOwned", text)
        return
    told = status_of(child or {})
    for each in SOURCE_FIELDS:
        status.pop(each, None)
        if each in told:
            status[each] = told[each]
    connector = connector_of(spec_of(source))
    if connector is not None:
        status["ceAttributes"] = [{"type": connector.type, "source": connector.source}]
    ready = Conditions.of(child or {}).get(keys.READY)
    if ready is not None and ready["status"] == "True":
        conditions.mark_true(CONTAINER_SOURCE_READY)
    elif words := last_words(observed.pods):
        conditions.mark_false(CONTAINER_SOURCE_READY, ADAPTER_FAILED, words)
    else:
        conditions.propagate(CONTAINER_SOURCE_READY, ready)


def _of_pod(_lister: Lister, pod: Object) -> Iterator[Key]:
    """The source whose adapter a pod runs."""
    child, suffix = meta.labels(pod).get(_OF_CONTAINER_SOURCE, ""), "-containersource"
    title = meta.labels(pod).get("app.kubernetes.io/name", "")
    if title and child == child_name(title, suffix):
        yield meta.namespace(pod), title


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps IntegrationSources."""
    return ControllerSpec(
        NAME,
        INTEGRATIONSOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(CONTAINERSOURCE_SOURCE, owner_key(INTEGRATIONSOURCES)),
            Watch(ADAPTER_PODS, _of_pod),
        ),
    )
