"""What is wrong with a formula, told as expr-lang tells it: with the line and a mark."""

from __future__ import annotations


class FormulaError(Exception):
    """A formula that is written wrong, or that has no value for the numbers of the moment."""


class FaultAt(Exception):
    """A fault at a place of the text; becomes a FormulaError where the text is known."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def located(fault: FaultAt, text: str) -> FormulaError:
    """Return the error with line and column, both from 1, and the line it is on."""
    start = text.rfind("\n", 0, fault.at) + 1
    line = text[start:].split("\n", 1)[0].replace("\t", " ")
    if not line:
        return FormulaError(str(fault))
    column = fault.at - start
    place = f"({text.count(chr(10), 0, start) + 1}:{column + 1})"
    return FormulaError(f"{fault} {place}\n | {line}\n | {'.' * column}^")
