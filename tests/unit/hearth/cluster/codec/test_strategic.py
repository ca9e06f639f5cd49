"""Strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.codec.strategic import PatchError, strategic_merge
from hearth.cluster.model.typetable import struct

POD_SPEC = struct("core/v1", "PodSpec").schema
METADATA = struct("meta/v1", "ObjectMeta").schema


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("current", "patch", "expected"),
    [
        pytest.param({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="adds"),
        pytest.param({"a": 1, "b": 2}, {"a": None}, {"b": 2}, id="null deletes"),
        pytest.param({"a": 1}, {"b": None}, {"a": 1}, id="null of nothing"),
        pytest.param({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}, id="nested"),
        pytest.param(
            {"a": {"x": 1}}, {"a": {"$patch": "replace", "y": 2}}, {"a": {"y": 2}}, id="replace"
        ),
        pytest.param({"a": {"x": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}, id="delete"),
        pytest.param({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}, id="nulls of new objects"),
        pytest.param(
            {"a": {"x": 1, "y": 2}},
            {"a": {"$retainKeys": ["y", "z"], "z": 3}},
            {"a": {"y": 2, "z": 3}},
            id="retain keys",
        ),
        pytest.param(
            {"tolerations": [1]}, {"tolerations": [2]}, {"tolerations": [2]}, id="atomic list"
        ),
    ],
)
def test_objects(current: Any, patch: Any, expected: Any) -> None:
    assert strategic_merge(current, patch, POD_SPEC) == expected


@pytest.mark.parametrize(
    ("current", "patch", "expected"),
    [
        pytest.param(["a"], ["b"], ["b", "a"], id="patched items come first"),
        pytest.param(["a", "b"], ["b"], ["a", "b"], id="known items keep their place"),
        pytest.param(["a", "b", "c"], ["c", "a"], ["b", "c", "a"], id="order of the patch"),
        pytest.param([], ["a"], ["a"], id="into nothing"),
    ],
)
def test_lists_with_a_merge_key(current: Any, patch: Any, expected: Any) -> None:
    merged = strategic_merge(
        {"containers": named(*current)}, {"containers": named(*patch)}, POD_SPEC
    )
    assert merged == {"containers": named(*expected)}


def test_list_items_are_merged_by_their_key() -> None:
    current = {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}]}
    patch = {"containers": [{"name": "c", "env": [{"name": "B", "value": "2"}]}]}
    merged = strategic_merge(current, patch, POD_SPEC)["containers"][0]
    assert merged["image"] == "i"
    assert merged["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]


def test_list_directives() -> None:
    current = {"containers": named("a", "b", "c")}
    delete = {"containers": [{"name": "b", "$patch": "delete"}]}
    assert strategic_merge(current, delete, POD_SPEC) == {"containers": named("a", "c")}
    replace = {"containers": [{"$patch": "replace"}, {"name": "z"}]}
    assert strategic_merge(current, replace, POD_SPEC) == {"containers": named("z")}


def test_lists_of_plain_values() -> None:
    current = {"finalizers": ["a", "b"]}
    assert strategic_merge(current, {"finalizers": ["c"]}, METADATA)["finalizers"] == [
        "c",
        "a",
        "b",
    ]
    delete = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_merge(current, delete, METADATA) == {"finalizers": ["b"]}
    ordered = {"$setElementOrder/finalizers": ["c", "a", "b"], "finalizers": ["c"]}
    assert strategic_merge(current, ordered, METADATA) == {"finalizers": ["c", "a", "b"]}


def test_an_order_may_come_without_changes() -> None:
    order = {"$setElementOrder/containers": named("c", "a")}
    merged = strategic_merge({"containers": named("a", "b", "c")}, order, POD_SPEC)
    assert merged == {"containers": named("b", "c", "a")}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"$patch": "burn"}, "unknown patch type: burn in map: map"),
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "merge"}]}, "cannot yet be specified"),
        ({"$retainKeys": ["a"], "b": 1}, "invalid patch format of retainKeys"),
    ],
)
def test_a_wrong_patch_says_why(patch: Any, message: str) -> None:
    with pytest.raises(PatchError, match=message.replace("$", r"\$")):
        strategic_merge({"containers": named("a")}, patch, POD_SPEC)


names = st.sampled_from("abcdef")
containers = st.lists(names, unique=True).map(
    lambda found: [{"name": name, "image": name} for name in found]
)


@given(containers)
def test_patching_with_what_is_there_changes_nothing(items: Any) -> None:
    assert strategic_merge({"containers": items}, {"containers": items}, POD_SPEC) == {
        "containers": items
    }


@given(containers, containers)
def test_a_patch_applied_twice_is_applied_once(current: Any, patch: Any) -> None:
    once = strategic_merge({"containers": current}, {"containers": patch}, POD_SPEC)
    assert strategic_merge(once, {"containers": patch}, POD_SPEC) == once


@given(containers, containers)
def test_merged_lists_hold_every_name_once_and_keep_both_orders(current: Any, patch: Any) -> None:
    before = copy.deepcopy((current, patch))
    merged = strategic_merge({"containers": current}, {"containers": patch}, POD_SPEC)
    found = [item["name"] for item in merged["containers"]]
    assert sorted(found) == sorted({item["name"] for item in current + patch})
    wanted = [item["name"] for item in patch]
    others = [item["name"] for item in current if item["name"] not in wanted]
    assert [name for name in found if name in wanted] == wanted
    assert [name for name in found if name not in wanted] == others
    assert (current, patch) == before


@given(containers, containers, st.permutations("abcdef"))
def test_a_prescribed_order_holds(current: Any, patch: Any, order: list[str]) -> None:
    present = {item["name"] for item in current + patch}
    wanted = named(*[name for name in order if name in present])
    patch = sorted(patch, key=lambda item: order.index(item["name"]))
    changes = {"containers": patch, "$setElementOrder/containers": wanted}
    merged = strategic_merge({"containers": current}, changes, POD_SPEC)
    assert named(*[item["name"] for item in merged.get("containers", [])]) == wanted


def test_a_patch_in_another_order_than_it_prescribes_is_refused() -> None:
    changes = {"containers": named("a", "b"), "$setElementOrder/containers": named("b", "a")}
    with pytest.raises(PatchError, match=r"The order in patch list:\n\[map\[name:a\] map"):
        strategic_merge({"containers": named("a", "b")}, changes, POD_SPEC)
