"""Reads a template: words in, nodes out, with the complaints of Go's text/template/parse. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.api.gotemplate import lexer
from serving.api.gotemplate.lexer import Token
from serving.api.gotemplate.nodes import Branch, Include, Jump, Nodes
from serving.api.gotemplate.pipelines import Pipelines

Trees = Mapping[str, Nodes]
"""Nodes of each template that is defined; the whole text's is ""."""
_CLOSERS = ("end", "else")


def parse_trees(name: str, text: str) -> Trees:
    """Read a template and those that it defines; raises TemplateError."""
    return _Parser(name, text).trees()


class _Parser(Pipelines):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self._loops = 0
        self._trees: dict[str, Nodes] = {}

    def trees(self) -> Trees:
        nodes, _ = self._list("")
        return {"": nodes, **self._trees}

    # -- lists and what controls them ----------------------------------------------------------

    def _list(self, inside: str) -> tuple[Nodes, str]:
        """Nodes up to the end of the text, or to an ``else`` or ``end``, which is told."""
        nodes: list[Any] = []
        while True:
            token = self._take()
            if token.kind == lexer.TEXT:
                nodes.append(token.text)
            elif token.kind == lexer.END:
                if inside:
                    self.fail("unexpected EOF", token)
                return tuple(nodes), ""
            elif token.kind != lexer.LEFT:
                self._unexpected(token, "input")
            elif self._skip().kind == "keyword" and self._peek().text in _CLOSERS:
                closer = self._take().text
                if not inside:
                    if closer == "end" and self._take_word().kind != lexer.RIGHT:
                        self._unexpected(self._tokens[self._next - 1], "end")
                    self.fail(f"unexpected {{{{{closer}}}}}", token)
                return tuple(nodes), closer
            else:
                nodes += self._action(inside)

    def _action(self, inside: str) -> list[Any]:
        token = self._skip()
        if token.kind != "keyword" or (token.text == "define" and inside):
            return [self._pipe("command", lexer.RIGHT)]
        self._take()
        match token.text:
            case "define":
                self._define(self._string("define clause"), "define clause")
                return []
            case "template" | "block":
                return [self._include(token)]
            case "break" | "continue":
                return [self._jump(token)]
        return [self._branch(token.text)]

    def _branch(self, keyword: str) -> Branch:
        known = len(self._variables)
        pipe = self._pipe(keyword, lexer.RIGHT)
        self._loops += keyword == "range"
        then, closer = self._list(keyword)
        self._loops -= keyword == "range"
        otherwise: Nodes = ()
        if closer == "else":
            otherwise = self._otherwise(keyword)
        else:
            self._closed("end")
        del self._variables[known:]
        return Branch(keyword, pipe, then, otherwise)

    def _otherwise(self, keyword: str) -> Nodes:
        token = self._skip()
        if token.kind == "keyword" and token.text in ("if", "with"):
            if token.text != keyword:
                self._unexpected(token, "input")
            self._take()
            return (self._branch(keyword),)
        self._closed("else")
        nodes, closer = self._list(keyword)
        if closer == "else":
            self.fail("expected end; found {{else}}")
        self._closed("end")
        return nodes

    def _closed(self, context: str) -> None:
        token = self._take_word()
        if token.kind != lexer.RIGHT:
            self._unexpected(token, context)

    def _jump(self, token: Token) -> Jump:
        end = self._take_word()
        if end.kind != lexer.RIGHT:
            self._unexpected(end, f"{{{{{token.text}}}}}")
        if not self._loops:
            self.fail(f"{{{{{token.text}}}}} outside {{{{range}}}}", token)
        return Jump(token.text)

    def _string(self, context: str) -> str:
        token = self._take_word()
        if token.kind not in ("string", "raw"):
            self._unexpected(token, context)
        return str(self._value(token))

    def _define(self, name: str, context: str) -> None:
        self._closed(context)
        outer, self._variables = self._variables, ["$"]
        loops, self._loops = self._loops, 0
        nodes, closer = self._list(context)
        if closer != "end":
            self.fail(f"unexpected {{{{{closer}}}}} in {context}")
        self._closed("end")
        self._variables, self._loops = outer, loops
        self._trees[name] = nodes

    def _include(self, keyword: Token) -> Include:
        context = f"{keyword.text} clause"
        at = self._skip().at
        name = self._string(context)
        pipe = None
        if self._skip().kind != lexer.RIGHT:
            pipe = self._pipe(context, lexer.RIGHT)
        else:
            self._take()
        if keyword.text == "block":
            if pipe is None:
                self.fail("missing value for block clause")
            self._next -= 1
            self._define(name, context)
        return Include(name, pipe, at)
