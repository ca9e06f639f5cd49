from typing import Any

import pytest

from hearth.cluster.cel.expressions import CelError, Expression
from hearth.cluster.cel.syntax import rewrite

SELF: dict[str, Any] = {"a": {"b": 3}, "list": [5, 6], "name": "x.?y", "map": {"k": 1, "l": 2}}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("self.?a.hasValue()", True, id="field"),
        pytest.param("self.?none.hasValue()", False, id="missing field"),
        pytest.param("self.?a.?b.orValue(1)", 3, id="twice"),
        pytest.param("self.?a.b.orValue(1)", 3, id="goes on through the optional"),
        pytest.param("self.?none.b.orValue(1)", 1, id="goes on through nothing"),
        pytest.param("self.list[?1].orValue(0)", 6, id="index"),
        pytest.param("self.list[?9].orValue(0)", 0, id="missing index"),
        pytest.param("self.?list[0].orValue(0)", 5, id="index of an optional"),
        pytest.param("self.a.?b.optMap(v, v + 1).orValue(0)", 4, id="optMap"),
        pytest.param("self.a.?c.optMap(v, v + 1).orValue(0)", 0, id="optMap of nothing"),
        pytest.param("self.?a.optFlatMap(v, v.?b).orValue(0)", 3, id="optFlatMap"),
        pytest.param("cel.bind(x, self.a.b, x + x)", 6, id="bind"),
        pytest.param("self.list.all(i, v, v == i + 5)", True, id="all with index"),
        pytest.param("self.map.exists(k, v, k == 'l' && v == 2)", True, id="exists with key"),
        pytest.param("self.list.existsOne(i, v, i == 0 && v == 5)", True, id="exactly one"),
        pytest.param("self.list.transformList(i, v, v * i)", [0, 6], id="transform"),
        pytest.param("self.list.transformList(i, v, i > 0, v)", [6], id="transform some"),
        pytest.param("self.?name.orValue('') == 'x.?y'", True, id="text is left alone"),
        pytest.param("(self.?a.?b.orValue(0) > 2) ? 'y' : 'n'", "y", id="conditional"),
        pytest.param("3 in [self.?a.?b.orValue(0)]", True, id="in"),
        pytest.param("!self.?none.hasValue() && self.list.size() == 2", True, id="operators"),
    ],
)
def test_extensions(source: str, expected: Any) -> None:
    assert Expression(source).evaluate({"self": SELF}) == expected


@pytest.mark.parametrize(
    "source",
    ["self.a ? 1 : 2", "self.list.all(x, x > 0)", "'[?' == self.name", "has(self.a.b)"],
)
def test_what_needs_no_change_keeps_its_meaning(source: str) -> None:
    changed = rewrite(source)
    if "[?" not in source:
        assert changed == source
    assert Expression(source).source == source


def test_bound_names_are_no_variables() -> None:
    assert Expression("self.list.all(x, x > y)").variables == {"self", "y"}
    assert Expression("cel.bind(x, self.a, x == oldSelf)").variables == {"self", "oldSelf"}


@pytest.mark.parametrize("source", ["self.?", "self.(", "cel.bind(x", "self.list.all(i, v,"])
def test_what_is_broken_is_refused(source: str) -> None:
    with pytest.raises(CelError):
        Expression(source)
