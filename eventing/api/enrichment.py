"""Attributes that an event is given before it is delivered: assignments of CESQL expressions. Pure.

The annotation ``eventing.hearth.dev/enrich`` has one on each line::

    stage = 'second'
    tenant = LEFT(subject, 4)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from eventing.filters.cesql import CesqlError, Expression, compile_expression

Value = str | int | bool

_ASSIGNMENT = re.compile(r"\s*(?P<name>[^\s=]*)\s*(?P<sign>=?)(?P<expression>.*)")
_NAME = re.compile(r"[a-z0-9]{1,40}")
_FIXED = frozenset(
    {
        "data",
        "datacontenttype",
        "dataschema",
        "id",
        "schemaurl",
        "source",
        "specversion",
        "time",
        "type",
    }
)
"""What an event is, and how its data is read."""
_OURS = ("knative", "hearth")
_MOST = 50


class EnrichmentError(ValueError):
    """A text that cannot be read; the message says where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Assignments, in their order; equal where the texts are."""

    text: str
    assignments: tuple[tuple[str, Expression], ...] = field(default=(), compare=False)

    @classmethod
    def from_text(cls, text: str) -> Enrichment:
        """Read a text; raise EnrichmentError."""
        found: dict[str, Expression] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                name, expression = _read(number, line)
                if name in found:
                    raise EnrichmentError(number, f"{name} is set a second time")
                found[name] = expression
        if not found:
            raise EnrichmentError(1, "expected NAME = EXPRESSION")
        if len(found) > _MOST:
            raise EnrichmentError(_MOST + 1, f"more than {_MOST} attributes are set")
        return cls(text, tuple(found.items()))

    def values(self, attributes: Mapping[str, str]) -> dict[str, Value]:
        """Return what is to be set; an expression that fails for this event sets nothing."""
        found: dict[str, Value] = {}
        for name, expression in self.assignments:
            evaluation = expression.evaluate(attributes)
            if evaluation.error is None:
                found[name] = evaluation.value
        return found


def _read(number: int, line: str) -> tuple[str, Expression]:
    parts = _ASSIGNMENT.fullmatch(line)
    assert parts is not None  # it matches any line
    name = parts["name"]
    if not parts["sign"] or not name:
        raise EnrichmentError(number, "expected NAME = EXPRESSION")
    if not _NAME.fullmatch(name):
        raise EnrichmentError(number, f"{name!r} is no name: up to 40 letters a-z and digits")
    if name in _FIXED or name.startswith(_OURS):
        raise EnrichmentError(number, f"{name} cannot be set: subject and extensions can")
    try:
        return name, compile_expression(parts["expression"])
    except CesqlError as error:
        at = parts.start("expression") + error.at + 1
        text = str(error).rpartition(" at character ")[0]
        raise EnrichmentError(number, f"{text} at character {at}") from error
