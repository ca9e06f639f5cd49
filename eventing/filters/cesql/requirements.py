"""What an event has that a CESQL expression passes, for the index. Pure.

Attributes are texts here, as they are on the wire. An attribute that has to be looked at has to be
there: without it the expression ends with an error, and passes nothing.
"""

from __future__ import annotations

from eventing.filters.cesql.compiler import REQUIRED
from eventing.filters.cesql.patterns import Pattern
from eventing.filters.cesql.syntax import (
    Attribute,
    Binary,
    Exists,
    In,
    Like,
    Literal,
    Logic,
    Node,
    Unary,
    children,
)
from eventing.filters.cesql.values import to_text
from eventing.filters.keys import Probe, Requirements, either, required


def requirements_of(node: Node) -> Requirements:
    """Return what an event has for which the node is true."""
    return _when(node, wanted=True)


def _when(node: Node, *, wanted: bool) -> Requirements:
    """What an event has for which the node comes to this Boolean."""
    match node:
        case Unary(operator="NOT", operand=operand):
            return _when(operand, wanted=not wanted)
        case Logic(operator="AND" | "OR") as logic:
            return _logic(logic, wanted=wanted)
        case Binary(operator="=" | "!=" | "<>" as sign, left=Attribute(name), right=Literal(value)):
            if wanted is (sign == "="):
                return _equal(name, value)
        case Like(operand=Attribute(name), pattern=pattern) if wanted:
            return _like(name, Pattern.of(pattern))
        case In(operand=Attribute(name), members=members) if wanted:
            texts = [to_text(each.value) for each in members if isinstance(each, Literal)]
            if len(texts) == len(members):
                return either(required(Probe.EXACT, name, text) for text in texts)
        case Exists(name) if wanted and name not in REQUIRED:
            return required(Probe.PRESENT, name)
        case _:
            pass
    return _evaluated(node)


def _logic(node: Logic, *, wanted: bool) -> Requirements:
    if wanted is (node.operator == "AND"):
        return tuple(each for operand in node.operands for each in _when(operand, wanted=wanted))
    any_of = either(_when(operand, wanted=wanted) for operand in node.operands)
    return any_of + _evaluated(node.operands[0])


def _equal(name: str, value: bool | int | str) -> Requirements:
    if isinstance(value, bool):
        return required(Probe.PRESENT, name)
    probe = Probe.EXACT if isinstance(value, str) else Probe.INTEGER
    return required(probe, name, value)


def _like(name: str, pattern: Pattern) -> Requirements:
    if pattern.exact is not None:
        return required(Probe.EXACT, name, pattern.exact)
    found: Requirements = ()
    if pattern.prefix:
        found += required(Probe.PREFIX, name, pattern.prefix)
    if pattern.suffix:
        found += required(Probe.SUFFIX, name, pattern.suffix)
    return found or required(Probe.PRESENT, name)


def _evaluated(node: Node) -> Requirements:
    """The attributes that are looked at however the node ends."""
    match node:
        case Attribute(name=name):
            return required(Probe.PRESENT, name)
        case Logic(operator="AND" | "OR", operands=operands):
            return _evaluated(operands[0])
        case In(operand=operand):
            return _evaluated(operand)
        case _:
            return tuple(each for child in children(node) for each in _evaluated(child))
