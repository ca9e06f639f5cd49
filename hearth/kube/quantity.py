"""Kubernetes quantities (``100m``, ``128Mi``, ``1e3``): parsing and canonical text.

Rules of ``k8s.io/apimachinery/pkg/api/resource``: exact to nanos (rounded up), the suffix family
given is kept, the canonical form has no fraction and the largest suffix that allows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_EXPONENT_NAMES = {power: suffix for suffix, power in _DECIMAL.items()}
_TEXT = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$")
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
    """Raises ValueError in Kubernetes' words on text that is no quantity."""
    found = _TEXT.match(str(text))
    if found is None or str(text).endswith("\n"):
        raise ValueError(SUFFIX_MESSAGE if _ODD_SUFFIX.fullmatch(str(text)) else PATTERN_MESSAGE)
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        amount, family = number * 1024 ** _BINARY[suffix], "BinarySI"
    elif suffix in _DECIMAL:
        amount, family = number.scaleb(_DECIMAL[suffix]), "DecimalSI"
    else:
        amount, family = number.scaleb(int(suffix[1:])), "DecimalExponent"
    return Quantity((amount / _NANO).to_integral_value(rounding=ROUND_CEILING) * _NANO, family)


def canonical(text: str | int | float) -> str:
    """The text Kubernetes stores for a quantity: ``0.1`` becomes ``100m``."""
    return str(parse_quantity(text))
