"""Kubernetes quantities (``100m``, ``128Mi``, ``1e3``): parsing and canonical text.

Rules of ``k8s.io/apimachinery/pkg/api/resource``: exact to nanos (rounded up), the suffix family
given is kept, the canonical form has no fraction and the largest suffix that allows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_UP, Context, Decimal

from hearth.kube.gotext import parse_int

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_EXPONENT_NAMES = {power: suffix for suffix, power in _DECIMAL.items()}
_TEXT = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?", re.ASCII
)
_EXACT = Context(prec=64)
_LARGEST = Decimal(2**63 - 1)
_LARGEST_POWER, _SMALLEST_POWER = 20, -10
"""Powers of ten beyond which an amount is the largest or the smallest one, whatever its digits."""
_NANO = Decimal("1e-9")
PATTERN_MESSAGE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
SUFFIX_MESSAGE = "unable to parse quantity's suffix"
_ODD_SUFFIX = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eEinumkKMGTP]+[-+]?[0-9]*")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount and the family its text is written in: DecimalSI, BinarySI, exponent."""

    amount: Decimal
    family: str = "DecimalSI"

    def __str__(self) -> str:
        if self.amount == 0:
            return "0"
        if self.family == "BinarySI" and abs(self.amount) >= 1024:
            text = self._binary()
            if text is not None:
                return text
        return self._decimal()

    def _binary(self) -> str | None:
        if self.amount != self.amount.to_integral_value():
            return None
        value, power = int(self.amount), 0
        while value % 1024 == 0 and power < 6:
            value //= 1024
            power += 1
        return str(value) + next((s for s, p in _BINARY.items() if p == power), "")

    def _decimal(self) -> str:
        nanos, power = int(self.amount / _NANO), -9
        while nanos % 1000 == 0 and power < 18:
            nanos //= 1000
            power += 3
        if self.family == "DecimalExponent":
            return f"{nanos}e{power}" if power else str(nanos)
        return f"{nanos}{_EXPONENT_NAMES[power]}"

    @property
    def milli(self) -> int:
        """Thousandths, rounded up."""
        return int((self.amount * 1000).to_integral_value(rounding=ROUND_CEILING))

    @property
    def value(self) -> int:
        """The whole amount, rounded up."""
        return int(self.amount.to_integral_value(rounding=ROUND_CEILING))


def parse_quantity(text: str | int | float) -> Quantity:
    """Read a quantity; raises ValueError in Kubernetes' words on text that is none."""
    match = _TEXT.fullmatch(str(text))
    if match is None:
        raise ValueError(SUFFIX_MESSAGE if _ODD_SUFFIX.fullmatch(str(text)) else PATTERN_MESSAGE)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return Quantity(_limited(number, factor=1024 ** _BINARY[suffix]), "BinarySI")
    if suffix in _DECIMAL:
        return Quantity(_limited(number, power=_DECIMAL[suffix]), "DecimalSI")
    try:
        power = parse_int(suffix[1:])
    except ValueError:
        raise ValueError(SUFFIX_MESSAGE) from None
    return Quantity(_limited(number, power=power), "DecimalExponent")


def _limited(number: Decimal, *, power: int = 0, factor: int = 1) -> Decimal:
    """Return the amount within a nano and an int64, as Kubernetes caps it."""
    if number == 0:
        return Decimal(0)
    magnitude = number.adjusted() + power
    if magnitude > _LARGEST_POWER:
        amount = _LARGEST
    elif magnitude < _SMALLEST_POWER:
        amount = _NANO
    else:
        amount = _EXACT.multiply(number.copy_abs().scaleb(power, _EXACT), Decimal(factor))
        amount = min(amount.quantize(_NANO, rounding=ROUND_UP, context=_EXACT), _LARGEST)
    return -amount if number < 0 else amount


def canonical(text: str | int | float) -> str:
    """Return the text Kubernetes stores for a quantity: ``0.1`` becomes ``100m``."""
    return str(parse_quantity(text))
