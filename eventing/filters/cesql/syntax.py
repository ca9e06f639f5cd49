"""From the text of a CESQL expression to a tree. Pure.

Operators in the order of the grammar, those that bind most first: NOT and ``-``, LIKE and IN, the
products, the sums, the comparisons, then AND, OR and XOR, which bind alike and to the right.

Admission refuses what is no expression in the words of Knative's parser (``CesqlError.detail``):
some mistakes it explains, of others (None) it only says that they are there. Where the mistake is
and what was expected there stands in the error's own text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventing.filters.cesql.tokens import KEYWORDS, Token, tokens_of, unquoted
from eventing.filters.cesql.values import Value
from hearth.kube.gotext import OutOfRange, parse_int

MAX_NESTING = 64
"""Expressions within expressions, at most."""

_SYNTAX = "syntax error: "
_NOT_A_TEXT = "failed to parse LIKE expression: the pattern was not a string literal"
_LOGIC = ("AND", "OR", "XOR")
_LEVELS = {
    **dict.fromkeys(("=", "!=", "<>", ">=", "<=", "<", ">"), 1),
    **dict.fromkeys(("+", "-"), 2),
    **dict.fromkeys(("*", "/", "%"), 3),
}


class CesqlError(ValueError):
    """The text is no expression; ``detail`` is what Knative says of that."""

    def __init__(self, message: str, detail: str | None, at: int) -> None:
        super().__init__(f"{message} at character {at + 1}")
        self.detail = f"parse error: {detail}" if detail is not None else None
        self.at = at


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value as written."""

    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """The value of an attribute."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Exists:
    """Whether there is an attribute."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """NOT or ``-``."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """A comparison or arithmetic."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Logic:
    """AND, OR or XOR of two or more."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """Whether a text has a pattern's form."""

    operand: Node
    pattern: str


@dataclass(frozen=True, slots=True, eq=False)
class In:
    """Whether a value is among others."""

    operand: Node
    members: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function, its name in upper case, with its arguments."""

    name: str
    arguments: tuple[Node, ...]


Node = Literal | Attribute | Exists | Unary | Binary | Logic | Like | In | Call


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes that a node is made of."""
    match node:
        case Unary(operand=operand) | Like(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Logic(operands=operands):
            return operands
        case In(operand=operand, members=members):
            return (operand, *members)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def parse(text: str) -> Node:
    """Return the tree of an expression; raise CesqlError where the text is none."""
    parser = _Parser(tokens_of(text))
    root = parser.expression(complaint=_SYNTAX)
    parser.expect_end()
    _check_depth(root)
    return root


def _check_depth(root: Node) -> None:
    """Evaluation goes as deep as the tree, of which a long sum makes a deep one."""
    level: Sequence[Node] = (root,)
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in children(node)]
        if not level:
            return
    raise CesqlError(f"operators nested more than {MAX_NESTING} deep", None, 0)


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nesting = 0

    # -- tokens ----------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _is_at(self, *words: str) -> bool:
        return self._peek().folded in words

    def _error(self, expected: str, detail: str | None) -> CesqlError:
        token = self._peek()
        return CesqlError(f"expected {expected}, {token}", detail, token.at)

    def expect_end(self) -> None:
        """Insist that nothing follows the expression."""
        left = len(self._tokens) - 1 - self._at
        if left:
            is_alone = left == 1 and not self._is_at("NOT")
            raise self._error("an operator or the end", None if is_alone else _SYNTAX)

    # -- expressions -----------------------------------------------------------------------------

    def expression(self, *, complaint: str | None) -> Node:
        """``complaint`` is what Knative says when there is nothing where this has to begin."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            token = self._peek()
            message = f"expressions nested more than {MAX_NESTING} deep"
            raise CesqlError(message, None, token.at)
        operands, operators = [self._comparison(1, complaint)], []
        while self._is_at(*_LOGIC):
            operators.append(self._next().folded)
            operands.append(self._comparison(1, None))
        self._nesting -= 1
        return _joined(operands, operators)

    def _comparison(self, floor: int, complaint: str | None) -> Node:
        """Comparisons, sums and products, by how much they bind; each to the left."""
        left = self._tested(complaint)
        while (level := _LEVELS.get(self._peek().folded, 0)) >= floor:
            operator = self._next().folded
            left = Binary(operator, left, self._comparison(level + 1, None))
        return left

    def _tested(self, complaint: str | None) -> Node:
        """An operand, and what LIKE and IN ask of it."""
        node = self._operand(complaint)
        while True:
            negated = self._is_at("NOT") and self._peek(1).folded in ("LIKE", "IN")
            if not negated and not self._is_at("LIKE", "IN"):
                return node
            if negated:
                self._next()
            test = self._like(node) if self._next().folded == "LIKE" else self._in(node)
            node = Unary("NOT", test) if negated else test

    def _like(self, operand: Node) -> Node:
        token = self._peek()
        if token.kind != "string":
            detail = None if token.kind == "end" else f"{_SYNTAX}|{_NOT_A_TEXT}"
            raise self._error("a string literal", detail)
        return Like(operand, unquoted(self._next().text))

    def _in(self, operand: Node) -> Node:
        if not self._is_at("("):
            raise self._error('"("', None)
        self._next()
        return In(operand, tuple(self._list(complaint=None)))

    def _operand(self, complaint: str | None) -> Node:
        signs = []
        while self._is_at("NOT", "-"):
            signs.append(self._next().folded)
            complaint = None
        node = self._primary(complaint)
        for sign in reversed(signs):
            node = Unary(sign, node)
        return node

    def _primary(self, complaint: str | None) -> Node:
        token = self._peek()
        if token.kind == "integer":
            return Literal(self._integer(self._next()))
        if token.kind == "string":
            return Literal(unquoted(self._next().text))
        match token.folded:
            case "TRUE" | "FALSE":
                return Literal(self._next().folded == "TRUE")
            case "EXISTS":
                return self._exists()
            case "(":
                return self._parenthesized()
        if token.kind == "word" and token.text.upper() not in KEYWORDS:
            return self._named()
        raise self._error("a value", complaint)

    def _integer(self, token: Token) -> int:
        try:
            return parse_int(token.text, 32)
        except OutOfRange as error:
            raise CesqlError("an integer of more than 32 bits", str(error), token.at) from None

    def _exists(self) -> Node:
        self._next()
        token = self._peek()
        if token.kind != "word" or token.text.upper() in KEYWORDS or "_" in token.text:
            detail = None if token.kind == "end" else _SYNTAX
            raise self._error("the name of an attribute", detail)
        return Exists(self._next().text.lower())

    def _parenthesized(self) -> Node:
        self._next()
        node = self.expression(complaint=_SYNTAX)
        self._close()
        return node

    def _named(self) -> Node:
        """An attribute, or a function with its arguments."""
        token = self._next()
        if self._is_at("(") and token.text.replace("_", "").isalpha():
            self._next()
            if self._is_at(")"):
                self._next()
                return Call(token.text.upper(), ())
            return Call(token.text.upper(), tuple(self._list(complaint=_SYNTAX)))
        if "_" in token.text:
            raise self._error("the arguments of a function", _SYNTAX)
        return Attribute(token.text.lower())

    def _list(self, *, complaint: str | None) -> Iterator[Node]:
        """Expressions up to the closing parenthesis; the opening one is behind us."""
        yield self.expression(complaint=complaint)
        while self._is_at(","):
            self._next()
            yield self.expression(complaint=complaint)
        self._close()

    def _close(self) -> None:
        if not self._is_at(")"):
            raise self._error('")"', None)
        self._next()


def _joined(operands: Sequence[Node], operators: Sequence[str]) -> Node:
    """Join to the right: ``a AND b OR c`` is ``a AND (b OR c)``. Equal neighbours become one."""
    run = [operands[-1]]
    for number in range(len(operators) - 1, -1, -1):
        run.append(operands[number])
        operator, before = operators[number], operators[number - 1] if number else ""
        if before != operator:
            run = [Logic(operator, tuple(reversed(run)))]
    return run[0]
