"""Go's text forms of numbers and strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube import gotext


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.7, "0.7"),
        (0.01, "0.01"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (100000.0, "100000"),
        (999999.0, "999999"),
        (1234567.0, "1.234567e+06"),
        (1e20, "1e+20"),
        (1e21, "1e+21"),
        (-2.5, "-2.5"),
        (1.5e-9, "1.5e-09"),
    ],
)
def test_floats(number: float, text: str) -> None:
    assert gotext.format_float(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back(number: float) -> None:
    assert gotext.parse_float(gotext.format_float(number)) == number


@pytest.mark.parametrize("text", ["", " 1", "1__000", "_1", "0x10", "1.5", "٣"])
def test_integers_are_plain_decimals(text: str) -> None:
    with pytest.raises(ValueError, match="invalid syntax"):
        gotext.parse_int(text)


def test_integers_have_a_width() -> None:
    assert gotext.parse_int("-2147483648", 32) == -(2**31)
    with pytest.raises(gotext.OutOfRange, match="value out of range"):
        gotext.parse_int("2147483648", 32)
    with pytest.raises(ValueError, match="invalid syntax"):
        gotext.parse_uint("-1")


def test_booleans() -> None:
    assert gotext.parse_bool("T") is True
    with pytest.raises(ValueError, match='parsing "yes": invalid syntax'):
        gotext.parse_bool("yes")


def test_quotes() -> None:
    assert gotext.quote('a"b\n') == '"a\\"b\\n"'


@pytest.mark.parametrize("text", ["NaN", "-inf", "Infinity", "1e309"])
def test_finite_numbers_are_what_one_can_compute_with(text: str) -> None:
    with pytest.raises(gotext.OutOfRange, match="value out of range"):
        gotext.parse_finite(text)


@pytest.mark.parametrize("text", ["１０", "٣", "²", " 1", "1 ", "1\n"])
def test_digits_are_ascii(text: str) -> None:
    for parse in (gotext.parse_int, gotext.parse_uint, gotext.parse_float):
        with pytest.raises(ValueError, match="invalid syntax"):
            parse(text)


def test_integers_of_any_length() -> None:
    """Python refuses to read more than 4300 digits, with words of its own."""
    assert gotext.parse_int("-" + "0" * 9000 + "7") == -7
    for parse in (gotext.parse_int, gotext.parse_uint):
        with pytest.raises(gotext.OutOfRange):
            parse("9" * 9000)


def test_negative_zero_keeps_its_sign() -> None:
    assert gotext.format_float(gotext.parse_float("-0")) == "-0"
