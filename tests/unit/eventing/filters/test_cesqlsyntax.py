"""Which texts are CESQL expressions, and what upstream's parser says of those that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.filters.cesqlsyntax import CesqlError, check_syntax

SYNTAX = "parse error: syntax error: "


@pytest.mark.parametrize(
    "text",
    [
        "type LIKE 'a%' AND EXISTS subject",
        "NOPE(type)",
        "1 + 1",
        "a and b",
        "a NOT LIKE 'x_'",
        "a IN ('x', 'y') OR b NOT IN (1, 2)",
        "NOT NOT a",
        "- a",
        "--1",
        "a IN (a IN (1))",
        "CONCAT(a, 'b', 1) != \"c\"",
        "IS_INT(a) XOR LENGTH()",
        "a = 'it\\'s'",
        "5a = TRUE",
        "1 = 1 = 1",
        "a = 1;",
    ],
)
def test_expressions(text):
    check_syntax(text)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", SYNTAX),
        ("(", SYNTAX),
        ("a (", SYNTAX),
        ("()", SYNTAX),
        ("LIKE", SYNTAX),
        ("a NOT b", SYNTAX),
        ("EXISTS 1", SYNTAX),
        ("a_b = 1", SYNTAX),
        ("type LIKE", None),
        ("a =", None),
        ("a = = b", None),
        ("a == b", None),
        ("a IN ()", None),
        ("a+1", None),
        ("1.5", None),
        ("a = 'x", None),
        ("NOT", None),
        ("EXISTS", None),
        ("(a", None),
        ("a)", None),
        ("a = b c", None),
        (
            "a LIKE 5",
            f"{SYNTAX}|failed to parse LIKE expression: the pattern was not a string literal",
        ),
        (
            "-2147483649",
            'parse error: strconv.ParseInt: parsing "-2147483649": value out of range',
        ),
    ],
)
def test_no_expressions(text, detail):
    with pytest.raises(CesqlError) as found:
        check_syntax(text)
    assert found.value.detail == detail


@given(st.text(alphabet="ab1 ()'=<,+-NOTLIKEINANDEXISTS_", max_size=40))
def test_any_text_is_judged(text):
    try:
        check_syntax(text)
    except CesqlError:
        return
    if text.count("'") % 2 == 0:  # a quote without a second one would take in what follows it
        check_syntax(f"({text}) AND NOT ({text})")


def test_nesting_without_end_is_refused():
    with pytest.raises(CesqlError):
        check_syntax("(" * 10_000)
