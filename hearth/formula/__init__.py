"""KEDA's expression language (expr-lang), as far as scalingModifiers can use it. Pure."""

from hearth.formula.errors import FormulaError
from hearth.formula.formula import Formula, compile_formula

__all__ = ["Formula", "FormulaError", "compile_formula"]
