"""Ownership of fields through sequences of writes, told in the terms of one small schema."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.fields.fieldset import FieldSet
from hearth.cluster.fields.updates import (
    ApplyError,
    apply,
    conflict_status,
    keep_times,
    reset_fields,
    track_update,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "uid": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                "finalizers": {
                    "type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set",
                },
            },
        },
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "color": {"type": "string"},
                "atomicMap": {
                    "type": "object", "additionalProperties": {"type": "string"},
                    "x-kubernetes-map-type": "atomic",
                },
                "list": {"type": "array", "items": {"type": "integer"}},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "port": {"type": "integer"},
                            "protocol": {"type": "string", "default": "TCP"},
                            "name": {"type": "string"},
                        },
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}  # fmt: skip
V1 = "example.com/v1"


def a_widget(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": V1, "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def entries(obj: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["metadata"].get("managedFields", [])
    return found


def fields_of(obj: dict[str, Any], manager: str) -> dict[str, Any] | None:
    return next((e["fieldsV1"] for e in entries(obj) if e["manager"] == manager), None)


def created(obj: dict[str, Any], manager: str = "creator", now: str = "t1") -> dict[str, Any]:
    obj = copy.deepcopy(obj)
    tracked = track_update(None, obj, schema=SCHEMA, manager=manager, api_version=V1, now=now)
    obj["metadata"]["managedFields"] = tracked
    return obj


def updated(
    old: dict[str, Any], manager: str, *, now: str = "t2", subresource: str = "", **spec: Any
) -> dict[str, Any]:
    new = copy.deepcopy(old)
    new["spec"] = spec
    new["metadata"]["managedFields"] = track_update(
        old, new, schema=SCHEMA, manager=manager, api_version=V1, now=now, subresource=subresource
    )
    return new


def applied(
    live: dict[str, Any] | None,
    config: dict[str, Any],
    manager: str,
    *,
    force: bool = False,
    now: str = "t3",
) -> dict[str, Any]:
    before = copy.deepcopy((live, config))
    merged, conflicts = apply(
        live, config, schema=SCHEMA, manager=manager, force=force, api_version=V1, now=now
    )
    assert not conflicts
    assert (live, config) == before, "inputs are not changed"
    return merged


# --- updates -------------------------------------------------------------------------------------


def test_a_creator_owns_what_it_sent_but_not_names_and_server_fields() -> None:
    obj = created(a_widget(size=1, ports=[{"port": 80, "name": "a"}]))
    assert entries(obj) == [
        {
            "manager": "creator",
            "operation": "Update",
            "apiVersion": V1,
            "time": "t1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    ".": {},
                    "f:ports": {
                        ".": {},
                        'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}},
                    },
                    "f:size": {},
                }
            },
        }
    ]


def test_an_updater_takes_the_fields_that_it_changes() -> None:
    obj = updated(created(a_widget(size=1, color="red")), "other", size=2, color="red")
    assert fields_of(obj, "creator") == {"f:spec": {".": {}, "f:color": {}}}
    assert fields_of(obj, "other") == {"f:spec": {"f:size": {}}}


def test_an_owner_who_has_nothing_left_is_dropped() -> None:
    obj = created(a_widget(size=1))
    del obj["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["."]
    obj = updated(obj, "other", size=2)
    assert [e["manager"] for e in entries(obj)] == ["other"]


def test_an_update_that_changes_nothing_keeps_the_time() -> None:
    obj = created(a_widget(size=1))
    assert entries(updated(obj, "creator", size=1)) == entries(obj)


def test_an_object_that_was_never_tracked_stays_so_under_updates() -> None:
    assert entries(updated(a_widget(size=1), "other", size=2)) == []


def test_the_request_may_reset_managed_fields() -> None:
    old = created(a_widget(size=1))
    new = copy.deepcopy(old)
    new["metadata"]["managedFields"] = [{}]
    assert track_update(old, new, schema=SCHEMA, manager="m", api_version=V1, now="t2") == []


def test_a_request_through_a_subresource_cannot_set_managed_fields() -> None:
    old = created(a_widget(size=1))
    new = copy.deepcopy(old)
    new["metadata"]["managedFields"] = []
    tracked = track_update(
        old, new, schema=SCHEMA, manager="m", api_version=V1, now="t2", subresource="status"
    )
    assert tracked == entries(old)


def test_a_client_that_drops_managed_fields_loses_nothing() -> None:
    old = created(a_widget(size=1))
    new = copy.deepcopy(old)
    del new["metadata"]["managedFields"]
    tracked = track_update(old, new, schema=SCHEMA, manager="m", api_version=V1, now="t2")
    assert tracked == entries(old)


def test_reset_fields_are_owned_by_nobody() -> None:
    new = {**a_widget(size=1), "status": {"ready": True}}
    on_main = track_update(
        None, new, schema=SCHEMA, manager="m", api_version=V1, now="t",
        reset=reset_fields("", has_status=True),
    )  # fmt: skip
    on_status = track_update(
        None, new, schema=SCHEMA, manager="m", api_version=V1, now="t", subresource="status",
        reset=reset_fields("status", has_status=True),
    )  # fmt: skip
    assert list(on_main[0]["fieldsV1"]) == ["f:spec"]
    assert list(on_status[0]["fieldsV1"]) == ["f:status"]


def test_an_object_that_does_not_fit_its_schema_keeps_its_owners() -> None:
    old = created(a_widget(size=1))
    new = copy.deepcopy(old)
    new["spec"]["nonsense"] = 1
    tracked = track_update(old, new, schema=SCHEMA, manager="m", api_version=V1, now="t2")
    assert tracked == entries(old)


def test_old_update_entries_are_merged_beyond_ten() -> None:
    spec: dict[str, Any] = {"free": {}}
    obj = created(a_widget(**spec), now="t00")
    for number in range(1, 12):
        spec = {"free": {**spec["free"], f"k{number}": 1}}
        obj = updated(obj, f"m{number}", now=f"t{number:02}", **spec)
    assert len(entries(obj)) == 10
    assert entries(obj)[0]["manager"] == "ancient-changes"
    assert entries(obj)[0]["time"] == "t02"
    owned = FieldSet()
    for entry in entries(obj):
        owned = owned.union(FieldSet.from_fields(entry["fieldsV1"]))
    assert {("f:spec", "f:free", f"f:k{n}") for n in range(1, 12)} <= set(owned)


def test_duplicate_list_items_are_owned_as_one() -> None:
    ports = [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]
    obj = created(a_widget(ports=ports))
    key = 'k:{"port":80,"protocol":"TCP"}'
    assert fields_of(obj, "creator") == {"f:spec": {".": {}, "f:ports": {".": {}, key: {}}}}
    obj = updated(obj, "other", ports=ports[:1])
    assert fields_of(obj, "other") == {
        "f:spec": {"f:ports": {key: {".": {}, "f:name": {}, "f:port": {}}}}
    }


# --- apply ---------------------------------------------------------------------------------------


def test_an_applier_owns_what_it_names() -> None:
    obj = applied(None, a_widget(size=1, atomicMap={"a": "1"}, list=[1]), "alice")
    assert entries(obj) == [
        {
            "manager": "alice",
            "operation": "Apply",
            "apiVersion": V1,
            "time": "t3",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:atomicMap": {}, "f:list": {}, "f:size": {}}},
        }
    ]


def test_appliers_merge_maps_and_keyed_lists() -> None:
    obj = applied(None, a_widget(ports=[{"port": 80, "name": "a"}], size=1), "alice")
    obj = applied(obj, a_widget(ports=[{"port": 81, "name": "b"}], color="red"), "bob")
    assert obj["spec"]["ports"] == [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    assert obj["spec"]["size"] == 1
    assert obj["spec"]["color"] == "red"


def test_a_field_that_its_applier_drops_is_removed() -> None:
    obj = applied(None, a_widget(size=1, color="red"), "alice")
    obj = applied(obj, a_widget(size=1), "alice")
    assert obj["spec"] == {"size": 1}


def test_a_dropped_field_stays_when_another_owns_it_too() -> None:
    obj = applied(None, a_widget(size=1, color="red"), "alice")
    obj = applied(obj, a_widget(color="red"), "bob")
    obj = applied(obj, a_widget(size=1), "alice")
    assert obj["spec"] == {"size": 1, "color": "red"}


def test_a_dropped_list_item_is_removed_with_what_others_do_not_own() -> None:
    obj = applied(None, a_widget(ports=[{"port": 80, "name": "a"}, {"port": 81}]), "alice")
    obj = applied(obj, a_widget(ports=[{"port": 81}]), "alice")
    assert obj["spec"]["ports"] == [{"port": 81}]


def test_fields_of_an_updater_are_not_removed_by_an_applier() -> None:
    obj = created(a_widget(size=1, free={"a": 1}))
    obj = applied(obj, a_widget(free={"b": 1}), "alice")
    obj = applied(obj, a_widget(), "alice")
    assert obj["spec"] == {"size": 1, "free": {"a": 1}}


def test_sharing_a_value_is_no_conflict_and_changes_no_time() -> None:
    obj = applied(None, a_widget(size=1), "alice", now="t1")
    shared = applied(obj, a_widget(size=1), "carol", now="t2")
    assert [("time" in e, e["manager"]) for e in entries(shared)] == [
        (False, "carol"),
        (True, "alice"),
    ]


def test_another_value_conflicts_and_changes_nothing() -> None:
    obj = applied(None, a_widget(size=1), "alice")
    merged, conflicts = apply(
        obj, a_widget(size=2), schema=SCHEMA, manager="bob", force=False, api_version=V1, now="t"
    )
    assert merged == obj
    assert conflict_status(conflicts)["message"] == (
        'Apply failed with 1 conflict: conflict with "alice": .spec.size'
    )


def test_conflicts_with_several_managers_are_listed_by_manager() -> None:
    obj = applied(created(a_widget(color="red")), a_widget(size=1, list=[1]), "alice")
    _, conflicts = apply(
        obj, a_widget(size=2, list=[2], color="blue"), schema=SCHEMA, manager="bob", force=False,
        api_version=V1, now="t",
    )  # fmt: skip
    status = conflict_status(conflicts)
    assert status["message"] == (
        'Apply failed with 3 conflicts: conflicts with "alice":\n- .spec.list\n- .spec.size\n'
        f'conflicts with "creator" using {V1}:\n- .spec.color'
    )
    assert status["details"]["causes"][2] == {
        "reason": "FieldManagerConflict",
        "message": f'conflict with "creator" using {V1}',
        "field": ".spec.color",
    }


def test_force_takes_the_field_from_its_owner() -> None:
    obj = applied(None, a_widget(size=1, color="red"), "alice")
    obj = applied(obj, a_widget(size=2), "bob", force=True)
    assert obj["spec"]["size"] == 2
    assert fields_of(obj, "alice") == {"f:spec": {"f:color": {}}}
    assert fields_of(obj, "bob") == {"f:spec": {"f:size": {}}}


def test_an_untracked_object_has_an_owner_before_its_first_apply() -> None:
    obj = applied(a_widget(size=1), a_widget(color="red"), "alice")
    assert fields_of(obj, "before-first-apply") == {"f:spec": {".": {}, "f:size": {}}}


def test_kubectl_takes_over_what_it_applied_on_the_client_side() -> None:
    last = json.dumps(a_widget(size=1))
    obj = a_widget(size=1)
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": last}
    obj = created(obj, "kubectl-client-side-apply")
    obj = applied(obj, a_widget(size=2), "kubectl")
    assert obj["spec"]["size"] == 2
    annotation = obj["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(annotation) == a_widget(size=2)


def test_managed_fields_in_an_applied_object_are_refused() -> None:
    config = a_widget(size=1)
    config["metadata"]["managedFields"] = [{"manager": "x"}]
    with pytest.raises(ApplyError, match=r"metadata\.managedFields must be nil") as caught:
        applied(None, config, "x")
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"nope": 1}, ".spec.nope: field not declared in schema", id="unknown"),
        pytest.param(
            {"ports": [{"port": 1}, {"port": 1}]},
            '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]',
            id="duplicate",
        ),
        pytest.param(
            {"color": 1},
            ".spec.color: expected string, got &value.valueUnstructured{Value:1}",
            id="string",
        ),
        pytest.param(
            {"size": "x"}, ".spec.size: expected numeric (int or float), got string", id="number"
        ),
        pytest.param({"ports": {"a": 1}}, ".spec.ports: expected list, got &{map[a:1]}", id="list"),
        pytest.param({"free": ["a"]}, ".spec.free: expected map, got &{[a]}", id="map"),
    ],
)
def test_what_cannot_be_walked_cannot_be_applied(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApplyError) as caught:
        applied(None, a_widget(**spec), "x")
    assert str(caught.value) == (
        f"failed to create typed patch object (/w; {V1}, Kind=Widget): {message}"
    )


def test_an_applied_list_keeps_the_order_of_the_applier() -> None:
    ports = [{"port": n} for n in (1, 2, 3)]
    obj = applied(None, a_widget(ports=ports), "alice")
    obj = applied(obj, a_widget(ports=[{"port": 9}, {"port": 3}, {"port": 1}]), "bob")
    assert [p["port"] for p in obj["spec"]["ports"]] == [2, 9, 3, 1]


def test_keep_times_restores_times_of_an_unchanged_object() -> None:
    old = applied(None, a_widget(size=1), "alice", now="t1")
    new = copy.deepcopy(old)
    new["metadata"]["managedFields"][0]["time"] = "t2"
    keep_times(old, new)
    assert new == old


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "color": st.sampled_from(["red", "blue"]),
        "list": st.lists(st.integers(0, 2), max_size=2),
        "atomicMap": st.dictionaries(st.sampled_from("ab"), st.just("1"), max_size=2),
        "free": st.dictionaries(
            st.sampled_from("abc"),
            st.one_of(st.integers(0, 2), st.dictionaries(st.sampled_from("xy"), st.just(1))),
            max_size=3,
        ),
        "ports": st.lists(
            st.fixed_dictionaries(
                {"port": st.integers(1, 4)}, optional={"name": st.sampled_from("ab")}
            ),
            max_size=3,
            unique_by=lambda port: port["port"],
        ),
    },
)


@given(SPECS, SPECS)
def test_applying_twice_is_the_same_as_once(first: Any, second: Any) -> None:
    obj = applied(None, a_widget(**first), "alice")
    once = applied(obj, a_widget(**second), "bob", force=True)
    again = applied(once, a_widget(**second), "bob", force=True, now="t9")
    assert again == once


@given(SPECS, SPECS)
def test_what_was_applied_is_there_and_owned(first: Any, second: Any) -> None:
    obj = applied(None, a_widget(**first), "alice")
    obj = applied(obj, a_widget(**second), "bob", force=True)
    alone = applied(None, a_widget(**second), "bob")
    mine = FieldSet.from_fields(fields_of(alone, "bob") or {})
    assert FieldSet.from_fields(fields_of(obj, "bob") or {}) == mine
    for key in ("size", "color", "list", "atomicMap"):
        if key in second:
            assert obj["spec"][key] == second[key]


@given(SPECS, SPECS)
def test_a_sole_applier_gets_what_it_applied_last(first: Any, second: Any) -> None:
    obj = applied(None, a_widget(**first), "alice")
    obj = applied(obj, a_widget(**second), "alice")
    assert _without_empty(obj.get("spec", {})) == _without_empty(second)


@given(SPECS, SPECS)
def test_no_two_updaters_own_a_field_that_only_one_set(first: Any, second: Any) -> None:
    obj = updated(created(a_widget(**first)), "other", **second)
    mine = FieldSet.from_fields(fields_of(obj, "creator") or {})
    theirs = FieldSet.from_fields(fields_of(obj, "other") or {})
    assert not mine.intersection(theirs)


@given(SPECS, SPECS, SPECS)
def test_owners_are_the_same_whether_read_from_the_store_or_sent(
    first: Any, second: Any, third: Any
) -> None:
    """Those of the store are read where a write concerns them, those sent in whole."""
    obj = updated(applied(created(a_widget(**first)), a_widget(**second), "bob", force=True), "eve")
    sent = copy.deepcopy(obj)
    sent["spec"] = {**sent.get("spec", {}), **third}
    assert fields_by_owner(obj, sent) == fields_by_owner({**obj, "metadata": {"name": "w"}}, sent)


def fields_by_owner(old: dict[str, Any], new: dict[str, Any]) -> Any:
    return track_update(old, new, schema=SCHEMA, manager="eve", api_version=V1, now="t7")


def _without_empty(value: Any) -> Any:
    """Whether an empty map or list is there or not is not told apart here, and order neither."""
    if isinstance(value, dict):
        kept = {k: _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v not in (None, {}, [])}
    if isinstance(value, list):
        return sorted(
            (_without_empty(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True)
        )
    return value
