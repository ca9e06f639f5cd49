"""What NetworkPolicies let through: the evaluation that other tests go by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.networkpolicies import Outside, PodEnd, Policies, namespace_labels, pod_end

NAMESPACES = {"a": {"team": "red"}, "b": {"team": "blue"}}
WEB = PodEnd("a", {"app": "web"}, {"http": 8080, "metrics": 9090})
FRIEND = PodEnd("a", {"app": "friend"}, {})
STRANGER = PodEnd("b", {"app": "friend"}, {})
FAR = Outside("192.0.2.7")


def policy(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": list(rules), **spec}
    return {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "a"}, "spec": spec}


def allowed(source: PodEnd | Outside, *policies: dict[str, Any], port: int = 8080) -> bool:
    return Policies(policies, NAMESPACES).allow(source, WEB, port)


def test_a_pod_that_nothing_selects_takes_everything() -> None:
    other = policy(podSelector={"matchLabels": {"app": "other"}})
    elsewhere = {**policy(), "metadata": {"namespace": "b"}}
    outgoing = policy(policyTypes=["Egress"])
    assert allowed(FAR, other, elsewhere, outgoing)


def test_a_pod_that_is_selected_takes_what_a_rule_says_only() -> None:
    assert not allowed(FRIEND, policy())
    assert not allowed(FRIEND, policy(podSelector={}))
    assert allowed(FRIEND, policy({}))
    assert allowed(FAR, policy({}))


def test_rules_of_several_policies_add_up() -> None:
    assert allowed(FRIEND, policy(), policy({"ports": [{"port": 8080}]}))


@pytest.mark.parametrize(
    ("peer", "sources"),
    [
        ({"podSelector": {}}, {FRIEND.namespace}),
        ({"namespaceSelector": {}}, {"a", "b"}),
        ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, {"b"}),
        (
            {
                "namespaceSelector": {"matchLabels": {"team": "blue"}},
                "podSelector": {"matchLabels": {"app": "other"}},
            },
            set(),
        ),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["blue"]}]
                },
                "podSelector": {"matchLabels": {"app": "friend"}},
            },
            {"a"},
        ),
        ({"ipBlock": {"cidr": "192.0.2.0/24"}}, {"far"}),
        ({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/29"]}}, set()),
    ],
)
def test_who_a_peer_is(peer: dict[str, Any], sources: set[str]) -> None:
    ends: dict[str, PodEnd | Outside] = {"a": FRIEND, "b": STRANGER, "far": FAR}
    found = {name for name, end in ends.items() if allowed(end, policy({"from": [peer]}))}
    assert found == sources


@pytest.mark.parametrize(
    ("ports", "taken"),
    [
        ([{"port": "http"}], {8080}),
        ([{"port": "nameless"}], set()),
        ([{"port": 9090}], {9090}),
        ([{"port": 8000, "endPort": 8100}], {8080}),
        ([{"protocol": "UDP"}], set()),
        ([{"protocol": "TCP"}], {8080, 9090}),
        ([{"port": "http"}, {"port": "metrics"}], {8080, 9090}),
    ],
)
def test_which_ports_a_rule_is_about(ports: list[dict[str, Any]], taken: set[int]) -> None:
    rule = policy({"ports": ports})
    assert {port for port in (8080, 9090) if allowed(FRIEND, rule, port=port)} == taken


def test_ends_and_namespaces_of_objects() -> None:
    ports = [{"name": "http", "containerPort": 8080}]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"ports": ports}, {}]}}
    workload: dict[str, Any] = {
        "kind": "Deployment",
        "metadata": {"namespace": "n"},
        "spec": {"template": template},
    }
    assert pod_end(workload) == PodEnd("n", {"a": "b"}, {"http": 8080})
    space = {"kind": "Namespace", "metadata": {"name": "n", "labels": {"c": "d"}}}
    found = namespace_labels([space, workload])
    assert found == {"n": {"c": "d", "kubernetes.io/metadata.name": "n"}}
