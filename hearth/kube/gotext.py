"""Numbers, booleans and strings as Go's strconv and fmt read and write them.

Knative and Kubernetes answer in Go's words, so whoever promises their messages needs these.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from decimal import Decimal

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DECIMAL = re.compile(r"[+-]?\d+\Z", re.ASCII)
_LONGEST_INTEGER = 20  # digits of 2^64; Python refuses to read a few thousand with words of its own
_DIGITS = r"\d+(?:_\d+)*"
_FLOAT = re.compile(
    rf"[+-]?(?:(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
    r"|inf(?:inity)?|nan)\Z",
    re.ASCII | re.IGNORECASE,
)
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class OutOfRange(ValueError):
    """The text is a number, but does not fit the type asked for."""


def parse_int(text: str, bits: int = 64, *, function: str = "ParseInt") -> int:
    """Return a decimal integer of that many bits."""
    if not _DECIMAL.match(text):
        raise ValueError(f"strconv.{function}: parsing {quote(text)}: invalid syntax")
    number = _integer(text)
    if number is None or not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise OutOfRange(f"strconv.{function}: parsing {quote(text)}: value out of range")
    return number


def _integer(text: str) -> int | None:
    """Return the integer that the digits are; None when it has more than any type of Go holds."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > _LONGEST_INTEGER:
        return None
    return -int(digits) if text.startswith("-") else int(digits)


def parse_uint(text: str, bits: int = 64) -> int:
    """Return a decimal integer of that many bits that has no sign."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"strconv.ParseUint: parsing {quote(text)}: invalid syntax")
    number = _integer(text)
    if number is None or number >= 1 << bits:
        raise OutOfRange(f"strconv.ParseUint: parsing {quote(text)}: value out of range")
    return number


def parse_float(text: str) -> float:
    """Return a float64 as Go reads it: NaN and infinities by name, underscores between digits."""
    if not _FLOAT.match(text):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    number = float(text)
    if math.isinf(number) and "inf" not in text.lower():
        raise OutOfRange(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return number


def parse_finite(text: str) -> float:
    """Return a float64 that one can compute with; NaN and infinities are out of range."""
    number = parse_float(text)
    if not math.isfinite(number):
        raise OutOfRange(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return number


def parse_bool(text: str) -> bool:
    """A boolean in one of Go's spellings."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax")


def format_float(number: float) -> str:
    """As ``%v`` writes it: the shortest digits, an exponent below 1e-4 and from 1e6 on."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    shortest = Decimal(repr(number)).normalize()
    power = shortest.adjusted()
    if -5 < power < 6:
        return format(shortest, "f")
    sign = "-" if power < 0 else "+"
    return f"{format(shortest.scaleb(-power), 'f')}e{sign}{abs(power):02}"


def quote(text: str) -> str:
    """As ``%q``: in double quotes, control characters escaped, printable Unicode kept."""
    return json.dumps(text, ensure_ascii=False)


def format_list(items: list[str] | tuple[str, ...]) -> str:
    """Return a slice of strings as ``%v``: in brackets, parted by spaces."""
    return f"[{' '.join(items)}]"


def base64_problem(text: str) -> str:
    """Why Go's standard base64 cannot decode a text; nothing where it can."""
    bare = text.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return f"illegal base64 data at input byte {_first_bad_byte(bare)}"
    return ""


def _first_bad_byte(text: str) -> int:
    """Where Go's decoder gives up: the first strange character, or the end of the last group."""
    letters = len(text) - len(text.lstrip(_BASE64))
    return letters if letters < len(text) else len(text) // 4 * 4
