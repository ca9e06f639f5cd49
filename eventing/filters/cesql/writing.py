"""From the tree of a CESQL expression back to text, to name a part of it. Pure.

Names and operators are written in the case that the parser gives them; parentheses stand wherever
the tree would be read differently without them, and nowhere else.
"""

from __future__ import annotations

from eventing.filters.cesql.syntax import (
    Attribute,
    Binary,
    Call,
    Exists,
    In,
    Like,
    Literal,
    Logic,
    Node,
    Unary,
)
from eventing.filters.cesql.values import to_text

_TEST, _OPERAND = 4, 5
"""How tightly LIKE and IN bind, and what stands alone; logic binds as 0."""
_LEVELS = {"+": 2, "-": 2, "*": 3, "/": 3, "%": 3}


def written(node: Node) -> str:
    """Return the text of a node; parsing it gives the same tree."""
    match node:
        case Literal(value=value):
            return _literal(value)
        case Attribute(name=name):
            return name
        case Exists(name=name):
            return f"EXISTS {name}"
        case Call(name=name, arguments=arguments):
            return f"{name}({_list(arguments)})"
        case _:
            return _operation(node)


def _operation(node: Unary | Binary | Logic | Like | In) -> str:
    match node:
        case Unary(operator=operator, operand=operand):
            return f"{operator} {_within(operand, _OPERAND)}"
        case Binary(operator=operator, left=left, right=right):
            level = _LEVELS.get(operator, 1)
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}"
        case Logic(operator=operator, operands=operands):
            return f" {operator} ".join(_within(each, 1) for each in operands)
        case Like(operand=operand, pattern=pattern):
            return f"{_within(operand, _OPERAND)} LIKE {_quoted(pattern)}"
        case In(operand=operand, members=members):
            return f"{_within(operand, _OPERAND)} IN ({_list(members)})"


def _list(nodes: tuple[Node, ...]) -> str:
    return ", ".join(map(written, nodes))


def _literal(value: bool | int | str) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return to_text(value).upper()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


def _within(node: Node, level: int) -> str:
    text = written(node)
    return text if _level(node) >= level else f"({text})"


def _level(node: Node) -> int:
    match node:
        case Logic():
            return 0
        case Binary(operator=operator):
            return _LEVELS.get(operator, 1)
        case Like() | In():
            return _TEST
        case _:
            return _OPERAND
