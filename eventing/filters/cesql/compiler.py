"""From the tree of a CESQL expression to closures over an event's attributes. Pure.

Evaluation ends with the first error, as section 4.1 advises for filters. The value is then the zero
value of the expression's type, but for those few operators and functions that name another one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from eventing.filters.cesql.functions import resolve
from eventing.filters.cesql.patterns import Pattern
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
    parse,
)
from eventing.filters.cesql.values import (
    INT_MAX,
    INT_MIN,
    ErrorKind,
    Failure,
    Kind,
    Value,
    to_boolean,
    to_integer,
    to_text,
)
from eventing.filters.cesql.values import cast as cast_value

Attributes = Mapping[str, Any]
"""Attributes of an event: texts, or values where the event says what they are."""

Evaluator = Callable[[Attributes], Any]

REQUIRED = frozenset({"id", "source", "specversion", "type"})
"""Attributes that every event has."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an expression comes to for one event."""

    value: Value
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression made ready."""

    root: Node
    run: Evaluator
    """Returns the value or raises Failure."""

    def evaluate(self, event: Attributes) -> Evaluation:
        """Return the value, and the error that evaluation ended with."""
        try:
            return Evaluation(self.run(event))
        except Failure as failure:
            if failure.origin is self.root and failure.value is not None:
                return Evaluation(failure.value, failure)
            return Evaluation(kind_of(self.root)(), failure)

    @property
    def kind(self) -> Kind:
        """The type of the value; Boolean where only the event can tell."""
        return kind_of(self.root)


def compile_expression(text: str) -> Expression:
    """Compile a text; raise CesqlError where it is no expression."""
    return expression_of(parse(text))


def expression_of(root: Node) -> Expression:
    """Compile a tree, or a part of one."""
    return Expression(root, _compiled(root))


def kind_of(node: Node) -> Kind:
    """Return the type a node's value has; Boolean where it cannot be told (section 3.2)."""
    match node:
        case Literal(value=value):
            return value.__class__
        case Unary(operator="-"):
            return int
        case Binary(operator=sign) if sign in _ARITHMETIC:
            return int
        case Call(name=name, arguments=arguments):
            function = resolve(name, len(arguments))
            return function.returns if function is not None else bool
        case _:
            return bool


def _compiled(node: Node) -> Evaluator:
    return _COMPILERS[node.__class__](node)


# -- attributes ------------------------------------------------------------------------------------


def _missing(name: str) -> Failure:
    return Failure(ErrorKind.MISSING_ATTRIBUTE, f'the event has no attribute "{name}"')


def _literal(node: Literal) -> Evaluator:
    value = node.value
    return lambda event: value


def _attribute(node: Attribute) -> Evaluator:
    name = node.name

    def value(event: Attributes) -> Value:
        found = event.get(name)
        if found is None:
            raise _missing(name)
        return cast(Value, found)

    return value


def _exists(node: Exists) -> Evaluator:
    name = node.name
    if name in REQUIRED:
        return lambda event: True
    return lambda event: name in event


# -- casts -----------------------------------------------------------------------------------------


def _as(node: Node, kind: Kind | None) -> Evaluator:
    """Compile a node whose value is wanted as a type; None takes it as it is."""
    run = _compiled(node)
    if kind is None or (not isinstance(node, Attribute) and kind_of(node) is kind):
        return run
    to = {int: to_integer, bool: to_boolean, str: to_text}[kind]
    return lambda event: to(run(event))


# -- operators -------------------------------------------------------------------------------------


def _unary(node: Unary) -> Evaluator:
    return _negation(node) if node.operator == "NOT" else _minus(node)


def _negation(node: Unary) -> Evaluator:
    """NOT. The conformance kit wants no other integers than 0 and 1 taken for Booleans here."""
    run = _compiled(node.operand)

    def negated(event: Attributes) -> bool:
        value = run(event)
        if value is True or value is False:
            return not value
        if value.__class__ is int and value not in (0, 1):
            raise Failure(ErrorKind.CAST, f"NOT of the integer {value}", value=True, origin=node)
        return not to_boolean(value)

    return negated


def _minus(node: Unary) -> Evaluator:
    run = _as(node.operand, int)
    return lambda event: _in_range(-run(event))


def _in_range(number: int) -> int:
    if not INT_MIN <= number <= INT_MAX:
        raise Failure(ErrorKind.MATH, f"{number} has more than 32 bits")
    return number


def _quotient(left: int, right: int) -> int:
    """Round towards zero."""
    if right == 0:
        raise Failure(ErrorKind.MATH, "division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
}
_ORDER: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _binary(node: Binary) -> Evaluator:
    compute = _ARITHMETIC.get(node.operator)
    if compute is not None:
        left, right = _as(node.left, int), _as(node.right, int)
        return lambda event: _in_range(compute(left(event), right(event)))
    compare = _ORDER.get(node.operator)
    if compare is not None:
        left, right = _as(node.left, int), _as(node.right, int)
        return lambda event: compare(left(event), right(event))
    return _equality(node, equal=node.operator == "=")


def _equality(node: Binary, *, equal: bool) -> Evaluator:
    """The left operand is cast to the type of the right one."""
    if isinstance(node.right, Literal):
        expected = node.right.value
        if isinstance(node.left, Attribute) and isinstance(expected, str):
            return _text_equality(node.left.name, expected, equal=equal)
        left = _as(node.left, expected.__class__)
        return lambda event: (left(event) == expected) is equal
    left, right = _compiled(node.left), _compiled(node.right)

    def compared(event: Attributes) -> bool:
        first, second = left(event), right(event)
        return bool(cast_value(first, second.__class__) == second) is equal

    return compared


def _text_equality(name: str, expected: str, *, equal: bool) -> Evaluator:
    """What most expressions are made of."""

    def compared(event: Attributes) -> bool:
        value = event.get(name)
        if value.__class__ is str:
            return (value == expected) is equal
        if value is None:
            raise _missing(name)
        return (to_text(value) == expected) is equal

    return compared


def _logic(node: Logic) -> Evaluator:
    operands = tuple(_as(operand, bool) for operand in node.operands)
    if node.operator == "XOR":
        return lambda event: sum([operand(event) for operand in operands]) % 2 == 1
    ends_with: bool = node.operator == "OR"
    """The value of an operand after which no other is asked."""

    def decided(event: Attributes) -> bool:
        for operand in operands:
            found: bool = operand(event)
            if found is ends_with:
                return ends_with
        return not ends_with

    return decided


def _like(node: Like) -> Evaluator:
    run, test = _as(node.operand, str), Pattern.of(node.pattern).test()
    return lambda event: test(run(event))


def _in(node: In) -> Evaluator:
    """The members are cast to the type of the operand."""
    run = _compiled(node.operand)
    members = tuple(_compiled(member) for member in node.members)

    def contained(event: Attributes) -> bool:
        value = run(event)
        kind = value.__class__
        for member in members:  # noqa: SIM110 - a generator per event costs more
            if cast_value(member(event), kind) == value:
                return True
        return False

    return contained


# -- functions -------------------------------------------------------------------------------------


def _call(node: Call) -> Evaluator:
    function = resolve(node.name, len(node.arguments))
    types = function.types(len(node.arguments)) if function is not None else None
    if function is None or types is None:
        count = len(node.arguments)
        message = f"there is no function {node.name} of {count} arguments"

        def missing(event: Attributes) -> Value:
            raise Failure(ErrorKind.MISSING_FUNCTION, message)

        return missing
    run = function.run
    arguments = [_as(each, kind) for each, kind in zip(node.arguments, types, strict=True)]

    def called(event: Attributes) -> Value:
        values = [argument(event) for argument in arguments]
        try:
            return run(*values)
        except Failure as failure:
            failure.origin = node
            raise

    return called


_COMPILERS: Mapping[type, Callable[[Any], Evaluator]] = {
    Literal: _literal,
    Attribute: _attribute,
    Exists: _exists,
    Unary: _unary,
    Binary: _binary,
    Logic: _logic,
    Like: _like,
    In: _in,
    Call: _call,
}
