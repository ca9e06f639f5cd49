"""Parallel: one channel before all branches, and one in each, before its subscriber.

A branch without a filter is subscribed with its channel; one with a filter with that, whose replies
go into its channel. ``reconcile`` is pure.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import SUBSCRIPTION_SOURCE
from eventing.api.deliveryoptions import UNDELIVERABLE
from eventing.api.joins import (
    JOIN_BRANCH,
    JOIN_MARKS,
    JOIN_OF,
    JoinBranch,
    JoinOptions,
    is_inmemory,
)
from eventing.api.views import spec_of, status_of
from eventing.kinds.children import with_delivery
from eventing.kinds.flowparts import (
    CHANNELS_READY,
    FLOW_CONDITIONS,
    NOT_READY,
    SUBSCRIPTIONS_READY,
    ObservedFlow,
    Parts,
    address_of,
    channel_ref,
    flow_plan,
    made_subscription,
    mark_accounts,
    subscription_state,
    template_of,
)
from eventing.kinds.policies import (
    between,
    ensured_policies,
    inherited,
    labelled,
    policies_of,
    policies_watch,
)
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import mark_policies, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.names import child_name
from hearth.knative.resources import PARALLELS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Action, Plan

CONDITIONS = ConditionSet(keys.READY, FLOW_CONDITIONS)
NAME = "parallel"
_BRINGING_RETRIES = 1000
PARALLEL_SOURCE = Source(PARALLELS)


def observe(references: References, lister: Lister, key: Key) -> ObservedFlow | None:
    """Read a Parallel and its parts."""
    lookup = references.lookup(Referrer(NAME, key))
    parallel = lister.get(PARALLEL_SOURCE, *key)
    if parallel is None or meta.is_deleting(parallel):
        return None
    # As many as there are branches now, or were when the status was written.
    told = len(status_of(parallel).get("branchStatuses") or ())
    numbers = range(max(told, len(_branches(parallel))))
    inner = [_inner(parallel, number) for number in numbers]
    filters = [_filter(parallel, number) for number in numbers]
    join = _names_of_join(parallel, lister)
    parts = Parts.of(
        parallel,
        lookup,
        lister,
        channels=[_outer(parallel), *inner, *join[:1]],
        subscriptions=[*filters, *inner, *join],
    )
    return ObservedFlow(
        parallel,
        parts,
        lookup.look_again,
        policies=policies_of(lister, PARALLELS, parallel),
        handed_on=labelled(lister, key[0], _policy_labels(parallel)),
    )


def _branches(parallel: Object) -> list[dict[str, Any]]:
    branches: list[dict[str, Any]] = spec_of(parallel).get("branches") or []
    return branches


def _outer(parallel: Object) -> str:
    return f"{name(parallel)}-kn-parallel"


def _inner(parallel: Object, number: int) -> str:
    """The name of a branch's channel, and of what is subscribed to it."""
    return f"{name(parallel)}-kn-parallel-{number}"


def _filter(parallel: Object, number: int) -> str:
    return f"{name(parallel)}-kn-parallel-filter-{number}"


def _gathering(parallel: Object) -> str:
    """The name of the channel where a join gathers, and of what brings the events there."""
    return f"{name(parallel)}-kn-parallel-join"


def _joined(parallel: Object) -> str:
    return f"{name(parallel)}-kn-parallel-joined"


def join_of(parallel: Object) -> JoinOptions | None:
    """Return what a Parallel's branches are joined by, if they are; of a kind that can do that."""
    if not is_inmemory(template_of(parallel)):
        return None
    try:
        options = JoinOptions.from_annotations(meta.annotations(parallel))
    except ValueError:
        return None
    if options is None:
        return None
    return replace(options, branches=len(_branches(parallel)), source=_source(parallel))


def _source(parallel: Object) -> str:
    where = f"{PARALLELS.api_version}/namespaces/{namespace(parallel)}"
    return f"/apis/{where}/{PARALLELS.plural}/{name(parallel)}"


def _names_of_join(parallel: Object, lister: Lister) -> list[str]:
    """Those of the join there is to be, or was."""
    title = _gathering(parallel)
    there = lister.get(SUBSCRIPTION_SOURCE, namespace(parallel), title) is not None
    return [title, _joined(parallel)] if there or join_of(parallel) is not None else []


def reconcile(observed: ObservedFlow, /, *, settings: ControlSettings, now: float) -> Plan:
    """Make the parts, and tell how they are."""
    parallel, parts = observed.flow, observed.parts

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _mark(parallel, parts, status, conditions)
        mark_accounts(parts, subscriptions, status)
        mark_policies(observed.policies, status, conditions, settings)

    numbers = range(len(_branches(parallel)))
    names = [_outer(parallel), *(_inner(parallel, number) for number in numbers)]
    join = join_of(parallel)
    subscriptions = [
        make(parallel, number, join) for number in numbers for make in (_filtering, _subscribing)
    ]
    annotations: dict[str, dict[str, str]] = {}
    if join is not None:
        names.append(_gathering(parallel))
        subscriptions += [_bringing(parallel), _sending(parallel)]
        annotations = {
            _outer(parallel): {JOIN_MARKS: "true"},
            _gathering(parallel): {JOIN_OF: join.to_json()},
        }
    updates = status_updates(PARALLELS, parallel, CONDITIONS, decide, now=now)
    policies = _policies(observed) if settings.authenticates else ()
    return flow_plan(
        observed,
        updates,
        channels=names,
        subscriptions=subscriptions,
        annotations=annotations,
        policies=policies,
    )


def _policy_labels(parallel: Object) -> dict[str, str]:
    return {"flows.knative.dev/parallel-name": name(parallel)}


def _policies(observed: ObservedFlow) -> tuple[Action, ...]:
    """A branch takes events from its filter; the one channel before all from whom it all does."""
    parallel, labels = observed.flow, _policy_labels(observed.flow)
    wanted = []
    for number in range(len(_branches(parallel))):
        channel = _inner(parallel, number)
        title = child_name(name(parallel), f"-ep-{channel}")
        to = channel_ref(parallel, channel)
        wanted.append(between(parallel, title, to, labels, _filter(parallel, number)))
    outer = channel_ref(parallel, _outer(parallel))
    if join_of(parallel) is not None:
        channel = _gathering(parallel)
        title = child_name(name(parallel), f"-ep-{channel}")
        to = channel_ref(parallel, channel)
        wanted.append(between(parallel, title, to, labels, channel))
    for each in observed.policies:
        title = child_name(name(parallel), f"-ep-{name(each)}")
        wanted.append(inherited(each, title, outer, labels, parallel, each))
    return ensured_policies(wanted, observed.handed_on)


def _filtering(parallel: Object, number: int, join: JoinOptions | None) -> Object:
    """From the one channel into the branch's, through its filter where it has one."""
    given = _branches(parallel)[number].get("filter")
    inner = {"ref": channel_ref(parallel, _inner(parallel, number))}
    return made_subscription(
        parallel,
        _filter(parallel, number),
        _outer(parallel),
        annotations=_marks(parallel, number, join, is_filter=given is not None),
        subscriber=inner if given is None else given,
        reply=None if given is None else inner,
    )


def _subscribing(parallel: Object, number: int, join: JoinOptions | None) -> Object:
    """From the branch's channel to its subscriber."""
    branch, title = _branches(parallel)[number], _inner(parallel, number)
    reply = branch.get("reply") or spec_of(parallel).get("reply")
    return made_subscription(
        parallel,
        title,
        title,
        annotations=_marks(parallel, number, join, is_last=True),
        subscriber=branch.get("subscriber"),
        reply=reply if join is None else {"ref": channel_ref(parallel, _gathering(parallel))},
        **with_delivery(branch, namespace(parallel)),
    )


def _marks(
    parallel: Object,
    number: int,
    join: JoinOptions | None,
    *,
    is_last: bool = False,
    is_filter: bool = False,
) -> dict[str, str]:
    if join is None:
        return {}
    branch = JoinBranch(_gathering(parallel), number, is_last=is_last, is_filter=is_filter)
    return {JOIN_BRANCH: branch.to_json()}


def _bringing(parallel: Object) -> Object:
    """The events themselves are brought to where replies are gathered, come what may."""
    title = _gathering(parallel)
    return made_subscription(
        parallel,
        title,
        _outer(parallel),
        annotations={UNDELIVERABLE: "hold"},
        subscriber={"ref": channel_ref(parallel, title)},
        delivery={"retry": _BRINGING_RETRIES, "backoffPolicy": "linear", "backoffDelay": "PT1S"},
    )


def _sending(parallel: Object) -> Object:
    """Joined events go where the Parallel's replies go."""
    return made_subscription(
        parallel,
        _joined(parallel),
        _gathering(parallel),
        subscriber=spec_of(parallel).get("reply"),
    )


def _mark(
    parallel: Object, parts: Parts, status: dict[str, Any], conditions: ConditionManager
) -> None:
    numbers, join = range(len(_branches(parallel))), join_of(parallel)
    status["ingressChannelStatus"] = _channel_state(parallel, parts, _outer(parallel))
    status["branchStatuses"] = states = [
        {
            "filterSubscriptionStatus": subscription_state(
                parts, _filtering(parallel, number, join)
            ),
            "filterChannelStatus": _channel_state(parallel, parts, _inner(parallel, number)),
            "subscriberSubscriptionStatus": subscription_state(
                parts, _subscribing(parallel, number, join)
            ),
        }
        for number in numbers
    ]
    address = address_of(parts.channel(_outer(parallel)))
    status.pop("address", None)
    if address is None:
        conditions.mark_false(keys.ADDRESSABLE, "emptyAddress", "addressable is nil")
    else:
        status["address"] = address
        conditions.mark_true(keys.ADDRESSABLE)
    channels = [status["ingressChannelStatus"], *(each["filterChannelStatus"] for each in states)]
    of_join = []
    if join is not None:
        channels.append(_channel_state(parallel, parts, _gathering(parallel)))
        of_join = [
            subscription_state(parts, each) for each in (_bringing(parallel), _sending(parallel))
        ]
    _mark_all(CHANNELS_READY, "Channels", channels, parts.problem, conditions)
    subscriptions = [
        each[field]
        for each in states
        for field in ("filterSubscriptionStatus", "subscriberSubscriptionStatus")
    ] + of_join
    _mark_all(SUBSCRIPTIONS_READY, "Subscriptions", subscriptions, "", conditions)


def _channel_state(parallel: Object, parts: Parts, title: str) -> dict[str, Any]:
    """A channel counts as ready here once it has an address."""
    ready: dict[str, Any] = {"type": keys.READY, "status": "True"}
    if address_of(parts.channel(title)) is None:
        ready |= {
            "status": "False",
            "reason": "NotAddressable",
            "message": "Channel is not addressable",
        }
    return {"channel": channel_ref(parallel, title), "ready": ready}


def _mark_all(
    kind: str,
    what: str,
    states: list[dict[str, Any]],
    problem: str,
    conditions: ConditionManager,
) -> None:
    if states and all(each["ready"]["status"] == "True" for each in states):
        conditions.mark_true(kind)
    else:
        conditions.mark_false(kind, f"{what}NotReady", problem or NOT_READY.format(what))


def controller(references: References) -> ControllerSpec[ObservedFlow, ControlSettings]:
    """Declare the controller that keeps Parallels."""
    return ControllerSpec(
        NAME,
        PARALLEL_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(SUBSCRIPTION_SOURCE, owner_key(PARALLELS)),
            policies_watch(PARALLEL_SOURCE),
        ),
    )
