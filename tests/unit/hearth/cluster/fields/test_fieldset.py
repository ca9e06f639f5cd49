from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.fields.fieldset import FieldSet, StoredFieldSet, path_text

ELEMENTS = st.sampled_from(
    ["f:a", "f:b", "f:c", 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"s"', "v:1", "i:0"]
)
PATHS = st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple)
SETS = st.lists(PATHS, max_size=12).map(lambda paths: FieldSet.of(*paths))


@given(SETS, SETS)
def test_union_holds_the_paths_of_both(left: FieldSet, right: FieldSet) -> None:
    assert set(left.union(right)) == set(left) | set(right)


@given(SETS, SETS)
def test_a_stored_set_knows_unread_what_it_has_in_common(left: FieldSet, right: FieldSet) -> None:
    stored = StoredFieldSet(left.to_fields())
    assert stored.overlaps(right) == bool(left.intersection(right))
    assert stored.to_fields() == left.to_fields()
    assert stored == left


@given(SETS, SETS)
def test_intersection_holds_the_common_paths(left: FieldSet, right: FieldSet) -> None:
    assert set(left.intersection(right)) == set(left) & set(right)


@given(SETS, SETS)
def test_difference_removes_exactly_the_paths_given(left: FieldSet, right: FieldSet) -> None:
    assert set(left.difference(right)) == set(left) - set(right)


@given(SETS, SETS)
def test_recursive_difference_removes_subtrees(left: FieldSet, right: FieldSet) -> None:
    kept = {
        path for path in left if not any(path[:end] in right for end in range(1, len(path) + 1))
    }
    assert set(left.recursive_difference(right)) == kept


@given(SETS, SETS)
def test_operations_leave_their_operands_alone(left: FieldSet, right: FieldSet) -> None:
    before = set(left), set(right)
    left.union(right), left.difference(right), left.intersection(right)
    left.recursive_difference(right)
    assert (set(left), set(right)) == before


@given(SETS)
def test_fields_v1_round_trip(fields: FieldSet) -> None:
    assert FieldSet.from_fields(fields.to_fields()) == fields


@given(SETS, PATHS)
def test_contains_agrees_with_iteration(fields: FieldSet, path: tuple[str, ...]) -> None:
    assert (path in fields) == (path in set(fields))


@given(SETS)
def test_a_set_is_true_when_it_has_a_path(fields: FieldSet) -> None:
    assert bool(fields) == bool(set(fields))


def test_fields_v1_is_written_sorted_with_the_parent_first() -> None:
    fields = FieldSet.of(
        ("f:b", 'k:{"a":1}'), ("f:b",), ("f:b", "f:z"), ("f:a", "f:c"), ("f:b", 'v:"x"')
    )
    assert list(fields.to_fields()) == ["f:a", "f:b"]
    assert list(fields.to_fields()["f:b"]) == [".", "f:z", 'k:{"a":1}', 'v:"x"']


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"x": {}}, id="short"),
        pytest.param({"q:x": {}}, id="unknown kind"),
        pytest.param({"k:nope": {}}, id="key is no JSON"),
        pytest.param({"k:[]": {}}, id="key is no object"),
        pytest.param({"i:x": {}}, id="index is no number"),
        pytest.param({"f:x": 1}, id="no object below"),
    ],
)
def test_what_is_not_fields_v1_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        FieldSet.from_fields(fields)


def test_paths_are_printed_as_conflicts_name_them() -> None:
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', "i:3")
    assert path_text(path) == '.spec[containerPort=80,protocol="TCP"][="x"][3]'
