"""KEDA's formulas, against what expr-lang's language definition and its parser say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.formula import FormulaError, compile_formula

VALUES = {"a": 2.0, "b": 3.5, "kw-trig": 7.0}


def value(text: str) -> float | None:
    return compile_formula(text, VALUES).value(VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # KEDA's own documentation and tests
        pytest.param("a + b", 5.5, id="sum of triggers"),
        pytest.param("count([a,b],{#>1}) > 1 ? 5 : 0", 5, id="count with a predicate"),
        pytest.param("a > b ? a : b", 3.5, id="ternary"),
        pytest.param("a ?? b ?? 8", 2, id="coalescing"),
        pytest.param("float(a)", 2, id="cast already"),
        # docs/language-definition.md
        pytest.param("0x2A + 0o52 + 0b101010 + 42", 168, id="integers"),
        pytest.param(".5 + 0.5 + 1e1 + 1_000", 1011, id="floats"),
        pytest.param("2 ** 3 ^ 2", 512, id="powers are right associative"),
        pytest.param("-2 ** 2", -4, id="power binds tighter than minus"),
        pytest.param("7 / 2", 3.5, id="division is never of integers"),
        pytest.param("-7 % 3", -1, id="the remainder has the dividend's sign"),
        pytest.param("1 < a < 3 && not (a == 3) ? 1 : 0", 1, id="chained comparison"),
        pytest.param("a == 2 ? 1 : 0", 1, id="an integer equals a float"),
        pytest.param("(a > 3 ?: true) ? 1 : 0", 1, id="short ternary"),
        pytest.param("if a > 3 {1} else if b > 3 {2} else {3}", 2, id="if"),
        pytest.param("let x = 42; let y = 2; x * y", 84, id="let"),
        pytest.param("max(a, 5) | min(4)", 4, id="pipe"),
        pytest.param("$env['kw-trig'] + $env.a", 9, id="env"),
        pytest.param("'kw-trig' in $env ? 1 : 0", 1, id="name in env"),
        pytest.param("3 not in [1, 2] ? 1 : 0", 1, id="not in"),
        pytest.param("'ab' + 'c' contains 'bc' ? 1 : 0", 1, id="strings"),
        pytest.param("'abc' startsWith \"a\" and `abc` endsWith 'c' ? 1 : 0", 1, id="ends"),
        pytest.param("{a: 1, 'b': 2, (`c`): 3,}.c", 3, id="map"),
        pytest.param("[1, 2, 3,][-1]", 3, id="last element"),
        pytest.param("sum([1, 2, 3, 4, 5][1:-1])", 9, id="slice"),
        pytest.param("len(1..3)", 3, id="range"),
        pytest.param("{x: nil}.x?.y ?? 4", 4, id="optional chaining"),
        pytest.param("a /* two */ + 1 // three", 3, id="comments"),
        pytest.param("abs(-5) + ceil(1.5) + floor(1.5)", 8, id="rounding"),
        pytest.param("round(1.5) + round(-2.5)", -1, id="half away from zero"),
        pytest.param("max(1, [4, [9]]) + min([2, 3])", 11, id="numbers in arrays"),
        pytest.param("sum([1, 2, 3], # * 2)", 12, id="sum"),
        pytest.param("mean([1, 2, 3]) + median([1, 2, 3, 4])", 4.5, id="mean and median"),
        pytest.param("mean([]) + median([])", 0, id="of nothing"),
        pytest.param("count([true, false, true])", 2, id="count"),
        pytest.param("len(filter(0..9, {# % 2 == 0}))", 5, id="filter"),
        pytest.param("map([a, b], #index)[1]", 1, id="index"),
        pytest.param("all([], #) and none([], #) and not any([], #) ? 1 : 0", 1, id="of none"),
        pytest.param("one([1, 2], # > 1) ? 1 : 0", 1, id="one"),
        pytest.param("find([1, 2, 3, 4], # > 2) + findIndex([1, 2, 3], # > 2)", 5, id="find"),
        pytest.param("findLast([1, 2], # > 0) + findLastIndex([1], # > 2)", 1, id="find last"),
        pytest.param("reduce(1..9, #acc + #)", 45, id="reduce"),
        pytest.param("reduce([], #acc + #, 7)", 7, id="reduce from"),
        pytest.param("filter([[1], [2, 3]], {let x = #; any(x, # > 2)})[0][1]", 3, id="nested"),
        pytest.param("first(sort([3, 1, 4])) + last(reverse([3, 1, 4]))", 4, id="ends of arrays"),
        pytest.param("len(uniq(concat([1, 2], [2]))) + (get([1], 5) ?? 0)", 2, id="arrays"),
        pytest.param("int('12') + float('.5') + int(2.9)", 14.5, id="conversions"),
        pytest.param("9223372036854775807 + 1", -(2.0**63), id="integers wrap as Go's"),
    ],
)
def test_what_formulas_mean(text: str, expected: float) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a +", "unexpected token EOF (1:3)", id="cut off"),
        pytest.param("c + 1", "unknown name c (1:1)\n | c + 1\n | ^", id="unknown"),
        pytest.param("1 +\n  c", "unknown name c (2:3)\n |   c\n | ..^", id="second line"),
        pytest.param("a + 'x'", "+ (mismatched types float64 and string) (1:3)", id="kinds"),
        pytest.param("a % 2", "% (mismatched types float64 and int)", id="remainder"),
        pytest.param("a ? 1 : 2", "non-bool expression (type float64)", id="condition"),
        pytest.param("a > 1", "invalid argument for float (type bool)", id="result"),
        pytest.param("a ?? 1 + 2", "coalesce expressions (??) cannot be mixed", id="mixed"),
        pytest.param("not a > 1", "not (mismatched type float64)", id="not"),
        pytest.param("any([a], #)", "predicate should return boolean (got float64)", id="asked"),
        pytest.param("sum(a)", "takes only array (got float64)", id="no array"),
        pytest.param("max()", "(expected at least 1, got 0)", id="too few"),
        pytest.param("now()", "function now is not supported here; known are: abs,", id="time"),
        pytest.param("'a' matches 'b' ? 1 : 0", "matches is not supported here", id="matches"),
        pytest.param("'a", "literal not terminated (1:1)", id="open string"),
        pytest.param("1 /* x", "unclosed comment (1:3)", id="open comment"),
        pytest.param("1 ~ 2", "unrecognized character: U+007E '~' (1:3)", id="sign"),
        pytest.param("12ab", 'bad number syntax: "12ab"', id="number"),
        pytest.param("9223372036854775808", "number is too large", id="integer"),
        pytest.param("1e999", "number is too large", id="float"),
        pytest.param("let a = 1; a", "cannot redeclare variable a", id="redeclared"),
        pytest.param("[1][5]", "index out of range: 5 (array length is 1)", id="index"),
        pytest.param("1 % 0", "integer divide by zero", id="by zero"),
        pytest.param("(" * 50, "levels of brackets", id="deep"),
        pytest.param("+".join("1" * 200), "nested deeper than", id="long"),
        pytest.param("1" * 10_001, "more than 10000", id="too long"),
        pytest.param("sum(1..1000000)", "more than 100000 steps", id="much work"),
        pytest.param("count(1..900, {sum(1..900) > 0})", "more than 100000 steps", id="product"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, VALUES)
    assert message in str(caught.value)


def test_a_text_that_doubles_itself_is_bounded() -> None:
    text = "let a0 = 'xxxxxxxx'; "
    for step in range(1, 30):
        text += f"let a{step} = a{step - 1} + a{step - 1}; "
    with pytest.raises(FormulaError, match="more than 100000 steps"):
        compile_formula(text + "1", [])


@pytest.mark.parametrize("text", ["a / 0", "-a / 0", "(a - a) / 0", "-1 ** 0.5 * 1e308 * 10"])
def test_what_is_no_number_scales_nothing(text: str) -> None:
    formula = compile_formula(text, ["a"])  # KEDA refuses it neither
    assert not math.isfinite(formula.run({"a": 2.0}) or 0.0)
    with pytest.raises(FormulaError, match="no number to scale by"):
        formula.value({"a": 2.0})


def test_a_trigger_that_is_not_known_is_replaced_only_by_coalescing() -> None:
    assert compile_formula("a ?? b", "ab").value({"a": None, "b": 3}) == 3
    assert compile_formula("a ?? b", "ab").value({"a": None, "b": None}) is None
    with pytest.raises(FormulaError, match=r"invalid operation: nil \+ float64"):
        compile_formula("a + b", "ab").value({"a": None, "b": 1.0})
    with pytest.raises(FormulaError, match=r"invalid argument for float \(type nil\)"):
        compile_formula("a", "a").value({"a": None})


def test_what_a_formula_reads_is_known() -> None:
    assert compile_formula("a + 1", "abc").used == {"a"}
    assert compile_formula("sum(map(['a'], $env[#]))", "abc").used == {"a", "b", "c"}


_NUMBERS = st.floats(min_value=-1e6, max_value=1e6).map(lambda each: round(each, 3))


@given(_NUMBERS, _NUMBERS, _NUMBERS, st.sampled_from("+-*"), st.sampled_from("+-*"))
def test_arithmetic_is_that_of_floats(
    a: float, b: float, c: float, first: str, second: str
) -> None:
    text = f"a {first} b {second} c"
    expected = eval(text, {"a": a, "b": b, "c": c})
    assert compile_formula(text, "abc").value({"a": a, "b": b, "c": c}) == expected


_WORDS = ["a", "b", "1", "2.5", "'x'", "nil", "true", "#", "(", ")", "[", "]", "{", "}", ",", ";"]
_WORDS += ["+", "-", "*", "/", "%", "**", "??", "?", ":", ".", "?.", "..", "|", "<", "==", "in"]
_WORDS += ["not", "and", "or", "let", "=", "if", "else", "max", "sum", "count", "map", "len", "`"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(_WORDS)).map(" ".join)))
def test_nothing_that_is_written_does_worse_than_fail(text: str) -> None:
    try:
        formula = compile_formula(text, "ab")
        formula.value({"a": 1.0, "b": None})
    except FormulaError as error:
        assert str(error)


@pytest.mark.parametrize("opening", ["(a + ", "max(a, ", "sum([a], # + ", "true ? a : "])
def test_a_formula_as_deep_as_may_be_runs_within_the_stack(opening: str) -> None:
    deepest = None
    for depth in range(1, 60):
        closing = "" if opening.endswith(": ") else ")"
        try:
            deepest = compile_formula(opening * depth + "a" + closing * depth, "a")
        except FormulaError:
            break
    assert deepest is not None
    assert depth > 10
    assert math.isfinite(deepest.value({"a": 0.001}) or math.nan)
