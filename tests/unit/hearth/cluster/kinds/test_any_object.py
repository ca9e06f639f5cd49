"""No object that decodes, however odd, makes a rule fail with anything but its messages."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.cluster.codec.typecheck import decode_errors, unknown_fields
from hearth.cluster.kinds import catalog
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.typetable import GoType, Struct, struct_of

KINDS = [kind for kind in catalog.KINDS if kind.kind != "CustomResourceDefinition"]
WORDS = st.sampled_from(
    ["", "a", "A b", "x/y", "None", "Always", "RollingUpdate", "80%", "10.0.0.1", "..", "http"]
)
NUMBERS = st.sampled_from([-1, 0, 1, 80, 70000, 2**31 - 1])
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": NUMBERS,
    "int32": NUMBERS,
    "int64": NUMBERS,
    "float64": NUMBERS,
    "bytes": st.sampled_from(["", "YQ==", "e30="]),
    "Time": st.just("2026-01-02T03:04:05Z"),
    "MicroTime": st.just("2026-01-02T03:04:05.000006Z"),
    "Quantity": st.sampled_from(["0", "1", "100m", "1.5Gi", "-1", 2]),
    "IntOrString": st.sampled_from([0, 1, -1, "50%", "http", ""]),
    "Any": st.sampled_from([1, "a"]),
    "RawExtension": st.builds(dict),
    "FieldsV1": st.builds(dict),
}


def values(go_type: GoType, depth: int) -> st.SearchStrategy[Any]:
    found: st.SearchStrategy[Any]
    if go_type.struct is not None:
        found = objects(go_type.struct, depth - 1) if depth > 0 else st.builds(dict)
    elif go_type.elem is not None:
        inner = values(go_type.elem, depth)
        if go_type.kind == "list":
            found = st.lists(inner, max_size=2)
        else:
            found = st.dictionaries(WORDS, inner, max_size=2)
    else:
        found = SCALARS.get(go_type.kind, WORDS)
    return st.none() | found


@st.composite
def objects(draw: st.DrawFn, struct: Struct, depth: int) -> dict[str, Any]:
    names = (
        draw(st.lists(st.sampled_from(sorted(struct.fields)), unique=True, max_size=4))
        if (struct.fields)
        else []
    )
    for name in ("spec", "template", "containers", "webhooks"):
        if name in struct.fields and name not in names:
            names.append(name)
    return {name: draw(values(struct.fields[name].type, depth)) for name in names}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.version} {kind.kind}")
@settings(max_examples=6)
@given(data=st.data())
def test_rules_only_speak_in_messages(kind: Kind, data: st.DataObject) -> None:
    struct = struct_of(kind.schema)
    assert struct is not None
    obj = data.draw(objects(struct, 5))
    given_metadata = obj.get("metadata") or {}
    obj["metadata"] = {**given_metadata, "name": "x", "namespace": "n", "uid": "u"}
    assert decode_errors(obj, kind.schema, kind.kind) == []
    assert unknown_fields(obj, kind.schema) == []
    strategy = kind.strategy
    strategy.default(obj)
    strategy.prepare(obj, None)
    strategy.validate(obj)
    if strategy.warnings is not None:
        strategy.warnings(obj, None)
    assert len(kind.table.cells(obj, 0.0)) == len(kind.table.columns)
    for read in strategy.selectable_fields.values():
        assert isinstance(read(obj), str)
    again = copy.deepcopy(obj)
    strategy.default(again)
    assert again == obj
    changed = data.draw(objects(struct, 4))
    changed["metadata"] = {"name": "x", "namespace": "n", "uid": "u"}
    strategy.default(changed)
    strategy.prepare(changed, obj)
    strategy.validate_update(changed, obj)
    strategy.validate_status(changed, obj)
