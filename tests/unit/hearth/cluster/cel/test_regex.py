from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.cel.regex import PatternError, check, find_all, matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("^a$", "a\n", False, id="dollar is the very end"),
        pytest.param("(?m)^a$", "x\na\n", True, id="unless lines are asked for"),
        pytest.param(r"^\d+$", "٣", False, id="digits are ASCII"),
        pytest.param(r"^[[:alpha:]]+$", "abC", True, id="POSIX class"),
        pytest.param(r"^a\z", "a", True, id="end of text"),
        pytest.param(r"^\Qa.b\E$", "axb", False, id="literal"),
        pytest.param(r"^\p{L}+$", "é", True, id="letters"),
        pytest.param("(?i)^ABC$", "abc", True, id="case"),
        pytest.param("[$]", "$", True, id="dollar in brackets"),
        pytest.param("b", "abc", True, id="anywhere"),
    ],
)
def test_a_pattern_matches_as_in_go(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "(x+x+)+y", "^(.*)*$|b{500}"]
)
def test_matching_takes_linear_time(pattern: str) -> None:
    start = time.process_time()
    matches(pattern, "a" * 100_000 + "!")
    matches(pattern, "x" * 100_000 + "!")
    assert time.process_time() - start < 1.0  # an engine that backtracks needs years


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param("a(", "missing closing ): `a(`", id="parenthesis"),
        pytest.param("a)", "unexpected ): `a)`", id="too many parentheses"),
        pytest.param("[a", "missing closing ]: `[a`", id="bracket"),
        pytest.param("[z-a]", "invalid character class range: `z-a`", id="range"),
        pytest.param("*a", "missing argument to repetition operator: `*`", id="nothing to repeat"),
        pytest.param("a**", "invalid nested repetition operator: `**`", id="repeated twice"),
        pytest.param("a{1001}", "invalid repeat count: `{1001}`", id="too often"),
        pytest.param(r"\8", r"invalid escape sequence: `\8`", id="back reference"),
        pytest.param("\\", "trailing backslash at end of expression: ``", id="backslash"),
        pytest.param("(?=a)", "invalid or unsupported Perl syntax: `(?=`", id="look ahead"),
    ],
)
def test_what_go_cannot_compile_is_refused_in_its_words(pattern: str, message: str) -> None:
    with pytest.raises(PatternError) as error:
        check(pattern)
    assert str(error.value) == f"error parsing regexp: {message}"


def test_matches_are_found_from_left_to_right() -> None:
    assert list(find_all("[a-zü]+", "für 3 alle")) == ["für", "alle"]
    assert list(find_all("x", "abc")) == []


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pattern_does_more_than_match_or_be_refused(pattern: str, text: str) -> None:
    try:
        found = matches(pattern, text)
    except PatternError:
        return
    assert found == bool(list(find_all(pattern, text)))
