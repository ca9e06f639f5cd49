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


@pytest.mark.parametrize(
    ("expressions", "users"),
    [
        pytest.param(
            ["request.userInfo.username != 'system:serviceaccount:a-b:c.d'"],
            {"system:serviceaccount:a-b:c.d"},
            id="one",
        ),
        pytest.param([f"request.userInfo.username != '{u}'" for u in "ab"], {"a", "b"}, id="two"),
        pytest.param(["request.userInfo.username != 'a'", "true"], None, id="more than that"),
        pytest.param(["request.userInfo.username == 'a'"], None, id="equal"),
        pytest.param(["request.userInfo.username != 'a' || true"], None, id="or else"),
        pytest.param([r"request.userInfo.username != 'a\x62'"], None, id="escaped"),
    ],
)
def test_who_is_left_out_is_read_without_evaluating(
    expressions: list[str], users: set[str] | None
) -> None:
    conditions = MatchConditions(tuple((f"c{i}", e) for i, e in enumerate(expressions)))
    assert conditions.passes_all_but == users


@pytest.mark.parametrize("name", ["system:hearth:control", "someone"])
def test_who_is_left_out_is_who_the_expression_leaves_out(name: str) -> None:
    source = "request.userInfo.username != 'system:hearth:control'"
    conditions = MatchConditions((("c", source),))
    variables = {"request": {"userInfo": {"username": name}}}
    assert conditions.match(variables) is (name not in (conditions.passes_all_but or ()))


@pytest.mark.parametrize("expression", ["object.none == 1", "1 +"])
def test_an_error_is_told_when_nothing_is_false(expression: str) -> None:
    with pytest.raises(ConditionError, match="resulted in error"):
        MatchConditions((("c", expression),)).match(VARIABLES)
