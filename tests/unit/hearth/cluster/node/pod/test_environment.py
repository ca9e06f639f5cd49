from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.pod.environment import (
    ConfigError,
    Facts,
    expand,
    field_value,
    make_environment,
    resource_value,
)
from hearth.cluster.node.volumes.sources import Snapshot

APod = Callable[..., dict[str, Any]]
SOURCES = Snapshot(
    config_maps={"settings": {"color": b"red", "bad=name": b"x", "size": b"3"}},
    secrets={"keys": {"token": b"s3cret"}},
)


@pytest.fixture
def facts(a_pod: APod) -> Facts:
    pod = a_pod()
    pod["metadata"] |= {"labels": {"app": "web", "tier": 'a"b'}, "annotations": {"note": "hi"}}
    return Facts(pod, "node-1", {"cpu": "4", "memory": "8Gi"})


def env_of(facts: Facts, base: Mapping[str, str] | None = None, **container: Any) -> dict[str, str]:
    return make_environment(container, base or {}, SOURCES, facts=facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("100$", "100$"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


@given(st.text(alphabet="ab $()"))
def test_doubled_dollars_protect_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"a": "1", "b": "2", "": "3"}) == text


def test_later_variables_see_earlier_ones(facts: Facts) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "C"}]
    assert env_of(facts, env=env) == {"A": "1", "B": "12", "C": ""}


def test_env_from(facts: Facts) -> None:
    found = env_of(
        facts,
        envFrom=[
            {"configMapRef": {"name": "settings"}, "prefix": "X_"},
            {"secretRef": {"name": "keys"}},
        ],
        env=[{"name": "X_color", "value": "blue"}],
    )
    assert found == {"X_color": "blue", "X_size": "3", "token": "s3cret"}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "no"}}]}, 'configmap "no" not found'),
        ({"envFrom": [{"secretRef": {"name": "no"}}]}, 'secret "no" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k"}}}]},
            'configmap "no" not found',
        ),
        (
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k"}},
                    }
                ]
            },
            "couldn't find key k in ConfigMap default/settings",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}]},
            "couldn't find key k in Secret default/keys",
        ),
    ],
)
def test_what_is_missing_is_named(facts: Facts, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        env_of(facts, **container)
    assert str(caught.value) == message


def test_what_is_optional_may_be_missing(facts: Facts) -> None:
    optional = {"optional": True}
    assert (
        env_of(
            facts,
            envFrom=[{"secretRef": {"name": "no"} | optional}],
            env=[
                {
                    "name": "A",
                    "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k"} | optional},
                },
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k"} | optional}},
            ],
        )
        == {}
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "uid-web"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hi"),
        ("metadata.labels", 'app="web"\ntier="a\\"b"'),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.1"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_fields(facts: Facts, path: str, expected: str) -> None:
    assert field_value(path, facts) == expected


def test_an_unknown_field(facts: Facts) -> None:
    with pytest.raises(ConfigError):
        field_value("spec.containers", facts)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.memory", "divisor": "1Gi"}, "8"),  # the node's
        ({"resource": "requests.cpu"}, "0"),
    ],
)
def test_resources(facts: Facts, reference: dict[str, str], expected: str) -> None:
    container = {"resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}}
    assert resource_value(reference, container, facts) == expected
