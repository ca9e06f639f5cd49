"""What a flow says of its parts."""

import copy

import pytest

from eventing.kinds.flowparts import (
    Parts,
    made_subscription,
    mark_accounts,
    subscription_state,
)

FLOW = {
    "apiVersion": "flows.knative.dev/v1",
    "kind": "Sequence",
    "metadata": {"name": "q", "namespace": "ns", "uid": "q"},
    "spec": {
        "channelTemplate": {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel"}
    },
}
DESIRED = made_subscription(FLOW, "q-0", "q-0", subscriber={"uri": "http://new"})


def existing(*, generation=1, observed=1, uri="http://new", ready="True"):
    obj = copy.deepcopy(DESIRED)
    obj["metadata"]["generation"] = generation
    obj["spec"]["subscriber"] = {"uri": uri}
    conditions = [{"type": "Ready", "status": ready}]
    return {**obj, "status": {"observedGeneration": observed, "conditions": conditions}}


def state(found):
    told = subscription_state(Parts({}, {"q-0": found}), DESIRED)
    assert told["subscription"] == {"name": "q-0", "namespace": "ns"}
    return told["ready"]["status"], told["ready"].get("reason")


@pytest.mark.parametrize("status", ["True", "False"])
def test_a_subscription_that_is_as_it_should_be_speaks_for_itself(status):
    assert state(existing(ready=status)) == (status, None)


@pytest.mark.parametrize(
    "found",
    [existing(uri="http://old"), existing(generation=2), existing(ready="False", uri="http://old")],
    ids=["to be changed", "changed and not looked at since", "not ready before"],
)
def test_what_it_says_of_before_a_change_does_not_count(found):
    assert state(found) == ("Unknown", "NotObserved")


def test_one_that_is_not_there_is_not_ready():
    assert state(None) == ("Unknown", "NoReady")


def test_a_flow_sends_as_its_subscriptions_do():
    desired = [made_subscription(FLOW, f"q-{each}", "q-0") for each in range(4)]
    sends = [{"auth": {"serviceAccountName": "a"}}, {}, {"auth": {"serviceAccountName": "b"}}]
    there = {f"q-{number}": {"status": status} for number, status in enumerate(sends)}
    status = {"auth": {"serviceAccountNames": ["before"]}}
    mark_accounts(Parts({}, there), desired, status)
    assert status == {"auth": {"serviceAccountNames": ["a", "b"]}}
    mark_accounts(Parts({}, {}), desired, status)
    assert status == {}
