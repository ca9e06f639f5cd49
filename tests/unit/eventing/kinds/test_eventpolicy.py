"""EventPolicies and identities: what is made, told and taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eventing.api.settings import Features
from eventing.kinds import eventpolicy
from eventing.kinds.identity import ensured_account
from eventing.kinds.policies import between, ensured_policies, inherited
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Unresolved
from hearth.knative.resources import EVENTPOLICIES, TRIGGERS
from hearth.kube.meta import name
from hearth.kube.plan import Create, Delete, Update, UpdateStatus

OFF = ControlSettings("http://h", frozenset())
ON = replace(OFF, features=Features.from_data({"authentication-oidc": "enabled"}))
TRIGGER = {"metadata": {"name": "t", "namespace": "ns", "uid": "u"}} | {
    "apiVersion": TRIGGERS.api_version,
    "kind": "Trigger",
}
POLICY: Any = {
    "apiVersion": EVENTPOLICIES.api_version,
    "kind": "EventPolicy",
    "metadata": {"name": "p", "namespace": "ns", "uid": "p"},
    "spec": {"from": [{"sub": "s"}], "filters": [{"exact": {"type": "t"}}]},
}
CHANNEL = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel", "name": "c"}


def told(subjects: Any, settings: ControlSettings) -> Any:
    observed = eventpolicy.Observed(POLICY, subjects)
    [update] = eventpolicy.reconcile(observed, settings=settings, now=0).actions
    assert isinstance(update, UpdateStatus)
    status = update.obj["status"]
    shown = {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}
    return shown, status.get("from")


def test_a_policy_tells_its_subjects() -> None:
    shown, subjects = told(["s"], ON)
    assert {state for state, _ in shown.values()} == {"True"}
    assert subjects == ["s"]


def test_a_policy_whose_sender_is_not_there_tells_so() -> None:
    shown, subjects = told(Unresolved("why"), ON)
    assert shown["Ready"] == shown["SubjectsResolved"] == ("False", "SubjectsNotResolved")
    assert subjects is None


def test_without_authentication_a_policy_does_nothing() -> None:
    shown, subjects = told(["s"], OFF)
    assert shown["AuthenticationEnabled"] == ("False", "OIDCAuthenticationDisabled")
    assert shown["Ready"][0] == "False"
    assert subjects is None


def test_an_account_is_made_while_it_is_needed() -> None:
    [made] = ensured_account(TRIGGERS, TRIGGER, None, ON)
    assert isinstance(made, Create)
    assert made.obj["metadata"]["labels"] == {"eventing.knative.dev/oidc": "enabled"}
    assert made.obj["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False
    assert ensured_account(TRIGGERS, TRIGGER, made.obj, ON) == ()
    assert ensured_account(TRIGGERS, TRIGGER, None, OFF) == ()
    [gone] = ensured_account(TRIGGERS, TRIGGER, made.obj, OFF)
    assert isinstance(gone, Delete)
    stranger = {"metadata": {**made.obj["metadata"], "ownerReferences": []}}
    assert ensured_account(TRIGGERS, TRIGGER, stranger, OFF) == ()


def test_policies_of_parts_are_made_changed_and_deleted() -> None:
    wanted = [
        inherited(POLICY, "p-c", CHANNEL, {"a": "b"}, POLICY),
        between(TRIGGER, "t-c", CHANNEL, {"a": "b"}, "s"),
    ]
    assert wanted[0]["spec"] == POLICY["spec"] | {"to": [{"ref": CHANNEL}]}
    assert wanted[1]["spec"]["from"][0]["ref"]["kind"] == "Subscription"
    assert [type(each) for each in ensured_policies(wanted, [])] == [Create, Create]
    assert ensured_policies(wanted, wanted) == ()
    old = [{**wanted[0], "spec": {}}, {**wanted[1], "metadata": {"name": "x", "namespace": "ns"}}]
    actions = ensured_policies(wanted, old)
    assert [type(each) for each in actions] == [Update, Create, Delete]
    assert isinstance(actions[0], Update)
    assert (name(actions[0].obj), actions[0].obj["spec"]) == ("p-c", wanted[0]["spec"])


@pytest.mark.parametrize("settings", [OFF, ON])
def test_addresses_have_an_audience_while_senders_must_say_who_they_are(
    settings: ControlSettings,
) -> None:
    [address] = settings.addresses(TRIGGERS, TRIGGER, "http://x", "/x")
    assert ("audience" in address) is settings.authenticates
