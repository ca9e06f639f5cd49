"""One host, several that ask for it: the oldest has it, whoever looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object
from serving.routing.hosts import grant, hosts_of

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def an_object(
    name: str, created: str = EARLY, *, namespace: str = "ns", kind: str = "Route"
) -> Object:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return {"kind": kind, "metadata": metadata}


def an_ingress(*rules: list[str]) -> Object:
    return {"spec": {"httpOption": "Enabled", "rules": [{"hosts": hosts} for hosts in rules]}}


def test_hosts_nobody_else_has_are_granted() -> None:
    desired = an_ingress(["a.ns", "a.ns.svc"], ["a.example.com"])
    granted = grant(desired, an_object("a"), {})
    assert granted.ingress is desired
    assert granted.conflict == ""


def test_the_later_one_goes_without() -> None:
    desired = an_ingress(["b.ns"], ["same.example.com"])
    owner = an_object("a", EARLY, namespace="other", kind="DomainMapping")
    granted = grant(desired, an_object("b", LATE), {"same.example.com": [owner]})
    assert list(hosts_of(granted.ingress)) == ["b.ns"]
    assert granted.ingress["spec"]["httpOption"] == "Enabled"
    assert granted.conflict == ('The host "same.example.com" belongs to DomainMapping "other/a".')


def test_the_earlier_one_takes_its_host_over() -> None:
    desired = an_ingress(["same.example.com"])
    granted = grant(desired, an_object("a", EARLY), {"same.example.com": [an_object("b", LATE)]})
    assert granted.conflict == ""


def test_the_name_decides_within_a_second() -> None:
    desired = an_ingress(["h.x"])
    assert grant(desired, an_object("a"), {"h.x": [an_object("b")]}).conflict == ""
    assert 'Route "ns/a"' in grant(desired, an_object("b"), {"h.x": [an_object("a")]}).conflict


def test_a_tag_cannot_have_the_host_of_its_route() -> None:
    granted = grant(an_ingress(["one.example.com"], ["one.example.com"]), an_object("a"), {})
    assert list(hosts_of(granted.ingress)) == ["one.example.com"]
    assert granted.conflict == 'The host "one.example.com" belongs to Route "ns/a".'


def test_without_any_host_nothing_is_left() -> None:
    granted = grant(an_ingress(["h.x"]), an_object("b", LATE), {"h.x": [an_object("a")]})
    assert granted.is_empty


@given(st.permutations([("a", EARLY), ("b", EARLY), ("c", LATE)]))
def test_exactly_one_has_the_host(order: list[tuple[str, str]]) -> None:
    contenders = [an_object(name, created) for name, created in order]
    winners = [
        each["metadata"]["name"]
        for each in contenders
        if not grant(
            an_ingress(["h.x"]), each, {"h.x": [c for c in contenders if c is not each]}
        ).is_empty
    ]
    assert winners == ["a"]


@pytest.mark.parametrize("rules", [None, [{"hosts": None}], [{}]])
def test_odd_ingresses_have_no_hosts(rules: object) -> None:
    assert list(hosts_of({"spec": {"rules": rules}})) == []
