"""Which texts are CESQL expressions, and what upstream's parser says of those that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.filters.cesql import CesqlError, parse

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
        "a = 'it''s'",
        "1a = -1",
    ],
)
def test_expressions(text):
    parse(text)


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
        ("f1(a)", SYNTAX),
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
        parse(text)
    assert found.value.detail == detail


@given(st.text(alphabet="ab1 ()'=<,+-NOTLIKEINANDEXISTS_", max_size=40))
def test_any_text_is_judged(text):
    try:
        parse(text)
    except CesqlError:
        return
    if text.count("'") % 2 == 0:  # a quote without a second one would take in what follows it
        parse(f"({text}) AND NOT ({text})")


@pytest.mark.parametrize(
    "text",
    ["(" * 10_000, "NOT " * 10_000 + "a", "-" * 1000 + "a", " + ".join("a" * 10_000), "F(" * 999],
)
def test_nesting_without_end_is_refused(text):
    with pytest.raises(CesqlError) as found:
        parse(text)
    assert "nested more than 64 deep" in str(found.value)
    assert found.value.detail is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a value, found the end at character 1"),
        ("type =", "expected a value, found the end at character 7"),
        ("type = = 'a'", 'expected a value, found "=" at character 8'),
        ("a = 'b' c", 'expected an operator or the end, found "c" at character 9'),
        ("a LIKE 5", 'expected a string literal, found "5" at character 8'),
        ("a IN 'b'", 'expected "(", found "\'b\'" at character 6'),
        ("(a = 'b'", 'expected ")", found the end at character 9'),
        ("EXISTS 'a'", "expected the name of an attribute, found \"'a'\" at character 8"),
        ("my_ext = 1", 'expected the arguments of a function, found "=" at character 8'),
        ("a = 9999999999", "an integer of more than 32 bits at character 5"),
    ],
)
def test_what_is_wrong_and_where(text, message):
    with pytest.raises(CesqlError) as found:
        parse(text)
    assert str(found.value) == message
