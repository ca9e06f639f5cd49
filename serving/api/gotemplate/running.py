"""Executes a template: nodes and data in, text out. As Go's text/template. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hearth.kube.gotext import quote
from serving.api.gotemplate.formatting import shown
from serving.api.gotemplate.functions import is_true
from serving.api.gotemplate.nodes import Branch, Include, Nodes, Pipe, Struct
from serving.api.gotemplate.values import Values

MAX_DEPTH = 100
"""Templates within each other."""


class _Jumped(Exception):
    """``break`` or ``continue`` on the way to its range."""


class Run(Values):
    """One execution: what is written, and how much was done."""

    def __init__(self, name: str, text: str, trees: Mapping[str, Nodes], data: Struct) -> None:
        super().__init__(name, text, data)
        self._trees, self._data = trees, data
        self._out: list[str] = []
        self._depth = 0

    def text(self) -> str:
        """Return what comes of it; raises TemplateError."""
        self._walk(self._trees[""], self._data)
        return "".join(self._out)

    # -- nodes ---------------------------------------------------------------------------------

    def _walk(self, nodes: Nodes, dot: Any) -> None:
        for node in nodes:
            text = node
            if not isinstance(node, str):
                text = self._node(node, dot)
            self._count(len(text))
            self._out.append(text)

    def _node(self, node: Any, dot: Any) -> str:
        """Do what a node says; return the text that is its own."""
        if isinstance(node, Pipe):
            value = self._pipe(node, dot)
            if node.variables:
                return ""
            return "<no value>" if value is None else shown(value)
        if isinstance(node, Branch):
            self._branch(node, dot)
        elif isinstance(node, Include):
            self._include(node, dot)
        else:
            raise _Jumped(node.keyword)
        return ""

    def _branch(self, branch: Branch, dot: Any) -> None:
        known = len(self._variables)
        if branch.keyword == "range":
            self._range(branch, dot)
        else:
            value = self._pipe(branch.pipe, dot)
            inner = value if branch.keyword == "with" else dot
            if is_true(value):
                self._walk(branch.then, inner)
            else:
                self._walk(branch.otherwise, dot)
        del self._variables[known:]

    def _range(self, branch: Branch, dot: Any) -> None:
        value = self._pipe(branch.pipe, dot)
        known, names, is_empty = len(self._variables), branch.pipe.variables, True
        for place, member in self._members(branch.pipe, value):
            is_empty = False
            if len(names) == 1:
                self._set(branch.pipe, names[0], member)
            elif names:
                self._set(branch.pipe, names[0], place)
                self._set(branch.pipe, names[1], member)
            try:
                self._walk(branch.then, member)
            except _Jumped as jump:
                if jump.args[0] == "break":
                    break
            finally:
                del self._variables[known:]
        if is_empty:
            self._walk(branch.otherwise, dot)

    def _members(self, pipe: Pipe, value: Any) -> Iterator[tuple[Any, Any]]:
        inner = value.items if isinstance(value, Struct) and value.items is not None else value
        if isinstance(inner, Mapping):
            yield from sorted(inner.items())
        elif isinstance(inner, list | tuple):
            yield from enumerate(inner)
        elif type(inner) is int:
            yield from ((number, number) for number in range(inner))
        elif inner is not None:
            self._fail(pipe.commands[-1], f"range can't iterate over {shown(inner)}")

    def _include(self, node: Include, dot: Any) -> None:
        if node.name not in self._trees or not node.name:
            self._fail(node, f"template {quote(node.name)} not defined")
        value = None if node.pipe is None else self._pipe(node.pipe, dot)
        if self._depth == MAX_DEPTH:
            self._fail(node, f"exceeded maximum template depth ({MAX_DEPTH})")
        self._depth += 1
        kept = self._variables, self._running
        self._variables, self._running = [("$", value)], node.name
        self._walk(self._trees[node.name], value)
        self._variables, self._running = kept
        self._depth -= 1
