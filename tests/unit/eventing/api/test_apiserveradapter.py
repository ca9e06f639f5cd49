"""What the adapter of an ApiServerSource is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventing.api.apiserveradapter import AdapterConfig, Watched

CONFIG = AdapterConfig(
    "https://api",
    [Watched("apps", "v1", "deployments", "a=b"), Watched("", "v1", "events")],
    namespaces=["ns"],
    whole=True,
    owner={"apiVersion": "apps/v1", "kind": "ReplicaSet"},
    filters=[{"exact": {"type": "x"}}],
)


def test_it_is_read_as_it_was_written_in_knatives_form() -> None:
    assert AdapterConfig.from_json(CONFIG.to_json()) == CONFIG
    plain = AdapterConfig("https://api", [Watched("", "v1", "pods")], [], all_namespaces=True)
    assert AdapterConfig.from_json(plain.to_json()) == plain
    content = json.loads(CONFIG.to_json())
    assert content["resources"][0] == {
        "gvr": {"Group": "apps", "Version": "v1", "Resource": "deployments"},
        "selector": "a=b",
    }
    assert (content["mode"], content["namespaces"]) == ("Resource", ["ns"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"resources": [{}], "source": "x"}'])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="K_SOURCE_CONFIG cannot be read"):
        AdapterConfig.from_json(text)


def owned(kind: str, version: str = "apps/v1", *, controller: bool = True) -> dict[str, Any]:
    reference = {"apiVersion": version, "kind": kind, "controller": controller}
    return {"metadata": {"ownerReferences": [reference]}}


def test_only_the_controller_counts_as_owner() -> None:
    assert CONFIG.is_owned(owned("ReplicaSet"))
    assert not CONFIG.is_owned(owned("ReplicaSet", controller=False))
    assert not CONFIG.is_owned(owned("ReplicaSet", "extensions/v1"))
    assert not CONFIG.is_owned(owned("Job"))
    assert not CONFIG.is_owned({"metadata": {}})
    any_version = AdapterConfig("", [], owner={"kind": "ReplicaSet"})
    assert any_version.is_owned(owned("ReplicaSet", "x/v1"))
    assert AdapterConfig("", []).is_owned({})


def test_labels_select() -> None:
    labelled = {"metadata": {"labels": {"a": "b"}}}
    assert CONFIG.watched[0].selects(labelled)
    assert not CONFIG.watched[0].selects({"metadata": {}})
    assert CONFIG.watched[1].selects({})
