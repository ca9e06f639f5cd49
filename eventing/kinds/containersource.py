"""ContainerSource: a Deployment of the user's pod, and the SinkBinding that tells it where to send.

``reconcile`` is pure. The Deployment is made once the sink is known, so that its first pod knows
it too; Knative makes it at once, and its pods a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds.binding import bind
from eventing.kinds.children import head
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.sinkbinding import SINKBINDING_SOURCE, known_bound
from eventing.kinds.statuses import SOURCE_FIELDS, status_updates
from eventing.kinds.trust import concerned
from eventing.kinds.workloads import kept_deployment, mark_deployment, mark_foreign
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.names import child_name
from hearth.knative.resources import CONTAINERSOURCES, SINKBINDINGS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Action, Create, Event, Plan, Update
from hearth.kube.resources import DEPLOYMENTS

SINK_BINDING_READY = "SinkBindingReady"
RECEIVE_ADAPTER_READY = "ReceiveAdapterReady"
CONDITIONS = ConditionSet(keys.READY, (SINK_BINDING_READY, RECEIVE_ADAPTER_READY))
NAME = "containersource"
KIND = CONTAINERSOURCES.kind
CONTAINERSOURCE_SOURCE = Source(CONTAINERSOURCES)


@dataclass(frozen=True, slots=True)
class Observed:
    """A ContainerSource and what was made for it."""

    source: Object
    binding: Object | None
    deployment: Object | None
    bundles: Sequence[str] = ()
    """The trust bundles in its namespace, which its SinkBinding lets its pods find."""


def deployment_name(source: Key) -> str:
    """Return the name of a source's Deployment."""
    return child_name(source[1], "-deployment")


def binding_name(source: Key) -> str:
    """Return the name of a source's SinkBinding."""
    return child_name(source[1], "-sinkbinding")


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a ContainerSource and its parts."""
    lookup = references.lookup(Referrer(NAME, key))
    source = lister.get(CONTAINERSOURCE_SOURCE, *key)
    if source is None or meta.is_deleting(source):
        return None
    made = Reference(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, key[0], deployment_name(key))
    deployment = lookup.get(made)
    return Observed(
        source,
        lister.get(SINKBINDING_SOURCE, key[0], binding_name(key)),
        None if isinstance(deployment, Unresolved) else deployment,
        sorted(map(name, lister.list(TRUST_SOURCE, key[0]))),
    )


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Keep both parts, and tell how they are."""
    source = observed.source
    parts = (*_kept_binding(observed), *_kept_deployment(observed))
    decide = partial(_decide, observed)
    return Plan(parts, then=status_updates(CONTAINERSOURCES, source, CONDITIONS, decide, now=now))


def make_binding(source: Object) -> Object:
    """Return the SinkBinding, as admission would leave it."""
    spec, where = spec_of(source), namespace(source)
    sink = dict(spec.get("sink") or {})
    if sink.get("ref") and not sink["ref"].get("namespace"):
        sink["ref"] = {**sink["ref"], "namespace": where}
    overrides = {"ceOverrides": spec["ceOverrides"]} if "ceOverrides" in spec else {}
    subject = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "namespace": where,
        "name": deployment_name(meta.key(source)),
    }
    return {
        "apiVersion": SINKBINDINGS.api_version,
        "kind": SINKBINDINGS.kind,
        "metadata": head(source, binding_name(meta.key(source))),
        "spec": {"sink": sink, **overrides, "subject": subject},
    }


def make_deployment(source: Object) -> Object:
    """Return the Deployment, whose pods do not know their sink yet."""
    template = dict(spec_of(source).get("template") or {})
    metadata = dict(template.get("metadata") or {})
    labels = {
        **(metadata.get("labels") or {}),
        "sources.knative.dev/source": "container-source-controller",
        "sources.knative.dev/containerSource": name(source),
    }
    annotations = metadata.get("annotations")
    own = head(source, deployment_name(meta.key(source)))
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            **own,
            "labels": labels,
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
        },
    }


def _kept_binding(observed: Observed) -> tuple[Action, ...]:
    source, existing, wanted = observed.source, observed.binding, make_binding(observed.source)
    if existing is None:
        text = f'SinkBinding created "{name(wanted)}"'
        told = Event(source, "Normal", f"{KIND}SinkBindingCreated", text)
        return Create(SINKBINDINGS, wanted), told
    if not meta.is_controlled_by(existing, source) or existing.get("spec") == wanted["spec"]:
        return ()
    text = f'SinkBinding updated "{name(wanted)}"'
    told = Event(source, "Normal", f"{KIND}SinkBindingUpdated", text)
    return Update(SINKBINDINGS, {**existing, "spec": wanted["spec"]}), told


def _kept_deployment(observed: Observed) -> tuple[Action, ...]:
    binding = observed.binding
    bound = known_bound(binding, observed.bundles) if binding is not None else None
    if bound is None:
        return ()
    desired = bind(make_deployment(observed.source), bound)
    return kept_deployment(observed.source, desired, observed.deployment, kind=KIND)


def _decide(observed: Observed, status: dict[str, Any], conditions: ConditionManager) -> None:
    source, binding = observed.source, observed.binding
    if binding is not None and not meta.is_controlled_by(binding, source):
        text = f'SinkBinding "{name(binding)}" is not owned by {KIND} "{name(source)}"'
        conditions.mark_false(SINK_BINDING_READY, "NotOwned", text)
    else:
        _take_over(binding or {}, status, conditions)
    deployment = observed.deployment
    if not mark_foreign(RECEIVE_ADAPTER_READY, deployment, source, conditions):
        title = deployment_name(meta.key(source))
        mark_deployment(RECEIVE_ADAPTER_READY, deployment, title, conditions, whole=False)


def _take_over(binding: Object, status: dict[str, Any], conditions: ConditionManager) -> None:
    """Sink and readiness are those of the SinkBinding."""
    told = status_of(binding)
    for field in SOURCE_FIELDS:
        status.pop(field, None)
        if field in told:
            status[field] = told[field]
    ready = Conditions.of(binding).get(keys.READY)
    if ready is not None and ready["status"] == "True":
        conditions.mark_true(SINK_BINDING_READY)
    else:
        conditions.propagate(SINK_BINDING_READY, ready)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps ContainerSources."""
    return ControllerSpec(
        NAME,
        CONTAINERSOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(SINKBINDING_SOURCE, owner_key(CONTAINERSOURCES)),
            Watch(TRUST_SOURCE, concerned(CONTAINERSOURCE_SOURCE)),
        ),
    )
