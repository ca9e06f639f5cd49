from typing import Any

import pytest

from hearth.cluster.crd.jsonpath import JSONPathError, parse, text_of

OBJECT: dict[str, Any] = {
    "metadata": {"name": "x", "labels": {"a.b/c": "dotted", "plain": "p"}},
    "spec": {"list": [1, 2, 3], "m": {"x": {"v": 1}, "y": {"v": 2}}, "zero": 0},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 5},
            {"type": "Other", "status": "False"},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param(".metadata.name", ["x"], id="names"),
        pytest.param("{.metadata.name}", ["x"], id="braces"),
        pytest.param("$.metadata.name", ["x"], id="dollar"),
        pytest.param(".metadata.none.deeper", [], id="missing"),
        pytest.param(".metadata.labels['a\\.b/c']", ["dotted"], id="quoted with escaped dot"),
        pytest.param(".metadata.labels['a.b/c']", ["dotted"], id="quoted"),
        pytest.param(".metadata.labels.a\\.b/c", ["dotted"], id="escaped dot"),
        pytest.param('.metadata["name"]', ["x"], id="double quotes"),
        pytest.param(".spec.list[0]", [1], id="index"),
        pytest.param(".spec.list[-1]", [3], id="index from the end"),
        pytest.param(".spec.list[9]", [], id="index too far"),
        pytest.param(".spec.list[1:]", [2, 3], id="slice"),
        pytest.param(".spec.list[0:3:2]", [1, 3], id="slice with step"),
        pytest.param(".spec.list[::]", [1, 2, 3], id="slice without bounds"),
        pytest.param(".spec.list[*]", [1, 2, 3], id="all items"),
        pytest.param(".spec.list[0,2]", [1, 3], id="union"),
        pytest.param(".spec.m.*.v", [1, 2], id="all fields"),
        pytest.param("..v", [1, 2], id="anywhere"),
        pytest.param(".spec.zero", [0], id="zero is found"),
        pytest.param(
            '.status.conditions[?(@.type=="Ready")].status', ["True"], id="filter, double quotes"
        ),
        pytest.param(
            ".status.conditions[?(@.type=='Ready')].status", ["True"], id="filter, single quotes"
        ),
        pytest.param(".status.conditions[?(@.type!='Ready')].status", ["False"], id="not equal"),
        pytest.param(".status.conditions[?(@.n>4)].type", ["Ready"], id="greater"),
        pytest.param(".status.conditions[?(@.n>'a')].type", [], id="no order between types"),
        pytest.param(".status.conditions[?(@.n)].type", ["Ready"], id="exists"),
        pytest.param(".status.conditions[?(@.type == 'a]b')].type", [], id="bracket in quotes"),
    ],
)
def test_find(path: str, found: list[Any]) -> None:
    assert parse(path).find(OBJECT) == found


@pytest.mark.parametrize(
    "path",
    ["name", ".a[", ".a[x]", ".a[?(@.b==c)]", ".a]", ".a[-:]", ".a[::0]", ".a[1_0]", ".a[７]"],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(JSONPathError):
        parse(path)


def test_the_first_value_or_none() -> None:
    assert parse(".spec.list[*]").first(OBJECT) == 1
    assert parse(".none").first(OBJECT) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (1, "1"), (True, "true"), ({"a": [1]}, '{"a":[1]}'), (None, "<nil>")],
)
def test_values_as_text(value: Any, text: str) -> None:
    assert text_of(value) == text
