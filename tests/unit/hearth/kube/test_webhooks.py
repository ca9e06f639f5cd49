"""Webhook configurations: what is told to API servers, and when it has to be told again."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.kube.webhooks import Service, Webhook, configuration, corrected, writes_rule

CLIENT_CONFIG = {"url": "https://127.0.0.1:1/path", "caBundle": "cGVt"}
RULES = (writes_rule("g", ("v1",), ("things",)),)
SELECTORS = {
    "namespaceSelector": {"matchExpressions": [{"key": "exclude", "operator": "DoesNotExist"}]}
}


@pytest.mark.parametrize(
    ("mutating", "kind"),
    [(True, "MutatingWebhookConfiguration"), (False, "ValidatingWebhookConfiguration")],
)
def test_configuration(mutating: bool, kind: str) -> None:
    webhook = Webhook("w.example", "/path", RULES, mutating=mutating, labels={"a": "b"})
    found = configuration(webhook, CLIENT_CONFIG)
    assert found["kind"] == kind
    assert found["metadata"] == {"name": "w.example", "labels": {"a": "b"}}
    [hook] = found["webhooks"]
    assert hook["clientConfig"] == CLIENT_CONFIG
    assert (hook["failurePolicy"], hook["timeoutSeconds"]) == ("Fail", 10)
    assert hook["rules"][0]["operations"] == ["CREATE", "UPDATE"]


def test_a_trusted_user_is_not_asked_about_and_everybody_else_is() -> None:
    user = "system:serviceaccount:a:b"
    [hook] = configuration(webhook(), CLIENT_CONFIG, trusted_user=user)["webhooks"]
    [condition] = hook["matchConditions"]
    assert condition["expression"] == f"request.userInfo.username != '{user}'"
    [hook] = configuration(webhook(), CLIENT_CONFIG)["webhooks"]
    assert "matchConditions" not in hook


def registered(**changes: Any) -> dict[str, Any]:
    """A configuration as an API server gives it back: with versions and defaults."""
    found = copy.deepcopy(configuration(webhook(), CLIENT_CONFIG))
    found["metadata"] |= {"resourceVersion": "7", "uid": "u"}
    found["webhooks"][0] |= {"objectSelector": {}, "matchConditions": None, **changes}
    return found


def webhook() -> Webhook:
    return Webhook("w", "/path", RULES, labels={"a": "b"}, selectors=SELECTORS)


def test_what_is_registered_already_is_not_written_again() -> None:
    assert corrected(registered(), configuration(webhook(), CLIENT_CONFIG)) is None


def test_what_is_empty_may_be_left_out() -> None:
    """A webhook that asks about nothing for now: kube-apiserver gives it back without rules."""
    idle = Webhook("w", "/path", (), labels={"a": "b"}, selectors=SELECTORS)
    found = registered()
    del found["webhooks"][0]["rules"]
    assert corrected(found, configuration(idle, CLIENT_CONFIG)) is None
    assert corrected(registered(), configuration(idle, CLIENT_CONFIG)) is not None


def test_what_a_cluster_adds_to_selectors_is_left_alone() -> None:
    """AKS puts such a condition into every webhook, again and again."""
    conditions = [
        {"key": "control-plane", "operator": "DoesNotExist"},
        *SELECTORS["namespaceSelector"]["matchExpressions"],
    ]
    found = registered(namespaceSelector={"matchExpressions": conditions})
    assert corrected(found, configuration(webhook(), CLIENT_CONFIG)) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"clientConfig": {"url": "https://127.0.0.1:1/path"}}, id="no bundle"),
        pytest.param({"rules": []}, id="no rules"),
        pytest.param({"namespaceSelector": {}}, id="no selector"),
        pytest.param({"failurePolicy": "Ignore"}, id="policy"),
        pytest.param({"timeoutSeconds": 1}, id="time-out"),
    ],
)
def test_what_differs_is_put_back(changes: dict[str, Any]) -> None:
    wanted = configuration(webhook(), CLIENT_CONFIG)
    found = corrected(registered(**changes), wanted)
    assert found is not None
    assert found["webhooks"] == wanted["webhooks"]
    assert found["metadata"]["resourceVersion"] == "7"


def test_labels_of_others_stay() -> None:
    known = registered(failurePolicy="Ignore")
    known["metadata"]["labels"] = {"theirs": "x"}
    found = corrected(known, configuration(webhook(), CLIENT_CONFIG))
    assert found is not None
    assert found["metadata"]["labels"] == {"theirs": "x", "a": "b"}


def test_the_first_name_of_a_service_is_what_api_servers_ask_for() -> None:
    assert Service("ns", "webhook", "certs").hosts[0] == "webhook.ns.svc"
