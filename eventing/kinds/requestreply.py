"""RequestReply: whether requests sent to it get through its Broker. ``reconcile`` is pure.

The broker process takes the requests and knows their replies among the events of the Broker's log:
no Trigger, no pod and no Secret is made for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.sinkviews import REQUESTREPLY_SOURCE, path_of
from eventing.api.views import BROKER_SOURCE, spec_of, status_annotation, status_of
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_address, mark_policies, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.resources import REQUESTREPLIES
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Watch
from hearth.kube.meta import Key, Object, key, name, namespace
from hearth.kube.plan import Plan

TRIGGERS_READY = "TriggersReady"
CONDITIONS = ConditionSet(
    keys.READY,
    (TRIGGERS_READY, keys.ADDRESSABLE, keys.EVENT_POLICIES_READY, keys.BROKER_READY),
)
NAME = "requestreply"
BROKER_ADDRESS_ANNOTATION = "knative.dev/brokerAddress"


@dataclass(frozen=True, slots=True)
class Observed:
    """The RequestReply and its Broker."""

    request_reply: Object
    broker: Object | None
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""


def broker_of(request_reply: Object) -> Key:
    """Return the Broker that requests go through."""
    ref: dict[str, Any] = spec_of(request_reply).get("brokerRef") or {}
    return namespace(request_reply), str(ref.get("name", ""))


def observe(lister: Lister, key: Key) -> Observed | None:
    """Read a RequestReply and its Broker."""
    found = lister.get(REQUESTREPLY_SOURCE, *key)
    if found is None or meta.is_deleting(found):
        return None
    broker = lister.get(BROKER_SOURCE, *broker_of(found))
    return Observed(found, broker, policies_of(lister, REQUESTREPLIES, found))


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell whether requests get through."""
    decide = going_by(_decide, observed, settings)
    obj = observed.request_reply
    return Plan(status_updates(REQUESTREPLIES, obj, CONDITIONS, decide, now=now))


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    """In Knative's order; what comes after a failure stays as it is."""
    request_reply, broker = observed.request_reply, observed.broker
    is_served = status_annotation({"status": status}, keys.OPENED_ANNOTATION) == "true"
    status["desiredReplicas"], status["readyReplicas"] = 1, int(is_served)
    if is_served:
        conditions.mark_true(TRIGGERS_READY)
    else:
        text = "not all triggers are ready yet"
        conditions.mark_unknown(TRIGGERS_READY, "TriggersNotReady", text)
    if broker is None:
        title = broker_of(request_reply)[1]
        text = f'could not get broker: broker.eventing.knative.dev "{title}" not found'
        conditions.mark_unknown(keys.BROKER_READY, "NotFound", text)
        return
    if not Conditions.of(broker).is_true(keys.READY):
        conditions.mark_false(keys.BROKER_READY, "NotReady", "broker is not ready")
        return
    address = (status_of(broker).get("address") or {}).get("url", "")
    status.setdefault("annotations", {})[BROKER_ADDRESS_ANNOTATION] = address
    conditions.mark_true(keys.BROKER_READY)
    path = path_of(REQUESTREPLIES, request_reply)
    mark_address(REQUESTREPLIES, request_reply, status, conditions, settings, path=path)
    mark_policies(observed.policies, status, conditions, settings)


def _of_broker(lister: Lister, broker: Object) -> Iterator[Key]:
    for each in lister.list(REQUESTREPLY_SOURCE, namespace(broker)):
        if broker_of(each)[1] == name(broker):
            yield key(each)


def controller(_references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the status of RequestReplies."""
    return ControllerSpec(
        NAME,
        REQUESTREPLY_SOURCE,
        observe,
        reconcile,
        watches=(Watch(BROKER_SOURCE, _of_broker), policies_watch(REQUESTREPLY_SOURCE)),
    )
