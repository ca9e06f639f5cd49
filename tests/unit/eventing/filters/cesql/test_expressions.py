"""What the specification says beyond the cases of its kit, and that every evaluation ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.filters.cesql import CesqlError, ErrorKind, compile_expression

EVENT = {"id": "1", "type": "t", "source": "/s", "specversion": "1.0", "yes": "true", "n": "7"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("FALSE AND TRUE OR TRUE", False),  # as the grammar has it: to the right
        ("TRUE OR FALSE AND FALSE", True),
        ("TRUE XOR TRUE XOR TRUE", True),
        ("NOT FALSE = FALSE", False),
        ("1 + 2 * 3 = 7", True),
        ("10 - 2 - 3", 5),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("1 = 1 = TRUE", True),
        ("n + 1 IN (8)", 7),  # IN binds more: n + (1 IN (8)) is 7 + 0
        ("(n + 1) IN (8)", True),
        ("NOT 0", True),
        ("NOT 1", False),
        ("5 AND yes", True),
        ("EXISTS missing OR yes", True),
        ("LENGTH('größe')", 5),
        ("TRIM('\u2003 a\x1f ')", "a\x1f"),
        ("'a''b'", "a''b"),
        ('"a\\"b"', 'a"b'),
        ("INT('+0000000000000000012')", 12),
        ("IS_INT('2147483648')", False),
        ("IS_INT(TRUE) AND IS_BOOL(3) AND NOT IS_BOOL('x')", True),
        ("SUBSTRING('abc', 2, 2147483647)", "bc"),
        ("RIGHT('abc', 0)", ""),
        ("lower(CONCAT_WS('-', n, TRUE, 'X'))", "7-true-x"),
    ],
)
def test_values(text: str, value: object) -> None:
    got = compile_expression(text).evaluate(EVENT)
    assert (got.value, got.value.__class__, got.error) == (value, value.__class__, None)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("2147483647 + 1", 0, ErrorKind.MATH),
        ("-2147483648 / -1", 0, ErrorKind.MATH),
        ("--2147483648", 0, ErrorKind.MATH),
        ("n = 'x' OR missing", False, ErrorKind.MISSING_ATTRIBUTE),
        ("LENGTH(missing)", 0, ErrorKind.MISSING_ATTRIBUTE),
        ("LOWER(LEFT('A', -1))", "", ErrorKind.FUNCTION_EVALUATION),
        ("SUBSTRING('abc', 1, -1)", "", ErrorKind.FUNCTION_EVALUATION),
        ("type > 1", False, ErrorKind.CAST),
        ("type AND TRUE", False, ErrorKind.CAST),
        ("n IN ('x', missing, 7)", False, ErrorKind.MISSING_ATTRIBUTE),
        ("ABS('x')", 0, ErrorKind.CAST),
        ("ABS(1, 2)", False, ErrorKind.MISSING_FUNCTION),
    ],
)
def test_errors(text: str, value: object, kind: ErrorKind) -> None:
    got = compile_expression(text).evaluate(EVENT)
    assert got.error is not None
    assert (got.value, got.error.kind) == (value, kind)


NAMES = st.sampled_from(["type", "n", "yes", "missing"])
LITERALS = st.one_of(
    st.sampled_from(["TRUE", "false", "'x'", "'7'", '"true"', "''"]),
    st.integers(-(2**31), 2**31 - 1).map(str),
)
FUNCTIONS = st.sampled_from(
    [
        "LENGTH",
        "CONCAT",
        "LEFT",
        "RIGHT",
        "SUBSTRING",
        "ABS",
        "INT",
        "BOOL",
        "STRING",
        "IS_INT",
        "F",
    ]
)
INFIX = ["AND", "OR", "XOR", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"]
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, LITERALS, st.builds("EXISTS {}".format, NAMES)),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(INFIX), inner),
        st.builds("{} {}".format, st.sampled_from(["NOT", "-"]), inner),
        st.builds("{}({})".format, FUNCTIONS, st.lists(inner, max_size=3).map(", ".join)),
        st.builds("{} IN ({}, {})".format, inner, inner, inner),
        st.builds("{} NOT LIKE '%{}_'".format, inner, st.sampled_from(["", "a", "%"])),
    ),
    max_leaves=10,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["t", "7", "true"])},
    optional={"n": st.one_of(st.integers(-3, 3), st.just("2147483648")), "yes": st.booleans()},
)


@given(EXPRESSIONS, EVENTS)
def test_every_evaluation_ends_with_a_value(text: str, event: dict[str, object]) -> None:
    try:
        expression = compile_expression(text)
    except CesqlError as error:
        assert "nested" in str(error)
        return
    got = expression.evaluate(event)
    assert got.value.__class__ in (bool, int, str)
    if not isinstance(got.value, str):
        assert -(2**31) <= got.value < 2**31
    assert expression.evaluate(event).value == got.value


@given(EXPRESSIONS, EXPRESSIONS, EVENTS)
def test_an_operand_that_decides_is_the_last_one_asked(
    left: str, right: str, event: dict[str, object]
) -> None:
    first = compile_expression(f"BOOL({left})").evaluate(event)
    both = compile_expression(f"({left}) AND ({right})").evaluate(event)
    one = compile_expression(f"({left}) OR ({right})").evaluate(event)
    if first.error is not None:
        assert both.value is one.value is False
        assert both.error is not None and one.error is not None
    elif first.value is True:
        assert (one.value, one.error) == (True, None)
    else:
        assert (both.value, both.error) == (False, None)


def test_long_alternatives_are_no_deep_ones() -> None:
    text = " OR ".join(f"type = 't{number}'" for number in range(5000))
    expression = compile_expression(text)
    assert expression.evaluate({"type": "t4999"}).value is True
    assert expression.evaluate({"type": "u"}).value is False
