"""WebhookSource: requests of others become events. ``reconcile`` is pure.

One receiver serves all of them, reached by the name that ``webhookaddress`` keeps. On one machine
it is a component, in a cluster a Deployment in ``knative-eventing`` that is made for the first
WebhookSource and scaled to zero when the last one goes. The receiver tells in statuses which
generation it serves, and which secrets it cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eventing.api import keys, trust
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of, status_annotation
from eventing.kinds import sharedadapters
from eventing.kinds.adapters import ADAPTER_LABEL
from eventing.kinds.children import with_finalizer, without_finalizer
from eventing.kinds.identity import account_of, accounts_watch, ensured_account, mark_identity
from eventing.kinds.lastwords import ADAPTER_PODS, pods_of
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.sharedadapters import SharedAdapter
from eventing.kinds.statuses import going_by, mark_sink, status_updates
from eventing.kinds.trust import concerned
from eventing.kinds.webhookaddress import (
    RECEIVER,
    Address,
    ensured_address,
    look_up,
    removed_address,
)
from eventing.kinds.workloads import mark_deployment
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Unresolved
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch
from hearth.kube.meta import Key, Object, finalizers, key
from hearth.kube.plan import Action, Plan
from hearth.kube.resources import DEPLOYMENTS, SERVICEACCOUNTS

RECEIVER_READY = "ReceiverReady"
CONDITIONS = ConditionSet(
    keys.READY,
    (keys.SINK_PROVIDED, RECEIVER_READY, keys.ADDRESSABLE, keys.OIDC_IDENTITY_CREATED),
)
NAME = "webhooksource"
COMPONENT = "webhooksource"
FINALIZER = f"{WEBHOOKSOURCES.plural}.{WEBHOOKSOURCES.group}"
WEBHOOKSOURCE_SOURCE = Source(WEBHOOKSOURCES)
LABELS = {
    "eventing.knative.dev/source": "webhook-source-controller",
    "sources.knative.dev/role": "receiver",
}
_FOLDER = "/tmp/hearth"
"""Where a pod keeps which deliveries were taken: as long as the pod is there."""
_SHARED = SharedAdapter(
    RECEIVER, COMPONENT, LABELS, ({"name": "HEARTH_DATA_DIR", "value": _FOLDER},), takes_events=True
)


@dataclass(frozen=True, slots=True)
class Observed:
    """A WebhookSource, its sink, and the receiver of all of them."""

    source: Object
    sink: Resolution
    address: Address = field(default_factory=Address)
    receiver: Object | None = None
    """Its Deployment, in a cluster."""
    account: Object | None = None
    """The receiver's service account, with which it goes."""
    pods: Sequence[Object] = ()
    identity: Object | None = None
    """The service account that it sends as, where senders must say who they are."""
    is_last: bool = False
    bundles: trust.Names = ()
    look_again: float | None = None


def observe(references: References, lister: Lister, item: Key) -> Observed | None:
    """Read a WebhookSource, resolve its sink, and look at the receiver."""
    lookup = references.lookup(Referrer(NAME, item))
    source = lister.get(WEBHOOKSOURCE_SOURCE, *item)
    if source is None:
        return None
    others = (each for each in lister.list(WEBHOOKSOURCE_SOURCE) if not meta.is_deleting(each))
    return Observed(
        source,
        lookup.resolve(spec_of(source).get("sink") or {}, item[0]),
        look_up(lookup),
        receiver=_found(lookup, Reference(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, *_WHERE)),
        account=_found(lookup, Reference(SERVICEACCOUNTS.api_version, "ServiceAccount", *_WHERE)),
        pods=pods_of(lister, keys.SYSTEM_NAMESPACE, LABELS),
        identity=account_of(lister, WEBHOOKSOURCES, source),
        is_last=all(key(each) == item for each in others),
        bundles=trust.names_with_keys(lister.list(TRUST_SOURCE, keys.SYSTEM_NAMESPACE)),
        look_again=lookup.look_again,
    )


_WHERE = (keys.SYSTEM_NAMESPACE, RECEIVER)


def _found(lookup: Lookup, reference: Reference) -> Object | None:
    found = lookup.get(reference)
    return None if isinstance(found, Unresolved) else found


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Have a receiver run and be reached, and tell; with the last WebhookSource both go."""
    source = observed.source
    if meta.is_deleting(source):
        return _leave(observed)
    if FINALIZER not in finalizers(source):
        return Plan((with_finalizer(WEBHOOKSOURCES, source, FINALIZER),))
    decide = going_by(_decide, observed, settings)
    told = status_updates(WEBHOOKSOURCES, source, CONDITIONS, decide, now=now)
    kept = (
        *ensured_account(WEBHOOKSOURCES, source, observed.identity, settings),
        *ensured_address(observed.address),
        *(_kept_receiver(observed, settings) if settings.adapters.in_cluster else ()),
    )
    return Plan(kept, then=told, requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    mark_identity(WEBHOOKSOURCES, observed.source, observed.identity, status, conditions, settings)
    mark_sink(observed.sink, status, conditions, reason="NotFound", prefix=None)
    _mark_receiver(observed, status, conditions, settings)
    for each in ("url", "address"):
        status.pop(each, None)
    if url := observed.address.url(settings.cluster_domain):
        status["url"] = f"{url}/{'/'.join(key(observed.source))}"
        status["address"] = {"url": status["url"]}
    if problem := observed.address.problem():
        conditions.mark_unknown(keys.ADDRESSABLE, *problem)
    else:
        conditions.mark_true(keys.ADDRESSABLE)


def _mark_receiver(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    """By what the receiver says of this generation, and in a cluster whether it runs at all."""
    if settings.adapters.in_cluster:
        pods = observed.pods
        mark_deployment(RECEIVER_READY, observed.receiver, RECEIVER, conditions, pods=pods)
        if not conditions.is_true(RECEIVER_READY):
            return
    generation, told = str(meta.generation(observed.source)), {"status": status}
    problem = status_annotation(told, keys.ADAPTER_PROBLEM_ANNOTATION) or ""
    if problem.startswith(f"{generation} "):
        conditions.mark_false(RECEIVER_READY, "CannotServe", problem.partition(" ")[2])
    elif status_annotation(told, keys.OPENED_ANNOTATION) != generation:
        text = "The receiver does not take requests for it yet."
        conditions.mark_unknown(RECEIVER_READY, "NotServed", text)
    else:
        conditions.mark_true(RECEIVER_READY)


def make_receiver(
    settings: ControlSettings, account: Object | None, bundles: trust.Names = ()
) -> Object:
    """Return the receiver's Deployment; it goes with its service account, where it has one."""
    return _SHARED.deployment(settings.adapters, account, bundles)


def _kept_receiver(observed: Observed, settings: ControlSettings) -> tuple[Action, ...]:
    desired = make_receiver(settings, observed.account, observed.bundles)
    return sharedadapters.kept(observed.receiver, desired)


def _leave(observed: Observed) -> Plan:
    if FINALIZER not in finalizers(observed.source):
        return Plan()
    gone = without_finalizer(WEBHOOKSOURCES, observed.source, FINALIZER)
    if not observed.is_last:
        return Plan((gone,))
    ended = *removed_address(observed.address), *sharedadapters.ended(observed.receiver)
    return Plan(ended, then=(gone,)) if ended else Plan((gone,))


def _all(lister: Lister, pod: Object) -> Iterator[Key]:
    """The receiver is everybody's."""
    if meta.labels(pod).get(ADAPTER_LABEL) == COMPONENT:
        yield from map(key, lister.list(WEBHOOKSOURCE_SOURCE))


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps WebhookSources."""
    return ControllerSpec(
        NAME,
        WEBHOOKSOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(ADAPTER_PODS, _all),
            Watch(TRUST_SOURCE, concerned(WEBHOOKSOURCE_SOURCE)),
            accounts_watch(WEBHOOKSOURCES),
        ),
    )
