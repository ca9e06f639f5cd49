from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.cluster.node.pod.environment import ConfigError, Facts
from hearth.cluster.node.pod.payload import (
    File,
    TokenRequest,
    effective_pod,
    make_payload,
    referenced,
    token_requests,
)
from hearth.cluster.node.volumes.sources import Snapshot

APod = Callable[..., dict[str, Any]]
SOURCES = Snapshot(
    config_maps={"settings": {"a.txt": b"A", "b.txt": b"B"}},
    secrets={"keys": {"token": b"\x00\x01"}},
)


@pytest.fixture
def facts(a_pod: APod) -> Facts:
    pod = a_pod()
    pod["metadata"]["labels"] = {"app": "web"}
    return Facts(pod, "n", {"cpu": "2"})


def payload(facts: Facts, **volume: Any) -> dict[str, File]:
    return make_payload(
        {"name": "v"} | volume, SOURCES, facts, lambda audience, s: f"{audience}/{s}"
    )


def test_a_config_map(facts: Facts) -> None:
    assert payload(facts, configMap={"name": "settings"}) == {
        "a.txt": File(b"A"),
        "b.txt": File(b"B"),
    }


def test_items_choose_and_rename(facts: Facts) -> None:
    found = payload(
        facts,
        configMap={
            "name": "settings",
            "defaultMode": 0o400,
            "items": [
                {"key": "a.txt", "path": "x/y"},
                {"key": "b.txt", "path": "b", "mode": 0o755},
            ],
        },
    )
    assert found == {"x/y": File(b"A", 0o400), "b": File(b"B", 0o755)}


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent config key: z",
        ),
        (
            {"secret": {"secretName": "keys", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent secret key: z",
        ),
    ],
)
def test_what_is_missing(facts: Facts, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        payload(facts, **volume)
    assert str(caught.value) == message


def test_an_optional_source_may_be_missing(facts: Facts) -> None:
    assert payload(facts, configMap={"name": "no", "optional": True}) == {}


def test_a_projected_volume(facts: Facts) -> None:
    found = payload(
        facts,
        projected={
            "sources": [
                {"secret": {"name": "keys"}},
                {
                    "serviceAccountToken": {
                        "path": "jwt",
                        "audience": "me",
                        "expirationSeconds": 600,
                    }
                },
                {
                    "downwardAPI": {
                        "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
                    }
                },
            ]
        },
    )
    assert found == {
        "token": File(b"\x00\x01"),
        "jwt": File(b"me/600"),
        "labels": File(b'app="web"'),
    }


def test_what_a_pod_refers_to(a_pod: APod) -> None:
    pod = a_pod(
        {
            "envFrom": [{"configMapRef": {"name": "a"}}],
            "env": [
                {"name": "X", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}},
                {"name": "Y", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
        },
        volumes=[
            {"name": "v", "configMap": {"name": "c"}},
            {"name": "w", "projected": {"sources": [{"secret": {"name": "d"}}]}},
            {"name": "e", "emptyDir": {}},
        ],
    )
    assert referenced(pod) == (frozenset("ac"), frozenset("bd"))
    assert token_requests(pod) == []


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, False),
        ({"serviceAccountName": "default"}, False),
        ({"serviceAccountName": "robot"}, True),
        ({"serviceAccountName": "robot", "automountServiceAccountToken": False}, False),
        ({"automountServiceAccountToken": True}, True),
    ],
)
def test_token_files_are_for_those_who_ask(a_pod: APod, spec: dict[str, Any], wanted: bool) -> None:
    mounts = [{"name": "kube-api-access-x", "mountPath": "/t"}]
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    volumes = [
        {"name": "kube-api-access-x", "projected": {"sources": [token]}},
        {"name": "own", "emptyDir": {}},
    ]
    pod = effective_pod(a_pod({"volumeMounts": mounts}, volumes=volumes, **spec))
    kept = pod["spec"]["containers"][0]["volumeMounts"]
    assert kept == (mounts if wanted else mounts[1:])
    assert pod["spec"]["volumes"] == (volumes if wanted else volumes[1:])
    assert token_requests(pod) == ([TokenRequest("", 3607)] if wanted else [])
