"""Why a CESQL expression does not pass an event: the narrowest part that decides it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.filters.cesql.compiler import expression_of
from eventing.filters.cesql.syntax import Attribute, Logic, Node, Unary, children
from eventing.filters.cesql.values import Failure, Value, to_boolean, to_text
from eventing.filters.cesql.writing import written


def why_not(root: Node, event: Mapping[str, str]) -> str:
    """Return what keeps the expression from being true, with the values that it looked at.

    For an expression that is true of the event there is nothing to tell: an empty text.
    """
    value = _value(root, event)
    if value is True:
        return ""
    if isinstance(value, Failure) or value.__class__ is bool:
        return _unless(root, event, wanted=True)
    return f"{_told(root, value, event)}, which is no Boolean"


def _value(node: Node, event: Mapping[str, str]) -> Value | Failure:
    try:
        found: Value = expression_of(node).run(event)
        return found
    except Failure as failure:
        return failure


def _unless(node: Node, event: Mapping[str, str], *, wanted: bool) -> str:
    """Why a node that decides does not come to the Boolean that is wanted."""
    match node:
        case Unary(operator="NOT", operand=operand):
            return _unless(operand, event, wanted=not wanted)
        case Logic(operator="AND" | "OR" as operator, operands=operands):
            return _unless_logic(operands, event, wanted=wanted, ends_with=operator == "OR")
    value = _value(node, event)
    if isinstance(value, Failure):
        return f"{written(node)} cannot be told: {value}"
    return _told(node, value, event)


def _unless_logic(
    operands: tuple[Node, ...], event: Mapping[str, str], *, wanted: bool, ends_with: bool
) -> str:
    """``ends_with`` is the value of an operand after which no other is asked."""
    for operand in operands:
        found = _boolean(_value(operand, event))
        if found is None or (found is ends_with and wanted is not ends_with):
            return _unless(operand, event, wanted=wanted)
    return "; ".join(_unless(operand, event, wanted=wanted) for operand in operands)


def _boolean(value: Value | Failure) -> bool | None:
    if isinstance(value, Failure):
        return None
    try:
        return to_boolean(value)
    except Failure:
        return None


def _told(node: Node, value: Value, event: Mapping[str, str]) -> str:
    """A part, what it comes to, and the attributes in it."""
    names = dict.fromkeys(_attributes(node))
    seen = ", ".join(f"{name} is {_shown(event, name)}" for name in names)
    text = f"{written(node)} is {to_text(value)}"
    return f"{text} ({seen})" if seen and not isinstance(node, Attribute) else text


def _shown(event: Mapping[str, str], name: str) -> str:
    value = event.get(name)
    return "not there" if value is None else f'"{value}"'


def _attributes(node: Node) -> list[str]:
    if isinstance(node, Attribute):
        return [node.name]
    return [name for child in children(node) for name in _attributes(child)]
