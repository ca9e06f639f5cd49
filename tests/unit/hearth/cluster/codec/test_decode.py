from __future__ import annotations

import pytest

from hearth.cluster.codec import decode
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.status import ApiStatus

CONFIGMAP = next(kind for kind in KINDS if kind.plural == "configmaps")
HPA = next(kind for kind in KINDS if kind.plural == "horizontalpodautoscalers")


def test_json_and_yaml_give_the_same_object() -> None:
    one, _ = decode.decode_object(b'{"data": {"a": "1"}}', "application/json", CONFIGMAP)
    other, _ = decode.decode_object(b"data: {a: '1'}", "application/yaml", CONFIGMAP)
    expected = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"a": "1"}}
    assert one == other == expected


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"a', 'unexpected end of JSON input ({"a)'),
        (b"", "unexpected end of JSON input (<empty>)"),
        (b"[]", "cannot unmarshal array into Go value of type struct"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(ApiStatus) as refusal:
        decode.decode_object(body, "application/json", CONFIGMAP)
    assert complaint in refusal.value.message


def test_unknown_media_types_are_refused() -> None:
    with pytest.raises(ApiStatus) as refusal:
        decode.decode_object(b"x", "text/plain", CONFIGMAP)
    assert refusal.value.code == 415


@pytest.mark.parametrize("compact", [False, True])
def test_repeated_fields_are_found_at_their_paths(compact: bool) -> None:
    body = b'{"a": 1, "b": {"c": 1, "c": 2}, "d": [{"e": 1, "e": 1}], "a": 2}'
    body = body.replace(b" ", b"") if compact else body
    assert decode.duplicate_fields(body, decode.load_json(body)) == ["a", "b.c", "d[0].e"]


@pytest.mark.parametrize(
    ("validation", "warnings"), [("Ignore", []), ("Warn", ['unknown field "dota"'])]
)
def test_unknown_fields_are_dropped(validation: str, warnings: list[str]) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "dota": 1}
    found, said = decode.check_fields(obj, CONFIGMAP, validation=validation, duplicates=[])
    assert "dota" not in found
    assert said == warnings


def test_strict_refuses_unknown_and_repeated_fields() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "dota": 1}
    with pytest.raises(ApiStatus) as refusal:
        decode.check_fields(
            obj, CONFIGMAP, validation="Strict", duplicates=['duplicate field "data.a"']
        )
    assert refusal.value.message == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "dota", duplicate field "data.a"'
    )


def test_another_kind_or_version_is_refused() -> None:
    with pytest.raises(ApiStatus, match="unknown conversion"):
        decode.check_type({"apiVersion": "v1", "kind": "Secret"}, CONFIGMAP, is_builtin=True)
    with pytest.raises(ApiStatus, match="does not match the expected API version"):
        decode.check_type({"apiVersion": "autoscaling/v9", "kind": HPA.kind}, HPA, is_builtin=True)
    with pytest.raises(ApiStatus, match='no kind "ConfigMap" is registered for version "v2"'):
        decode.check_type({"apiVersion": "v2", "kind": "ConfigMap"}, CONFIGMAP, is_builtin=False)


@pytest.mark.parametrize("levels", [300, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_deep_bodies_are_refused(levels: int, opening: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"
    body = b'{"data": ' + opening * levels + b"1" + closing * levels + b"}"
    with pytest.raises(ApiStatus) as refusal:
        decode.decode_object(body, "application/json", CONFIGMAP)
    assert refusal.value.code == 400
    assert "exceeded max depth" in refusal.value.message


def test_wide_bodies_are_taken() -> None:
    value = decode.load_json(b"[" + b"[[]]," * 1000 + b"{}]")
    assert len(value) == 1001
