"""What flows are made of: channels, and Subscriptions between them. Pure but for ``Parts.of``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import SUBSCRIPTION_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds.children import (
    NO_MORE,
    handed_on,
    head,
    is_of_ours,
    made_channel,
    marked,
    wanted_by,
)
from eventing.kinds.references import Lookup
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.resources import SUBSCRIPTIONS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Object, name, namespace
from hearth.kube.plan import Action, Create, Delete, Plan

CHANNELS_READY = "ChannelsReady"
SUBSCRIPTIONS_READY = "SubscriptionsReady"
FLOW_CONDITIONS = (
    CHANNELS_READY,
    SUBSCRIPTIONS_READY,
    keys.ADDRESSABLE,
    keys.EVENT_POLICIES_READY,
)
NO_MORE_OF_ANY: Mapping[str, Mapping[str, str]] = {}
NOT_READY = "{} are not ready yet, or there are none"


@dataclass(frozen=True, slots=True)
class Parts:
    """The channels and Subscriptions of one flow as they are, by name; None where there is none."""

    channels: Mapping[str, Object | Unresolved | None]
    subscriptions: Mapping[str, Object | None]

    @classmethod
    def of(
        cls,
        flow: Object,
        lookup: Lookup,
        lister: Lister,
        *,
        channels: Iterable[str],
        subscriptions: Iterable[str],
    ) -> Parts:
        """Look up the parts of these names."""
        return cls(
            {each: lookup.get(channel_reference(flow, each)) for each in channels},
            {
                each: lister.get(SUBSCRIPTION_SOURCE, namespace(flow), each)
                for each in subscriptions
            },
        )

    def channel(self, name: str) -> Object:
        """Return a channel; an empty object where there is none."""
        found = self.channels.get(name)
        return found if isinstance(found, dict) else {}

    def subscription(self, name: str) -> Object:
        """Return a Subscription; an empty object where there is none."""
        return self.subscriptions.get(name) or {}

    @property
    def problem(self) -> str:
        """Why there can be no channels."""
        found = (each for each in self.channels.values() if isinstance(each, Unresolved))
        return next((each.message for each in found), "")


@dataclass(frozen=True, slots=True)
class ObservedFlow:
    """A flow and its parts, those of steps or branches that are no more included."""

    flow: Object
    parts: Parts
    look_again: float | None = None
    """Seconds after which the kind of its channels may be there that was not."""
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    handed_on: Sequence[Object] = ()
    """Those made for its channels."""


def template_of(flow: Object) -> dict[str, Any]:
    """Return the template that a flow's channels are made from."""
    found: dict[str, Any] = spec_of(flow).get("channelTemplate") or {}
    return found


def channel_reference(flow: Object, channel: str) -> Reference:
    """Return a channel of a flow, by its name."""
    template = template_of(flow)
    return Reference(
        template.get("apiVersion", ""), template.get("kind", ""), namespace(flow), channel
    )


def channel_ref(flow: Object, channel: str, *, in_full: bool = True) -> dict[str, str]:
    """Return a reference to a channel of a flow, as a spec or a status has it."""
    template = template_of(flow)
    ref = {"apiVersion": template.get("apiVersion", ""), "kind": template.get("kind", "")}
    ref["name"] = channel
    return ref | {"namespace": namespace(flow)} if in_full else ref


def flow_channel(flow: Object, channel: str, more: Mapping[str, str] = NO_MORE) -> Object:
    """Return a channel of a flow, with more annotations than the flow's own."""
    template = template_of(flow)
    return made_channel(flow, template, channel, template.get("spec") or {}, more)


def made_subscription(
    flow: Object,
    subscription: str,
    channel: str,
    *,
    annotations: Mapping[str, str] = NO_MORE,
    **spec: Any,
) -> Object:
    """Return a Subscription of a flow to one of its channels; what is None is left out."""
    given = {field: value for field, value in spec.items() if value is not None}
    return {
        "apiVersion": SUBSCRIPTIONS.api_version,
        "kind": SUBSCRIPTIONS.kind,
        "metadata": head(flow, subscription) | marked(annotations),
        "spec": {"channel": channel_ref(flow, channel, in_full=False), **given},
    }


def _ensured_parts(
    flow: Object, parts: Parts, channels: Sequence[Object], subscriptions: Sequence[Object]
) -> tuple[Action, ...]:
    """Return what makes a flow's parts as they should be, and takes away the others."""
    actions: list[Action] = [
        Create(channel_reference(flow, name(each)).resource, each)
        for each in channels
        if parts.channels.get(name(each)) is None
    ]
    for each in channels:
        resource = channel_reference(flow, name(each)).resource
        existing = parts.channel(name(each))
        if is_of_ours(existing):
            actions += handed_on(resource, existing, wanted_by(each))
    for desired in subscriptions:
        actions += _ensured_subscription(desired, parts.subscriptions.get(name(desired)))
    wanted = {name(each) for each in channels}
    for title in parts.channels:
        if title not in wanted and _is_ours(flow, parts.channel(title)):
            resource = channel_reference(flow, title).resource
            actions.append(Delete(resource, namespace(flow), title))
    wanted = {name(each) for each in subscriptions}
    for title in parts.subscriptions:
        if title not in wanted and _is_ours(flow, parts.subscription(title)):
            actions.append(Delete(SUBSCRIPTIONS, namespace(flow), title))
    return tuple(actions)


def flow_plan(
    observed: ObservedFlow,
    updates: tuple[Action, ...],
    *,
    channels: Sequence[str],
    subscriptions: Sequence[Object],
    annotations: Mapping[str, Mapping[str, str]] = NO_MORE_OF_ANY,
    policies: tuple[Action, ...] = (),
) -> Plan:
    """Return what makes the parts, with who may send to them, and then tells how they are.

    ``annotations`` are those of single channels, by their names.
    """
    flow, parts = observed.flow, observed.parts
    actions: tuple[Action, ...] = ()
    if not parts.problem:
        made = [flow_channel(flow, each, annotations.get(each, NO_MORE)) for each in channels]
        actions = _ensured_parts(flow, parts, made, subscriptions) + policies
    return Plan(actions, then=updates, requeue_after=observed.look_again)


def _ensured_subscription(desired: Object, existing: Object | None) -> list[Action]:
    """One whose channel would change has to go first: that of a Subscription never does."""
    if existing is None:
        return [Create(SUBSCRIPTIONS, desired)]
    if meta.is_deleting(existing):
        return []
    if spec_of(existing).get("channel") != desired["spec"]["channel"]:
        return [Delete(SUBSCRIPTIONS, namespace(existing), name(existing))]
    return list(handed_on(SUBSCRIPTIONS, existing, wanted_by(desired), desired["spec"]))


def _is_ours(flow: Object, part: Object) -> bool:
    owner = meta.controller_of(part) if part else None
    return owner is not None and owner["uid"] == meta.uid(flow) and not meta.is_deleting(part)


# -- statuses ----------------------------------------------------------------------------------


def is_ready(part: Object) -> bool:
    """Whether a part says that it is ready."""
    return Conditions.of(part).is_true(keys.READY)


def ready_of(part: Object, kind: str) -> dict[str, Any]:
    """Return the Ready condition of a part as a flow's status has it."""
    return dict(
        Conditions.of(part).get(keys.READY)
        or {
            "type": keys.READY,
            "status": "Unknown",
            "reason": "NoReady",
            "message": f"{kind} does not have Ready condition",
        }
    )


def subscription_state(parts: Parts, desired: Object) -> dict[str, Any]:
    """Return what a flow's status says of the Subscription that should be this one.

    One to be changed, or not looked at since it was, delivers to whom it did before:
    it is not ready, though it says so.
    """
    found = parts.subscription(name(desired))
    ready = ready_of(found, "Subscription")
    is_seen = status_of(found).get("observedGeneration") == meta.generation(found)
    if found and not (spec_of(found) == desired["spec"] and is_seen):
        text = "The Subscription has changed, and what it says is of before"
        ready = {"type": keys.READY, "status": "Unknown", "reason": "NotObserved", "message": text}
    return {
        "subscription": {"name": name(desired), "namespace": namespace(desired)},
        "ready": ready,
    }


def mark_accounts(parts: Parts, subscriptions: Iterable[Object], status: dict[str, Any]) -> None:
    """Tell whom a flow sends as: the service accounts of its Subscriptions."""
    told = (status_of(parts.subscription(name(each))).get("auth") or {} for each in subscriptions)
    accounts = [auth["serviceAccountName"] for auth in told if auth.get("serviceAccountName")]
    status.pop("auth", None)
    if accounts:
        status["auth"] = {"serviceAccountNames": accounts}


def address_of(channel: Object) -> dict[str, Any] | None:
    """Return where events are sent to."""
    address: dict[str, Any] | None = status_of(channel).get("address")
    return address if address and address.get("url") else None
