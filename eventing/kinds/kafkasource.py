"""KafkaSource: the records of topics, sent by consumers of one group. ``reconcile`` is pure.

Each source has a Deployment of its own beside it, with as many pods as it has consumers: they
share the partitions by Kafka's own protocol for groups. Upstream puts consumers of all sources into
a few pods. A client that breaks breaks one source here, and a source that is scaled to zero has no
process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.apiserveradapter import CONFIG
from eventing.api.kafka import FEATURES_MAP
from eventing.api.kafkaadapter import config_of, secret_variables
from eventing.api.kafkascaling import is_scaled
from eventing.api.observability import told
from eventing.api.policyviews import account_name
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of, status_annotation, status_of
from eventing.kinds.adapters import adapter_deployment
from eventing.kinds.binding import CA_CERTS, CE_OVERRIDES, SINK, overrides_text
from eventing.kinds.identity import account_of, accounts_watch, ensured_account, mark_identity
from eventing.kinds.kafkascaling import (
    SCALEDOBJECTS,
    TRIGGERAUTHENTICATIONS,
    Scaling,
    ensured_scaling,
    object_name,
)
from eventing.kinds.lastwords import ADAPTER_PODS, pods_of
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_sink, status_updates
from eventing.kinds.trust import concerned, propagated
from eventing.kinds.workloads import kept_deployment, mark_deployment, mark_foreign
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Resolved, Unresolved
from hearth.knative.names import child_name
from hearth.knative.resources import KAFKASOURCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, label_key
from hearth.kube.meta import Key, Object, name, namespace, uid
from hearth.kube.plan import Action, Plan
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS
from hearth.kube.selectors import selector_text

CONSUMER_GROUP = "ConsumerGroup"
CONDITIONS = ConditionSet(keys.READY, (CONSUMER_GROUP, keys.SINK_PROVIDED))
NAME = "kafkasource"
KIND = KAFKASOURCES.kind
COMPONENT = "kafkasource"
KAFKASOURCE_SOURCE = Source(KAFKASOURCES)
_CONFIG_SOURCE = Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE)
_SCALED = "eventing.hearth.dev/scaled-by-keda"
"""In the status, while there are objects of ours for KEDA."""
_NAME_LABEL = "eventing.knative.dev/sourceName"


@dataclass(frozen=True, slots=True)
class Observed:
    """A KafkaSource, where its events go, and what was made for it."""

    source: Object
    sink: Resolution
    dead_letter_sink: Resolution | None = None
    deployment: Object | None = None
    pods: Sequence[Object] = ()
    """Its consumers."""
    account: Object | None = None
    """The service account that it sends as, where senders must say who they are."""
    trusted: Sequence[Object] = ()
    """The trust bundles that everybody trusts."""
    bundles: Sequence[Object] = ()
    """Those in its namespace."""
    scaling: Scaling = field(default_factory=Scaling)
    look_again: float | None = None


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a KafkaSource, and find where its events go."""
    lookup = references.lookup(Referrer(NAME, key))
    source = lister.get(KAFKASOURCE_SOURCE, *key)
    if source is None or meta.is_deleting(source):
        return None
    dead = (spec_of(source).get("delivery") or {}).get("deadLetterSink")
    made = Reference(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, key[0], deployment_name(source))
    deployment = lookup.get(made)
    return Observed(
        source,
        lookup.resolve(spec_of(source).get("sink") or {}, key[0]),
        lookup.resolve(dead, key[0]) if dead else None,
        deployment=None if isinstance(deployment, Unresolved) else deployment,
        pods=pods_of(lister, key[0], labels_of(source)),
        account=account_of(lister, KAFKASOURCES, source),
        trusted=lister.list(TRUST_SOURCE, keys.SYSTEM_NAMESPACE),
        bundles=lister.list(TRUST_SOURCE, key[0]),
        scaling=_scaling(source, lookup, lister),
        look_again=lookup.look_again,
    )


def _scaling(source: Object, lookup: Lookup, lister: Lister) -> Scaling:
    """KEDA's kinds are looked at where they are asked for, or were."""
    features = lister.get(_CONFIG_SOURCE, keys.SYSTEM_NAMESPACE, FEATURES_MAP) or {}
    wanted = is_scaled(meta.annotations(source), features.get("data") or {})
    if not wanted and status_annotation(source, _SCALED) is None:
        return Scaling()
    found = []
    for of in (SCALEDOBJECTS, TRIGGERAUTHENTICATIONS):
        there = lookup.get(
            Reference(of.api_version, of.kind, namespace(source), object_name(source))
        )
        if isinstance(there, Unresolved):  # there is no KEDA: as upstream, nobody scales
            return Scaling()
        found.append(there)
    return Scaling(wanted, *found)


def deployment_name(source: Object) -> str:
    """Return the name of the Deployment of a source's consumers."""
    return child_name(f"kafkasource-{name(source)}-", uid(source))


def labels_of(source: Object) -> dict[str, str]:
    """Return what tells a source's consumers from all others, as upstream does."""
    return {"eventing.knative.dev/source": "kafka-source-controller", _NAME_LABEL: name(source)}


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Have as many consumers run as there are to be, and tell how they are."""
    source = observed.source
    kept: tuple[Action, ...] = ensured_account(KAFKASOURCES, source, observed.account, settings)
    refusal = ""
    try:
        kept += ensured_scaling(source, observed.scaling, settings.kafka_scaling)
    except ValueError as error:
        refusal = str(error)
    decide = going_by(partial(_decide, refusal), observed, settings)
    updates = status_updates(KAFKASOURCES, source, CONDITIONS, decide, now=now)
    if isinstance(observed.sink, Resolved) and not _problem(observed):
        copied, bundles = propagated(source, observed.trusted, observed.bundles)
        desired = make_adapter(observed, observed.sink, settings, bundles)
        kept += (
            *copied,
            *kept_deployment(source, desired, observed.deployment, kind=KIND, scales=True),
        )
    return Plan(kept, then=updates, requeue_after=observed.look_again)


def _problem(observed: Observed) -> str:
    """Where events go and cannot, in upstream's words."""
    places = {
        "failed to resolve subscriber": observed.sink,
        "failed to resolve Spec.Delivery.DeadLetterSink": observed.dead_letter_sink,
    }
    for text, found in places.items():
        if isinstance(found, Unresolved):
            prefix = "failed to reconcile contract: failed to reconcile egress"
            return f"{prefix}: {text}: {found.message}"
    return ""


def make_adapter(
    observed: Observed, sink: Resolved, settings: ControlSettings, bundles: Sequence[str] = ()
) -> Object:
    """Return the Deployment of the consumers."""
    source, dead = observed.source, observed.dead_letter_sink
    url, trusts = (dead.url, dead.ca_certs) if isinstance(dead, Resolved) else ("", None)
    env: list[Mapping[str, Any]] = [
        {"name": SINK, "value": sink.url},
        {"name": CONFIG, "value": config_of(source, url).to_json()},
    ]
    if authorities := "\n".join(dict.fromkeys(each for each in (sink.ca_certs, trusts) if each)):
        env.append({"name": CA_CERTS, "value": authorities})
    if overrides := overrides_text(spec_of(source)):
        env.append({"name": CE_OVERRIDES, "value": overrides})
    env += [*told(settings.tracing), *secret_variables(source)]
    account = account_name(KAFKASOURCES, name(source)) if settings.authenticates else "default"
    letters = dead.audience if isinstance(dead, Resolved) else None
    return adapter_deployment(
        settings.adapters,
        metadata={
            "name": deployment_name(source),
            "namespace": namespace(source),
            "ownerReferences": [meta.owner_reference(source)],
        },
        component=COMPONENT,
        labels=labels_of(source),
        account=account,
        env=env,
        # On one machine, too: it is who sends.
        pod={"serviceAccountName": account} if settings.authenticates else None,
        audience=sink.audience if settings.authenticates else None,
        dead_letter_audience=letters if settings.authenticates else None,
        bundles=bundles,
        replicas=spec_of(source).get("consumers", 1),
    )


def _decide(
    refusal: str,
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    source, deployment = observed.source, observed.deployment
    status["selector"] = selector_text({"matchLabels": labels_of(source)})
    status["consumers"] = status_of(deployment or {}).get("readyReplicas", 0)
    marks = {**(status.pop("annotations", None) or {}), _SCALED: "true"}
    if not observed.scaling.wanted:
        del marks[_SCALED]
    if marks:
        status["annotations"] = marks
    mark_identity(KAFKASOURCES, source, observed.account, status, conditions, settings)
    mark_sink(observed.sink, status, conditions, reason="NotFound", prefix=None)
    if not isinstance(observed.sink, Resolved):
        text = "Sink has resolved to empty."
        conditions.mark_unknown(keys.SINK_PROVIDED, "SinkEmpty", text)
    if problem := _problem(observed):
        conditions.mark_false(CONSUMER_GROUP, "ReconcileContract", problem)
    elif refusal:
        text = f"failed to set up autoscaler: {refusal}"
        conditions.mark_false(CONSUMER_GROUP, "AutoscalerFailed", text)
    elif not mark_foreign(CONSUMER_GROUP, deployment, source, conditions):
        title = deployment_name(source)
        mark_deployment(CONSUMER_GROUP, deployment, title, conditions, pods=observed.pods)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps KafkaSources."""
    return ControllerSpec(
        NAME,
        KAFKASOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(ADAPTER_PODS, label_key(_NAME_LABEL)),
            Watch(TRUST_SOURCE, concerned(KAFKASOURCE_SOURCE)),
            accounts_watch(KAFKASOURCES),
        ),
    )
