"""Which CloudEvent tells of an Event."""

from __future__ import annotations

import pytest

from hearth.keda.api.keys import EVENT_TYPES, EventReason
from hearth.keda.operator.cloudevents import type_of
from hearth.kube.plan import Event


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        ("ScaledObject", "ScaledObjectReady", "keda.scaledobject.ready.v1"),
        ("ScaledObject", "KEDAScalersStarted", ""),
        (
            "TriggerAuthentication",
            "TriggerAuthenticationAdded",
            "keda.authentication.triggerauthentication.created.v1",
        ),
        # The reason is the same for both kinds.
        (
            "TriggerAuthentication",
            "ClusterTriggerAuthenticationUpdated",
            "keda.authentication.triggerauthentication.updated.v1",
        ),
        (
            "ClusterTriggerAuthentication",
            "ClusterTriggerAuthenticationUpdated",
            "keda.authentication.clustertriggerauthentication.updated.v1",
        ),
    ],
)
def test_types(kind: str, reason: str, expected: str) -> None:
    assert type_of(Event({"kind": kind}, "Normal", reason, "")) == expected


def test_every_type_that_sources_may_name_is_told_of_something() -> None:
    kinds = ("TriggerAuthentication", "ClusterTriggerAuthentication")
    told = {type_of(Event({"kind": k}, "Normal", r, "")) for k in kinds for r in EventReason}
    assert told - {""} == set(EVENT_TYPES)
