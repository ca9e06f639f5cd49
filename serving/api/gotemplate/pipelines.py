"""Reads what stands between the braces of a template: pipelines, commands, operands. Pure.

Complaints are those of Go's text/template/parse.
"""

from __future__ import annotations

from typing import Any, NoReturn

from hearth.kube.gotext import quote
from serving.api.gotemplate import lexer
from serving.api.gotemplate.functions import FUNCTIONS
from serving.api.gotemplate.lexer import Token, tokens
from serving.api.gotemplate.literals import WORDS, value_of
from serving.api.gotemplate.nodes import Chain, Command, Function, Literal, Pipe, TemplateError

_OPERANDS = frozenset(
    {"word", "field", "dot", "variable", "string", "raw", "char", "number", "open"}
)


class Pipelines:
    """The words of a template with a place among them, and the variables known there."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._tokens = list(tokens(text))
        self._next = 0
        self._variables = ["$"]

    # -- words ---------------------------------------------------------------------------------

    def _peek(self) -> Token:
        return self._tokens[min(self._next, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self._next += 1
        return token

    def _skip(self) -> Token:
        """Return the next word that is no space, without taking it."""
        while self._peek().kind == lexer.SPACE:
            self._next += 1
        return self._peek()

    def _take_word(self) -> Token:
        self._skip()
        return self._take()

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Complain about the word that was taken last, or this one."""
        at = (token or self._tokens[max(0, min(self._next, len(self._tokens)) - 1)]).at
        line = self._text.count("\n", 0, at) + 1
        raise TemplateError(f"template: {self._name}:{line}: {message}")

    def _unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind == lexer.ERROR:
            self.fail(token.text, token)
        self.fail(f"unexpected {token} in {context}", token)

    # -- pipelines -----------------------------------------------------------------------------

    def _pipe(self, context: str, end: str) -> Pipe:
        at = self._skip().at
        variables, assigns = self._declared(context)
        commands: list[Command] = []
        while self._skip().kind != end:
            if self._peek().kind not in _OPERANDS:
                self._unexpected(self._take(), context)
            commands.append(self._command())
        self._take()
        if not commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], start=2):
            first = command.operands[0]
            if isinstance(first, Literal) or (isinstance(first, Chain) and first.is_dot):
                self.fail(f"non executable command in pipeline stage {stage}")
        return Pipe(tuple(commands), at, variables, assigns)

    def _declared(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Variables before ``:=`` or ``=``; nothing is taken where there are none."""
        names: list[str] = []
        start = self._next
        while self._skip().kind == "variable":
            names.append(self._take().text)
            mark = self._skip()
            if mark.kind in ("declare", "assign"):
                self._take()
                self._variables += names
                return tuple(names), mark.kind == "assign"
            if mark.kind != "mark" or mark.text != ",":
                break
            self._take()
            if context != "range" or len(names) > 1:
                self.fail(f"too many declarations in {context}")
            if self._skip().kind != "variable":
                self.fail("range can only initialize variables")
        self._next = start
        return (), False

    def _known(self, name: str) -> str:
        if name not in self._variables:
            self.fail(f"undefined variable {quote(name)}")
        return name

    def _command(self) -> Command:
        at = self._skip().at
        operands: list[Any] = []
        while True:
            if self._skip().kind in _OPERANDS:
                operands.append(self._operand())
            token = self._take()
            if token.kind == lexer.SPACE:
                continue
            if token.kind in (lexer.RIGHT, "close"):
                self._next -= 1
            elif token.kind != "pipe":
                self._unexpected(token, "operand")
            return Command(tuple(operands), at)

    def _operand(self) -> Any:
        token = self._peek()
        node = self._term()
        at, path = self._peek().at, []
        while self._peek().kind == "field":
            path.append(self._take().text[1:])
        if not path:
            return node
        if isinstance(node, Chain):
            if node.is_dot:
                self.fail('unexpected . after term "."')
            return Chain(node.start, (*node.path, *path), at)
        if isinstance(node, Literal):
            self.fail(f"unexpected . after term {quote(str(node))}")
        return Chain(node, tuple(path), token.at)

    def _term(self) -> Any:
        token = self._take()
        match token.kind:
            case "open":
                return self._pipe("parenthesized pipeline", "close")
            case "field":
                return Chain(None, (token.text[1:],), token.at)
            case "dot":
                return Chain(None, (), token.at)
            case "variable":
                return Chain(self._known(token.text), (), token.at)
            case "word" if token.text not in WORDS:
                if token.text not in FUNCTIONS:
                    self.fail(f"function {quote(token.text)} not defined")
                return Function(token.text, token.at)
        return Literal(self._value(token), token.at, token.text)

    def _value(self, token: Token) -> Any:
        try:
            return value_of(token)
        except ValueError as error:
            self.fail(str(error))
