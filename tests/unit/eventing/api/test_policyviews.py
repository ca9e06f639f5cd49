"""What EventPolicies are about."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.policyviews import account_name, applying, audience_of
from hearth.knative.resources import BROKERS, CHANNELS, TRIGGERS

BROKER = {"metadata": {"name": "b", "namespace": "ns", "labels": {"team": "one"}}}
KIND = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker"}


def policy(name: str = "p", namespace: str = "ns", **spec: Any) -> Any:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("to", "applies"),
    [
        ([], True),
        ([{"ref": {**KIND, "name": "b"}}], True),
        ([{"ref": {**KIND, "name": "B", "kind": "BROKER"}}], True),
        ([{"ref": {**KIND, "name": "b", "apiVersion": "eventing.knative.dev/v9"}}], True),
        ([{"ref": {**KIND, "name": "c"}}], False),
        ([{"ref": {"apiVersion": "v1", "kind": "Broker", "name": "b"}}], False),
        ([{"ref": {**KIND, "name": "c"}}, {"ref": {**KIND, "name": "b"}}], True),
        ([{"selector": {**KIND, "matchLabels": {"team": "one"}}}], True),
        ([{"selector": {**KIND, "matchLabels": {"team": "two"}}}], False),
        ([{"selector": {**KIND, "kind": "Channel", "matchLabels": {"team": "one"}}}], False),
        ([{"selector": {**KIND, "matchExpressions": [{"key": "team", "operator": "?"}]}}], False),
    ],
)
def test_a_policy_is_about_what_it_names(to: Any, applies: bool) -> None:
    assert bool(applying([policy(to=to)], BROKERS, BROKER)) is applies


def test_policies_are_about_their_own_namespace_in_order_of_name() -> None:
    policies = [policy("z"), policy("a"), policy("m", "other")]
    assert applying(policies, BROKERS, BROKER) == [policy("a"), policy("z")]


def test_names_that_authentication_goes_by() -> None:
    assert audience_of(CHANNELS, ("Ns", "c")) == "messaging.knative.dev/channel/ns/c"
    assert account_name(TRIGGERS, "t") == "t-oidc-eventing.knative.dev-trigger"
    assert len(account_name(TRIGGERS, "t" * 60)) <= 63
