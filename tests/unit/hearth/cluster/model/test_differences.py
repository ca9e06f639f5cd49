from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.model.differences import changed_part, is_exactly, is_same

KEYS = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.just(1.0) | KEYS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


def leaves(value: Any, path: tuple[str, ...] = ()) -> set[tuple[tuple[str, ...], bytes]]:
    """Where there is what; a list is one value."""
    if isinstance(value, dict) and value:
        return set().union(*(leaves(v, (*path, k)) for k, v in value.items()))
    return {(path, orjson.dumps(value))}


@given(OBJECTS, OBJECTS)
def test_the_changed_part_has_all_that_the_old_object_has_not(new: Any, old: Any) -> None:
    part = changed_part(new, old)
    assert leaves(new) - leaves(old) <= leaves(part)
    assert part == {} or leaves(part) - {((), b"{}")} <= leaves(new) | {
        (path, b"{}") for path in paths_of(new)
    }


def paths_of(value: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not isinstance(value, dict):
        return {path}
    return {path}.union(*(paths_of(v, (*path, k)) for k, v in value.items()))


@given(OBJECTS)
def test_nothing_has_changed_in_what_is_the_same(obj: Any) -> None:
    assert changed_part(obj, orjson.loads(orjson.dumps(obj))) == {}


@pytest.mark.parametrize(("left", "right"), [(1, True), (1, 1.0), (0, False), (2**70, 2**70)])
def test_what_is_not_the_same_text_is_another_value(left: Any, right: Any) -> None:
    assert not is_exactly({"a": left}, {"a": right})
    assert changed_part({"a": left}, {"a": right}) == {"a": left}


@given(OBJECTS, OBJECTS)
def test_the_same_is_what_has_the_same_canonical_text(left: Any, right: Any) -> None:
    texts = {orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in (left, right)}
    assert is_same(left, right) == (len(texts) == 1)


def test_the_order_of_fields_makes_no_difference_and_of_items_it_does() -> None:
    assert is_same({"a": [{"b": 1, "c": 2}]}, {"a": [{"c": 2, "b": 1}]})
    assert not is_same({"a": [1, 2]}, {"a": [2, 1]})
    assert is_same(2**70, 2**70)
