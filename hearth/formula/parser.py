"""From words to terms, in one pass: the grammar of expr-lang's ``parser/parser.go``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.formula import functions, members, predicates
from hearth.formula.errors import FaultAt
from hearth.formula.kinds import COMPARISONS
from hearth.formula.operators import (
    BINARY,
    LEFT,
    NEGATABLE,
    UNARY,
    binary,
    conditional,
    unary,
)
from hearth.formula.scope import Scope
from hearth.formula.terms import BOOL, NIL, STRING, Frame, Term, constant, term
from hearth.formula.tokens import Sort, Token, number
from hearth.formula.words import Words

_WORDS: dict[str, tuple[str, Any]] = {
    "true": (BOOL, True),
    "false": (BOOL, False),
    "nil": (NIL, None),
}


class Parser:
    """Reads one formula over the variables ``names``, which are numbers."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self._words = Words(text)
        self.scope = Scope(names)

    def parse(self) -> Term:
        """Return the whole; raise FaultAt."""
        result = self._sequence()
        if self._words.now.sort is not Sort.END:
            self._words.unexpected()
        return result

    # -- expressions -------------------------------------------------------------------------------

    def _sequence(self) -> Term:
        with self._words.nested():
            result = self._expression()
            while self._words.skip(";") and self._words.now.sort is not Sort.END:
                result = self._expression()
            return result

    def _expression(self, precedence: int = 0) -> Term:
        words = self._words
        if precedence == 0 and words.at("let"):
            return self._let()
        if precedence == 0 and words.at("if"):
            return self._if()
        left = self._operations(self._primary(), precedence)
        while precedence == 0 and words.at("?"):
            left = self._ternary(left)
        return left

    def _operations(self, left: Term, precedence: int) -> Term:
        words, before = self._words, ""
        while words.now.sort is Sort.SIGN:
            negated = words.at("not") and words.after().text in NEGATABLE
            sign = words.after() if negated else words.now
            binds, side = BINARY.get(sign.text, (-1, LEFT))
            if binds < precedence:
                return left
            if before == "??" and sign.text not in ("??", "|"):
                fault = f"Operator ({sign.text}) and coalesce expressions (??) cannot be mixed. "
                raise FaultAt(fault + "Wrap either by parentheses.", sign.at)
            for _ in range(1 + negated):
                words.next()
            before = sign.text
            if sign.text == "|":
                left = self._call(words.name(), [left])
            elif sign.text in COMPARISONS:
                left = self._comparison(left, sign, binds)
            else:
                left = binary(sign.text, left, self._expression(binds + side), sign.at)
                left = unary("not", left, sign.at) if negated else left
        return left

    def _comparison(self, left: Term, sign: Token, binds: int) -> Term:
        """``a < b < c`` is ``a < b and b < c``."""
        result: Term | None = None
        while True:
            right = self._expression(binds + 1)
            one = binary(sign.text, left, right, sign.at)
            result = one if result is None else binary("&&", result, one, sign.at)
            if not self._words.at(*COMPARISONS):
                return result
            left, sign = right, self._words.next()

    def _ternary(self, condition: Term) -> Term:
        words = self._words
        at = words.next().at
        with words.nested():
            first = condition if words.at(":") else self._expression()
            words.expect(":")
            return conditional(condition, first, self._expression(), at)

    def _if(self) -> Term:
        words = self._words
        at = words.next().at
        with words.nested():
            condition, first = self._expression(), self._block()
            words.expect("else")
            second = self._if() if words.at("if") else self._block()
            return conditional(condition, first, second, at)

    def _block(self) -> Term:
        self._words.expect("{")
        result = self._sequence()
        self._words.expect("}")
        return result

    def _let(self) -> Term:
        words = self._words
        words.next()
        name = words.name()
        words.expect("=")
        value = self._expression()
        words.expect(";")
        with self.scope.declared(name, value) as slot:
            rest = self._sequence()
        set_to, then = value.run, rest.run

        def run(frame: Frame) -> Any:
            frame.slots[slot] = set_to(frame)
            return then(frame)

        return term(rest.kind, run, name.at, value, rest)

    # -- operands ----------------------------------------------------------------------------------

    def _primary(self) -> Term:
        words, token = self._words, self._words.now
        if words.at(*UNARY):
            words.next()
            with words.nested():
                of = self._expression(UNARY[token.text])
            return self._postfix(unary(token.text, of, token.at))
        if words.skip("("):
            inner = self._sequence()
            words.expect(")")
            return self._postfix(inner)
        if self.scope.in_predicate and words.at("#", "."):
            is_named = words.skip("#") and words.now.sort is Sort.NAME
            name = words.next().text if is_named else ""
            return self._postfix(self.scope.pointer(name, token.at))
        if words.skip("["):
            return self._postfix(members.array(self._listed("]"), token.at))
        if words.skip("{"):
            return self._postfix(self._map(token.at))
        return self._literal()

    def _literal(self) -> Term:
        words = self._words
        token = words.next()
        if token.sort is Sort.NUMBER:
            return constant(*number(token), token.at)
        if token.sort is Sort.STRING:
            return self._postfix(constant(STRING, token.text, token.at))
        if token.sort is not Sort.NAME:
            raise FaultAt(f"unexpected token {token}", token.at)
        if token.text in _WORDS:
            return constant(*_WORDS[token.text], token.at)
        if words.at("("):
            return self._postfix(self._call(token, []))
        return self._postfix(self.scope.variable(token))

    def _listed(self, end: str) -> list[Term]:
        """Expressions between commas, one of which may stand at the end."""
        items: list[Term] = []
        with self._words.nested():
            while not self._words.skip(end):
                items.append(self._expression())
                if not self._words.at(end):
                    self._words.expect(",")
        return items

    def _map(self, at: int) -> Term:
        words, pairs = self._words, []
        with words.nested():
            while not words.skip("}"):
                key = words.now
                if key.sort in (Sort.NUMBER, Sort.STRING, Sort.NAME):
                    name = constant(STRING, words.next().text, key.at)
                elif words.at("("):
                    name = self._expression()
                else:
                    words.unexpected()
                words.expect(":")
                pairs.append((name, self._expression()))
                if not words.at("}"):
                    words.expect(",")
        return members.mapping(pairs, at)

    def _postfix(self, of: Term) -> Term:
        words = self._words
        while words.at(".", "?.", "["):
            sign = words.next()
            optional = sign.text == "?."
            if sign.text == "[" or (optional and words.skip("[")):
                of = self._index(of, sign.at, optional)
                continue
            name = words.next()
            if name.sort not in (Sort.NAME, Sort.SIGN) or not name.text.isidentifier():
                raise FaultAt("expected name", name.at)
            key = constant(STRING, name.text, name.at)
            of = members.member(of, key, name.at, is_optional=optional)
        return of

    def _index(self, of: Term, at: int, optional: bool) -> Term:
        words = self._words
        with words.nested():
            first = None if words.at(":") else self._expression()
            if first is not None and words.skip("]"):
                return members.member(of, first, at, is_optional=optional)
            words.expect(":")
            last = None if words.at("]") else self._expression()
            words.expect("]")
            return members.part(of, first, last, at)

    # -- calls -------------------------------------------------------------------------------------

    def _call(self, name: Token, piped: Sequence[Term]) -> Term:
        if name.text in predicates.PREDICATES:
            return self._predicate_call(name, piped)
        if name.text not in functions.FUNCTIONS:
            known = ", ".join(sorted({*functions.FUNCTIONS, *predicates.PREDICATES}))
            fault = f"function {name.text} is not supported here; known are: {known}"
            raise FaultAt(fault, name.at)
        self._words.expect("(")
        return functions.call(name.text, [*piped, *self._listed(")")], name.at)

    def _predicate_call(self, name: Token, piped: Sequence[Term]) -> Term:
        words = self._words
        words.expect("(")
        with words.nested():
            array = piped[0] if piped else self._expression()
            if not piped and not words.at(")"):
                words.expect(",")
            pointers = self.scope.pointers()
            element = predicates.element_of(name.text, array)
            if words.at(")") and name.text in predicates.MAY_LACK:
                predicate = predicates.itself(element, pointers, array.at)
            else:
                with self.scope.asking(pointers, element):
                    predicate = self._block() if words.at("{") else self._expression()
            given = [array, predicate]
            if words.skip(",") and name.text == "reduce" and not words.at(")"):
                given.append(self._expression())
                words.skip(",")
            words.expect(")")
        if name.text == "reduce":
            return predicates.reduce(given, pointers, name.at)
        return predicates.ask(name.text, array, predicate, pointers=pointers, at=name.at)
