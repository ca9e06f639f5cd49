"""ObjectMeta validation."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.model.objectmeta import validate_object_meta, validate_object_meta_update
from hearth.kube.names import dns1123_label_problems

NAME = "name part must consist of alphanumeric characters"


def errors(metadata: dict[str, Any], *, namespaced: bool = True) -> list[tuple[str, str]]:
    given = {"name": "x", **({"namespace": "n"} if namespaced else {}), **metadata}
    found = validate_object_meta({"metadata": given}, namespaced=namespaced)
    return [(error.field, error.message) for error in found]


@pytest.mark.parametrize(
    ("metadata", "field", "start"),
    [
        ({"name": ""}, "metadata.name", "Required value: name or generateName is required"),
        ({"name": "A"}, "metadata.name", 'Invalid value: "A": a lowercase RFC 1123 subdomain'),
        ({"namespace": ""}, "metadata.namespace", "Required value"),
        ({"namespace": "a.b"}, "metadata.namespace", 'Invalid value: "a.b": must not contain dots'),
        ({"generateName": "AB-"}, "metadata.generateName", 'Invalid value: "AB-": a lowercase'),
        ({"generation": -1}, "metadata.generation", "Invalid value: -1: must be greater than"),
        ({"labels": {"a b": ""}}, "metadata.labels", f'Invalid value: "a b": {NAME}'),
        ({"labels": {"a": "b c"}}, "metadata.labels", 'Invalid value: "b c": a valid label must'),
        (
            {"labels": {"a": "x" * 64}},
            "metadata.labels",
            f'Invalid value: "{"x" * 64}": must be no',
        ),
        ({"labels": {"/a": ""}}, "metadata.labels", 'Invalid value: "/a": prefix part must be'),
        ({"labels": {"a/b/c": ""}}, "metadata.labels", 'Invalid value: "a/b/c": a valid label key'),
        ({"annotations": {"a b": ""}}, "metadata.annotations", f'Invalid value: "a b": {NAME}'),
        (
            {"annotations": {"a": "x" * 300_000}},
            "metadata.annotations",
            "Too long: may not be more than 262144 bytes",
        ),
        ({"finalizers": ["a b"]}, "metadata.finalizers", f'Invalid value: "a b": {NAME}'),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            "metadata.finalizers",
            'Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and',
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "u"}]},
            "metadata.ownerReferences",
            'Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u"}: /v1, Kind',
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "e"}]},
            "metadata.ownerReferences.uid",
            'Invalid value: "": must not be empty',
        ),
        (
            {"managedFields": [{"operation": "Guess"}]},
            "metadata.managedFields[0].operation",
            'Invalid value: "Guess": must be `Apply` or `Update`',
        ),
    ],
)
def test_one_thing_wrong(metadata: dict[str, Any], field: str, start: str) -> None:
    found = errors(metadata)
    assert len(found) == 1
    assert found[0][0] == field
    assert found[0][1].startswith(start)


@pytest.mark.parametrize("bad", [{"labels": {"a b": ""}}, {"annotations": {"a b": ""}}])
def test_what_an_update_leaves_as_it_was_is_not_looked_at(bad: dict[str, Any]) -> None:
    named = {"name": "x", "namespace": "n", "resourceVersion": "1"}
    old, new = {"metadata": {**named, **bad}}, {"metadata": {**named, **bad, "uid": ""}}
    assert validate_object_meta(new, namespaced=True, known=old) == []
    assert validate_object_meta_update(new, old) == []
    assert len(validate_object_meta(new, namespaced=True, known={"metadata": named})) == 1
    assert len(validate_object_meta_update(new, {"metadata": named})) == 1


def test_nothing_wrong() -> None:
    assert errors({"labels": {"example.com/a": "", "b": "C_1"}, "finalizers": ["e.com/f"]}) == []
    assert errors({"generateName": "pod-"}) == []


def test_a_namespace_where_there_is_none() -> None:
    found = errors({"namespace": "n"}, namespaced=False)
    assert found == [("metadata.namespace", "Forbidden: not allowed on this type")]


def test_a_kind_may_have_its_own_rule_for_names() -> None:
    obj = {"metadata": {"name": "a.b"}}
    found = validate_object_meta(obj, namespaced=False, name_fn=dns1123_label_problems)
    assert [str(e) for e in found] == ['metadata.name: Invalid value: "a.b": must not contain dots']


OLD = {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "1"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "y"}, "metadata.name"),
        ({"uid": "v"}, "metadata.uid"),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "metadata.deletionTimestamp"),
        ({"resourceVersion": ""}, "metadata.resourceVersion"),
    ],
)
def test_what_an_update_may_not_change(change: dict[str, Any], field: str) -> None:
    found = validate_object_meta_update({"metadata": {**OLD, **change}}, {"metadata": OLD})
    assert [error.field for error in found] == [field]


def test_an_object_on_its_way_out_gets_no_new_finalizer() -> None:
    old = {**OLD, "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["e.com/a"]}
    assert (
        validate_object_meta_update({"metadata": {**old, "finalizers": []}}, {"metadata": old})
        == []
    )
    new = {**old, "finalizers": ["e.com/a", "e.com/c", "e.com/b"]}
    found = validate_object_meta_update({"metadata": new}, {"metadata": old})
    assert found[0].message.endswith('found new finalizers []string{"e.com/b", "e.com/c"}')
