"""A formula, ready to be asked: compiled once, tried with -1 for each name as KEDA tries it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hearth.formula.errors import FaultAt, FormulaError, located
from hearth.formula.functions import Unfit, to_float
from hearth.formula.parser import Parser
from hearth.formula.terms import (
    FLOAT,
    NIL,
    NUMBERS,
    STRING,
    UNKNOWN,
    Frame,
    Term,
    term,
)

LONGEST = 10_000
"""Characters of a formula."""
_DUMMY = -1.0


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled formula."""

    text: str
    used: frozenset[str]
    """The names that it reads."""
    _term: Term = field(repr=False)
    _slots: int = field(repr=False)

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """Return the number that the formula makes of its triggers' values.

        A trigger whose value is not known has None, which ``??`` may replace; None comes out only
        of such a formula. Raise FormulaError where there is no number: KEDA would take what Go
        makes of NaN or infinity, the smallest integer, and scale down for what nobody knows.
        """
        result = self.run(values)
        if result is not None and not math.isfinite(result):
            raise FormulaError(f"the formula yields {result}, which is no number to scale by")
        return result

    def run(self, values: Mapping[str, float | None]) -> float | None:
        """Return what comes out, NaN and infinity too; raise FormulaError."""
        try:
            result: float | None = self._term.run(Frame(dict(values), self._slots))
        except FaultAt as fault:
            raise located(fault, self.text) from fault
        return result


def compile_formula(text: str, names: Iterable[str]) -> Formula:
    """Compile a formula over the names of triggers; raise FormulaError, which says where.

    Its result is a float, or nil where ``??`` is used (KEDA's ``castToFloatIfNecessary``).
    """
    if len(text) > LONGEST:
        raise FormulaError(f"the formula has {len(text)} characters, more than {LONGEST}")
    known = frozenset(names)
    try:
        parser = Parser(text, known)
        whole = _as_float(parser.parse(), may_be_nil="??" in text)
        formula = Formula(text, frozenset(parser.scope.used), whole, parser.scope.slots)
    except FaultAt as fault:
        raise located(fault, text) from fault
    formula.run(dict.fromkeys(known, _DUMMY))
    return formula


def _as_float(whole: Term, *, may_be_nil: bool) -> Term:
    if whole.kind not in {*NUMBERS, STRING, UNKNOWN, *({NIL} if may_be_nil else ())}:
        raise FaultAt(f"invalid argument for float (type {whole.kind})", whole.at)
    inner = whole.run

    def run(frame: Frame) -> float | None:
        value = inner(frame)
        if value is None and may_be_nil:
            return None
        try:
            return to_float(value)
        except Unfit as error:
            raise FaultAt(f"invalid argument for float ({error})", whole.at) from error

    return term(FLOAT, run, whole.at, whole)
