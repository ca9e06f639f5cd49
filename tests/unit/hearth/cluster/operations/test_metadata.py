from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.kind import Kind
from hearth.cluster.operations.metadata import (
    counts_as_change,
    fill_for_create,
    keep_for_update,
)

BY_NAME: dict[str, Kind] = {kind.kind: kind for kind in reversed(KINDS)}


def created(kind: str, **metadata: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"metadata": metadata}
    fill_for_create(
        obj, BY_NAME[kind], namespace="ns", now="2026-01-01T00:00:00Z", uid="u", suffix="abcde"
    )
    filled: dict[str, Any] = obj["metadata"]
    return filled


def test_the_server_decides_identity_and_age() -> None:
    metadata = created("Deployment", name="d", uid="mine", creationTimestamp="1999-01-01T00:00:00Z")
    assert metadata == {
        "name": "d",
        "namespace": "ns",
        "uid": "u",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
    }


def test_what_only_the_server_may_say_is_dropped() -> None:
    metadata = created("ConfigMap", name="c", deletionTimestamp="x", selfLink="/x", generation=7)
    assert metadata.keys() == {"name", "namespace", "uid", "creationTimestamp"}


@pytest.mark.parametrize(
    ("base", "name"),
    [("job-", "job-abcde"), ("x" * 70, "x" * 58 + "abcde")],
)
def test_a_generated_name_ends_in_random_letters(base: str, name: str) -> None:
    assert created("ConfigMap", generateName=base)["name"] == name


def test_objects_of_the_whole_cluster_have_no_namespace() -> None:
    assert "namespace" not in created("Node", name="n", namespace="other")


def test_an_update_keeps_what_it_may_not_change() -> None:
    old = {"name": "a", "uid": "u", "creationTimestamp": "t", "generation": 3}
    new = {"generation": 9, "selfLink": "/x", "deletionGracePeriodSeconds": 5}
    keep_for_update(new, old)
    assert new == old


def test_an_update_may_name_the_uid_it_means() -> None:
    new: dict[str, Any] = {"name": "a", "uid": "other"}
    keep_for_update(new, {"name": "a", "uid": "u"})
    assert new["uid"] == "other"


@pytest.mark.parametrize(
    ("new", "ignore_status", "expected"),
    [
        pytest.param({"spec": 1, "status": 1, "metadata": {"a": 1}}, True, False, id="metadata"),
        pytest.param({"spec": 2, "status": 1}, True, True, id="spec"),
        pytest.param({"spec": 1, "status": 2}, True, False, id="status apart"),
        pytest.param({"spec": 1, "status": 2}, False, True, id="status not apart"),
        pytest.param({"status": 1}, True, True, id="a field is gone"),
    ],
)
def test_what_counts_as_a_new_generation(
    new: dict[str, Any], ignore_status: bool, expected: bool
) -> None:
    old = {"spec": 1, "status": 1, "metadata": {}}
    assert counts_as_change(new, old, ignore_status=ignore_status) is expected
