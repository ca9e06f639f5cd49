from __future__ import annotations

from dataclasses import replace

import pytest

from hearth.cluster.codec import patches
from hearth.cluster.codec.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.status import ApiStatus

CONFIGMAP = next(kind for kind in KINDS if kind.plural == "configmaps")


@pytest.mark.parametrize(
    ("body", "media", "complaint"),
    [
        (b"{", MERGE_PATCH, "error decoding patch: unexpected end of JSON input"),
        (b"{", STRATEGIC_PATCH, "unexpected end of JSON input"),
        (
            b"[]",
            MERGE_PATCH,
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}",
        ),
        (
            b"{}",
            JSON_PATCH,
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "[]interface {}",
        ),
    ],
)
def test_what_is_no_patch_is_refused(body: bytes, media: str, complaint: str) -> None:
    with pytest.raises(ApiStatus) as refusal:
        patches.decode_patch(body, media)
    assert (refusal.value.code, refusal.value.message) == (400, complaint)


def test_too_many_operations_are_refused() -> None:
    body = b"[" + b",".join([b"{}"] * 10_001) + b"]"
    with pytest.raises(ApiStatus) as refusal:
        patches.decode_patch(body, JSON_PATCH)
    assert refusal.value.code == 413


def test_an_operation_that_does_not_fit_is_refused_without_a_reason() -> None:
    operations = [{"op": "remove", "path": "/data/none"}]
    with pytest.raises(ApiStatus) as refusal:
        patches.patched({"data": {}}, operations, JSON_PATCH, schema=CONFIGMAP.schema)
    assert refusal.value.code == 422
    assert "rejected our request" in refusal.value.message


def test_unknown_fields_of_a_patch_are_warned_of_or_refused() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "dota": 1}
    with pytest.raises(ApiStatus, match="strict decoding error"):
        patches.check_patched_fields(obj, CONFIGMAP, validation="Strict", duplicates=[], text="")
    said = patches.check_patched_fields(
        obj, CONFIGMAP, validation="Warn", duplicates=["data.a"], text=""
    )
    assert said == ['duplicate field "data.a"', 'unknown field "dota"']
    assert "dota" not in obj


def test_custom_kinds_take_no_strategic_patch() -> None:
    assert STRATEGIC_PATCH in patches.accepted(CONFIGMAP)
    assert STRATEGIC_PATCH not in patches.accepted(replace(CONFIGMAP, custom=True))


def test_copies_of_copies_are_bounded() -> None:
    obj = {"data": {"a": "x" * 1000}}
    doubling = [{"op": "copy", "from": "/data", "path": f"/data/k{n}"} for n in range(60)]
    with pytest.raises(ApiStatus) as refusal:
        patches.patched(obj, doubling, JSON_PATCH, schema=CONFIGMAP.schema)
    assert refusal.value.code == 413
    assert "accumulated size increase of copy" in refusal.value.message


@pytest.mark.parametrize("media", [MERGE_PATCH, STRATEGIC_PATCH, JSON_PATCH])
def test_deep_patches_are_refused(media: str) -> None:
    with pytest.raises(ApiStatus) as refusal:
        patches.decode_patch(b'{"a":' * 500 + b"1" + b"}" * 500, media)
    assert refusal.value.code == 400
    assert "exceeded max depth" in refusal.value.message


def test_a_strategic_merge_patch_of_a_wrong_type_is_shown_as_go_prints_it() -> None:
    result = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 3}}
    with pytest.raises(ApiStatus) as refusal:
        patches.check_types(
            result, CONFIGMAP.schema, "ConfigMap", patch={"data": {"a": 3}}, media=STRATEGIC_PATCH
        )
    assert refusal.value.message == (
        ' "" is invalid: patch: Invalid value: "map[data:map[a:3]]": cannot convert int64 to string'
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "Secret"}, "converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        ({"apiVersion": "v2"}, 'no kind "ConfigMap" is registered for version "v2"'),
    ],
)
def test_a_patch_may_not_change_the_kind(change: dict[str, str], problem: str) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}} | change
    with pytest.raises(ApiStatus) as refusal:
        patches.check_kind(
            obj, CONFIGMAP, media=MERGE_PATCH, is_builtin=lambda obj: obj["kind"] == "Secret"
        )
    assert refusal.value.code == 422
    assert problem in refusal.value.message
    patches.check_kind(obj, CONFIGMAP, media=STRATEGIC_PATCH, is_builtin=lambda _: True)
    assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")


def test_a_patch_that_strategic_merging_cannot_do_is_a_failure_of_the_server() -> None:
    patch = {"metadata": {"ownerReferences": [{"name": "x"}]}}
    with pytest.raises(ApiStatus, match="does not contain declared merge key: uid") as refusal:
        patches.patched({"metadata": {}}, patch, STRATEGIC_PATCH, schema=CONFIGMAP.schema)
    assert refusal.value.code == 500
