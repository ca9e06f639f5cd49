"""What users must be allowed where a Trigger or Subscription takes events of another namespace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from eventing.api.admission import admission_of
from eventing.api.settings import Features, Settings
from hearth.knative.admission import decisions
from hearth.knative.admission.kinds import Right
from hearth.knative.admission.webhooks import VALIDATION_PATH
from hearth.kube.admission import AdmissionResponse
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden
from tests.unit.eventing.api.test_kinds import DEFINITIONS, KINDS, asked

ON = Settings(features=Features.from_data({"cross-namespace-event-links": "enabled"}))
BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}
CHANNEL = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel", "name": "c"}
SUBSCRIBER = {"subscriber": {"uri": "http://x/"}}
ELSEWHERE = asked("Trigger", {"brokerRef": BROKER | {"namespace": "b"}, **SUBSCRIBER})
RIGHT = Right("knsubscribe", "eventing.knative.dev", "brokers", "b", "b", "spec.BrokerNamespace")


@pytest.mark.parametrize(
    ("kind", "spec", "right"),
    [
        ("Trigger", {"brokerRef": BROKER | {"namespace": "b"}}, RIGHT),
        ("Trigger", {"brokerRef": BROKER | {"namespace": "ns"}}, None),
        ("Trigger", {"brokerRef": BROKER}, None),
        ("Trigger", {"broker": "b"}, None),
        ("Subscription", {"channel": CHANNEL}, None),
        (
            "Subscription",
            {"channel": CHANNEL | {"namespace": "b"}},
            Right(
                "knsubscribe",
                "messaging.knative.dev",
                "inmemorychannels",
                "b",
                "c",
                "spec.InMemoryChannelNamespace",
            ),
        ),
    ],
)
def test_the_right_is_asked_for_where_events_come_from(
    kind: str, spec: dict[str, Any], right: Right | None
) -> None:
    request = asked(kind, {**spec, **SUBSCRIBER})
    assert decisions.right_needed(KINDS, request, ON) == right
    assert decisions.right_needed(KINDS, request, Settings()) is None


class Api:
    """Answers reviews, and keeps them."""

    def __init__(self, answer: bool | Forbidden) -> None:
        self.answer = answer
        self.reviews: list[Any] = []

    async def request(self, method: str, path: str, *, body: Any) -> Any:
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        self.reviews.append(body["spec"])
        if isinstance(self.answer, Forbidden):
            raise self.answer
        return {"status": {"allowed": self.answer}}


async def judged(api: Api) -> AdmissionResponse:
    handler = admission_of(DEFINITIONS.values()).handlers(lambda: ON, cast(KubeClient, api))[
        VALIDATION_PATH
    ]
    answer = handler(replace(ELSEWHERE, groups=("dev",)))
    assert not isinstance(answer, AdmissionResponse)
    return await answer


async def test_who_may_subscribe_there_may_write_the_trigger() -> None:
    api = Api(True)
    assert (await judged(api)).allowed
    attributes = {
        "verb": "knsubscribe",
        "group": "eventing.knative.dev",
        "resource": "brokers",
        "namespace": "b",
        "name": "b",
    }
    wanted = {"user": "admin", "groups": ["dev"], "resourceAttributes": attributes}
    assert api.reviews == [wanted]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (False, "user admin is not authorized to get target resource in namespace: b"),
        (
            Forbidden({"message": "no"}),
            "failed to make authorization request to see if user can subscribe to resources in "
            "namespace: no",
        ),
    ],
)
async def test_nobody_else_may(answer: bool | Forbidden, message: str) -> None:
    refused = await judged(Api(answer))
    assert not refused.allowed
    assert refused.message == f"validation failed: {message}: spec.BrokerNamespace"
