"""Field errors compose as Knative's do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.knative import fielderrors as fe


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("spec", "name"), "spec.name"),
        (("spec", "[0]", "name"), "spec[0].name"),
        (("spec", "[0]", "[1]"), "spec[0][1]"),
        (("[0]", "spec"), "[0].spec"),
        (("spec", ""), "spec"),
        (("metadata", "[example.com/key]"), "metadata.[example.com/key]"),
        (("metadata", "[key]"), "metadata[key]"),
    ],
)
def test_paths(parts: tuple[str, ...], path: str) -> None:
    assert fe.join_path(parts) == path


def test_equal_messages_become_one_with_sorted_paths() -> None:
    errors = [
        *fe.via([fe.missing("b")], "spec"),
        fe.disallowed("x"),
        *fe.via([fe.missing("a"), fe.missing("b")], "spec"),
    ]
    assert fe.text(errors) == ("missing field(s): spec.a, spec.b\nmust not set the field(s): x")


def test_details_stand_below() -> None:
    assert fe.text([fe.invalid("x", "a", "why", "how")]) == "invalid value: x: a\nwhy, how"


def test_an_error_without_a_path_keeps_its_colon() -> None:
    assert fe.text(fe.via([fe.FieldError("off")], "spec")) == "off: "


def test_bounds_and_choices() -> None:
    assert fe.line(fe.out_of_bounds(0, 5, 3, field="n")) == "expected 0 <= 5 <= 3: n"
    assert fe.line(fe.multiple_one_of("a", "b")) == "expected exactly one, got both: a, b"
    assert fe.line(fe.missing_one_of("a")) == "expected exactly one, got neither: a"
    assert fe.line(fe.invalid_key("k", "m")) == 'invalid key name "k": m'


@given(st.lists(st.sampled_from("abc"), max_size=6))
def test_order_and_repetition_do_not_matter(names: list[str]) -> None:
    errors = [fe.missing(name) for name in names]
    assert fe.text(errors) == fe.text([*reversed(errors), *errors])
