"""PingSource: an event at each tick of a schedule. ``reconcile`` is pure.

One adapter serves all PingSources, as in Knative: a Deployment in ``knative-eventing`` that is made
for the first PingSource and scaled to zero when the last one goes. How many replicas it has beyond
that is the operator's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys, trust
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds import sharedadapters
from eventing.kinds.adapters import ADAPTER_LABEL
from eventing.kinds.children import with_finalizer, without_finalizer
from eventing.kinds.eventtype import EVENTTYPE_SOURCE
from eventing.kinds.eventtypes import kept_event_types, registered
from eventing.kinds.identity import account_of, accounts_watch, ensured_account, mark_identity
from eventing.kinds.lastwords import ADAPTER_PODS, pods_of
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.sharedadapters import SharedAdapter
from eventing.kinds.statuses import mark_sink, status_updates
from eventing.kinds.trust import concerned
from eventing.kinds.workloads import mark_deployment
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Resolved, Unresolved
from hearth.knative.resources import PINGSOURCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.cronschedule import Interval, parse_schedule
from hearth.kube.meta import Key, Object, finalizers, key
from hearth.kube.plan import Action, Event, Plan
from hearth.kube.resources import DEPLOYMENTS, SERVICEACCOUNTS

DEPLOYED = "Deployed"
CONDITIONS = ConditionSet(keys.READY, (keys.SINK_PROVIDED, DEPLOYED, keys.OIDC_IDENTITY_CREATED))
NAME = "pingsource"
FINALIZER = "pingsources.sources.knative.dev"
PINGSOURCE_SOURCE = Source(PINGSOURCES)
ADAPTER = "pingsource-mt-adapter"
COMPONENT = "pingsource"
TYPE = "dev.knative.sources.ping"
_DESCRIPTION = "CloudEvent type for fixed payloads on a specified cron schedule"
_LABELS = {
    "eventing.knative.dev/source": "ping-source-controller",
    "sources.knative.dev/role": "adapter",
}
_SHARED = SharedAdapter(ADAPTER, COMPONENT, _LABELS)


@dataclass(frozen=True, slots=True)
class Observed:
    """A PingSource, its sink, and the adapter of all of them."""

    ping: Object
    sink: Resolution
    adapter: Object | None
    account: Object | None = None
    """The adapter's service account, whose end is that of the adapter."""
    pods: Sequence[Object] = ()
    """Of the adapter."""
    identity: Object | None = None
    """The service account that the PingSource sends as, where senders must say who they are."""
    is_last: bool = False
    """Whether no other PingSource needs the adapter."""
    event_types: Sequence[Object] = ()
    bundles: trust.Names = ()
    """The trust bundles beside the adapter, which everybody trusts, with their keys."""
    look_again: float | None = None


def observe(references: References, lister: Lister, item: Key) -> Observed | None:
    """Read a PingSource, resolve its sink, and look at the adapter."""
    lookup = references.lookup(Referrer(NAME, item))
    ping = lister.get(PINGSOURCE_SOURCE, *item)
    if ping is None:
        return None
    adapter, account = (
        lookup.get(Reference(of.api_version, of.kind, keys.SYSTEM_NAMESPACE, ADAPTER))
        for of in (DEPLOYMENTS, SERVICEACCOUNTS)
    )
    others = (each for each in lister.list(PINGSOURCE_SOURCE) if not meta.is_deleting(each))
    return Observed(
        ping,
        lookup.resolve(spec_of(ping).get("sink") or {}, item[0]),
        None if isinstance(adapter, Unresolved) else adapter,
        account=None if isinstance(account, Unresolved) else account,
        pods=pods_of(lister, keys.SYSTEM_NAMESPACE, _LABELS),
        identity=account_of(lister, PINGSOURCES, ping),
        is_last=all(key(each) == item for each in others),
        event_types=registered(lister, ping),
        bundles=trust.names_with_keys(lister.list(TRUST_SOURCE, keys.SYSTEM_NAMESPACE)),
        look_again=lookup.look_again,
    )


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Have an adapter run, and tell; with the last PingSource the adapter goes to zero."""
    ping = observed.ping
    if meta.is_deleting(ping):
        return _leave(observed)
    if FINALIZER not in finalizers(ping):
        return Plan((with_finalizer(PINGSOURCES, ping, FINALIZER),))
    decide = partial(_decide, observed, settings)
    told = status_updates(PINGSOURCES, ping, CONDITIONS, decide, now=now)
    kept = ensured_account(PINGSOURCES, ping, observed.identity, settings)
    if isinstance(observed.sink, Resolved):
        kept += (
            *_kept_adapter(observed, settings),
            *kept_event_types(
                ping, _attributes(ping), observed.event_types, description=_DESCRIPTION
            ),
        )
    return Plan(kept, then=told, requeue_after=observed.look_again)


def _attributes(ping: Object) -> list[dict[str, str]]:
    namespace, name = key(ping)
    source = f"/apis/v1/namespaces/{namespace}/pingsources/{name}"
    return [{"type": TYPE, "source": source}]


def _decide(
    observed: Observed,
    settings: ControlSettings,
    status: dict[str, Any],
    conditions: ConditionManager,
) -> None:
    """In Knative's order; without a sink the adapter is not looked at."""
    mark_identity(PINGSOURCES, observed.ping, observed.identity, status, conditions, settings)
    status.pop("ceAttributes", None)
    mark_sink(observed.sink, status, conditions, reason="NotFound", prefix=None)
    if not isinstance(observed.sink, Resolved):
        return
    status["ceAttributes"] = _attributes(observed.ping)
    problem = _schedule_problem(observed.ping)
    if problem:
        conditions.mark_false(DEPLOYED, "InvalidSchedule", problem)
    else:
        mark_deployment(DEPLOYED, observed.adapter, ADAPTER, conditions, pods=observed.pods)
    if conditions.is_true(DEPLOYED) and (problem := _adapter_problem(observed.ping)):
        text = f"the adapter {ADAPTER} cannot read the schedule: {problem}. {_MEND}"
        conditions.mark_false(DEPLOYED, "AdapterCannotRead", text)


_MEND = (
    "Do its pods run the image of this installation, and does that have the time zones "
    "(the package tzdata)?"
)


def _adapter_problem(ping: Object) -> str:
    """What the adapter says that it cannot read of the object as it is now."""
    marks = status_of(ping).get("annotations") or {}
    generation, _, problem = str(marks.get(keys.ADAPTER_PROBLEM_ANNOTATION, "")).partition(" ")
    return problem if generation == str(meta.generation(ping)) else ""


def _all(lister: Lister, pod: Object) -> Iterator[Key]:
    """The adapter is everybody's."""
    if meta.labels(pod).get(ADAPTER_LABEL) == COMPONENT:
        yield from map(key, lister.list(PINGSOURCE_SOURCE))


def _schedule_problem(ping: Object) -> str:
    """What is wrong with a schedule that has come past admission; the adapter leaves it out."""
    spec = spec_of(ping)
    text, zone = spec.get("schedule") or "* * * * *", spec.get("timezone")
    try:
        parsed = parse_schedule(f"CRON_TZ={zone} {text}" if zone else text, with_seconds=True)
    except ValueError as error:
        return str(error)
    return "unsupported descriptor @every" if isinstance(parsed, Interval) else ""


# -- the adapter -----------------------------------------------------------------------------------


def make_adapter(
    settings: ControlSettings, account: Object | None, bundles: trust.Names = ()
) -> Object:
    """Return the adapter's Deployment; it goes with its service account, where it has one."""
    return _SHARED.deployment(settings.adapters, account, bundles)


def _kept_adapter(observed: Observed, settings: ControlSettings) -> tuple[Action, ...]:
    kept = sharedadapters.kept(
        observed.adapter, make_adapter(settings, observed.account, observed.bundles)
    )
    if observed.adapter is None or not kept:
        return kept
    text = "PingSource adapter deployment updated"
    return *kept, Event(observed.ping, "Normal", "PingSourceDeploymentUpdated", text)


def _leave(observed: Observed) -> Plan:
    if FINALIZER not in finalizers(observed.ping):
        return Plan()
    gone = without_finalizer(PINGSOURCES, observed.ping, FINALIZER)
    ended = sharedadapters.ended(observed.adapter) if observed.is_last else ()
    return Plan(ended, then=(gone,)) if ended else Plan((gone,))


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps PingSources."""
    return ControllerSpec(
        NAME,
        PINGSOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(EVENTTYPE_SOURCE, owner_key(PINGSOURCES)),
            Watch(ADAPTER_PODS, _all),
            Watch(TRUST_SOURCE, concerned(PINGSOURCE_SOURCE)),
            accounts_watch(PINGSOURCES),
        ),
    )
