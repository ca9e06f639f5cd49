import pytest

from hearth.cluster.admission.conditions import ConditionError, MatchConditions

VARIABLES = {"object": {"metadata": {"name": "x"}}, "request": {"operation": "CREATE"}}


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        pytest.param(["request.operation == 'CREATE'"], True, id="true"),
        pytest.param(["true", "object.metadata.name == 'y'"], False, id="one is false"),
        pytest.param(["object.none == 1", "false"], False, id="false beats an error"),
        pytest.param([], True, id="none"),
    ],
)
def test_all_conditions_must_hold(expressions: list[str], expected: bool) -> None:
    conditions = MatchConditions(tuple((f"c{i}", e) for i, e in enumerate(expressions)))
    assert conditions.match(VARIABLES) is expected


@pytest.mark.parametrize("expression", ["object.none == 1", "1 +"])
def test_an_error_is_told_when_nothing_is_false(expression: str) -> None:
    with pytest.raises(ConditionError, match="resulted in error"):
        MatchConditions((("c", expression),)).match(VARIABLES)
