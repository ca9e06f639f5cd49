"""Label and field selectors: parsing their text and object forms, and matching.

Grammar and messages follow ``k8s.io/apimachinery/pkg/labels`` and ``fields``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube import labelsyntax
from hearth.kube.gotext import parse_int, quote
from hearth.kube.names import label_value_problems, qualified_name_problems


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause of a label selector. Operators: in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy the clause."""
        present = self.key in labels
        match self.operator:
            case "in":
                return present and labels[self.key] in self.values
            case "notin":
                return not present or labels[self.key] not in self.values
            case "exists":
                return present
            case "!":
                return not present
        return present and self._compares(labels[self.key])

    def _compares(self, value: str) -> bool:
        try:
            number, bound = parse_int(value), parse_int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; no requirement selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every clause."""
        return all(requirement.matches(labels) for requirement in self.requirements)


EVERYTHING = LabelSelector()


def parse_label_selector(text: str) -> LabelSelector:
    """``a=b,c!=d,e in (f,g),!h``; raises ValueError on text outside the grammar."""
    return LabelSelector(
        tuple(
            Requirement(clause.key, clause.operator, frozenset(clause.values))
            for clause in labelsyntax.parse(text)
        )
    )


def label_map_problem(labels: Mapping[str, str]) -> str:
    """Say what keeps labels from being selected by (``ValidatedSelectorFromSet``); "": nothing."""
    for key, value in sorted(labels.items()):
        if problems := qualified_name_problems(key):
            return f"key: Invalid value: {quote(key)}: {'; '.join(problems)}"
        if problems := label_value_problems(value):
            return f"values[0][{key}]: Invalid value: {quote(value)}: {'; '.join(problems)}"
    return ""


OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
"""Operators of ``matchExpressions``, and those of the text form."""


def selector_from_object(selector: Mapping[str, Any] | None) -> LabelSelector:
    """From ``matchLabels`` and ``matchExpressions``; None selects everything here."""
    if not selector:
        return EVERYTHING
    requirements = [
        Requirement(key, "in", frozenset([value]))
        for key, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = OBJECT_OPERATORS[expression["operator"]]
        values = frozenset(expression.get("values") or ())
        requirements.append(Requirement(expression["key"], operator, values))
    return LabelSelector(tuple(requirements))


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Return the text form of an object selector, as printed in tables and scale subresources."""
    clauses = []
    for requirement in selector_from_object(selector).requirements:
        values = ",".join(sorted(requirement.values))
        match requirement.operator:
            case "in" if len(requirement.values) == 1:
                clauses.append(f"{requirement.key}={values}")
            case "in" | "notin":
                clauses.append(f"{requirement.key} {requirement.operator} ({values})")
            case "!":
                clauses.append(f"!{requirement.key}")
            case _:
                clauses.append(requirement.key)
    return ",".join(clauses)


@dataclass(frozen=True, slots=True)
class FieldClause:
    """One clause of a field selector; ``equal`` False for ``!=``."""

    field: str
    value: str
    equal: bool = True


def parse_field_selector(text: str) -> tuple[FieldClause, ...]:
    """``status.phase=Running,spec.nodeName!=``; raises ValueError without an operator."""
    return tuple(_field_clause(term, text) for term in sorted(_terms(text)) if term)


def _terms(text: str) -> list[str]:
    """Return the text between commas that no backslash stands before."""
    return [match[0] for match in _FIELD_TERM.finditer(text)]


_FIELD_TERM = re.compile(r"(?:[^\\,]|\\.|\\$)+", re.DOTALL)
_FIELD_OPERATOR = re.compile("!=|==|=")


def _field_clause(term: str, selector: str) -> FieldClause:
    match = _FIELD_OPERATOR.search(term)
    if match is None:
        raise ValueError(f"invalid selector: '{selector}'; can't understand '{term}'")
    value = _unescaped(term[match.end() :])
    return FieldClause(term[: match.start()], value, equal=match[0] != "!=")


def _unescaped(text: str) -> str:
    parts, rest = [], iter(text)
    for letter in rest:
        if letter == "=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(letter)}")
        if letter != "\\":
            parts.append(letter)
            continue
        escaped = next(rest, "")
        if escaped not in ("\\", ",", "="):
            problem = f"invalid escape sequence: \\{escaped}"
            raise ValueError(f"invalid field selector: {problem}")
        parts.append(escaped)
    return "".join(parts)


def matches_fields(
    clauses: tuple[FieldClause, ...], obj: Any, getters: Mapping[str, Callable[[Any], str]]
) -> bool:
    """Whether every clause holds; ``getters`` knows every field that the clauses name."""
    return all((getters[c.field](obj) == c.value) is c.equal for c in clauses)
