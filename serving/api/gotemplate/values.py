"""Evaluates what stands in a template: pipelines, calls, fields, variables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from hearth.kube.gotext import quote
from serving.api.gotemplate.formatting import MAX_TEXT, type_name
from serving.api.gotemplate.functions import FUNCTIONS, is_true
from serving.api.gotemplate.nodes import (
    Chain,
    Command,
    Function,
    Literal,
    Pipe,
    Struct,
    TemplateError,
)

MAX_STEPS = 20_000
"""The most nodes and calls of one execution: no setting shall stop a process."""
_Piped = tuple[Any, ...]
_FAULTS = (TypeError, ValueError, LookupError, OverflowError)


class Values:
    """The variables of one execution, and what error messages need."""

    def __init__(self, name: str, text: str, data: Struct) -> None:
        self._name, self._source = name, text
        self._running = name
        self._steps = self._letters = 0
        self._variables: list[tuple[str, Any]] = [("$", data)]

    def _fail(self, node: Any, message: str) -> NoReturn:
        before = self._source[: node.at]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1)
        raise TemplateError(
            f"template: {self._name}:{line}:{column}: executing {quote(self._running)} "
            f"at <{node}>: {message}"
        )

    def _set(self, pipe: Pipe, name: str, value: Any) -> None:
        if not pipe.assigns:
            self._variables.append((name, value))
            return
        for place in reversed(range(len(self._variables))):
            if self._variables[place][0] == name:
                self._variables[place] = name, value
                return
        self._fail(pipe.commands[-1], f"undefined variable: {name}")

    def _pipe(self, pipe: Pipe, dot: Any) -> Any:
        piped: _Piped = ()
        for command in pipe.commands:
            piped = (self._command(command, dot, piped),)
        if len(pipe.variables) == 1:
            self._set(pipe, pipe.variables[0], piped[0])
        return piped[0]

    def _command(self, command: Command, dot: Any, piped: _Piped) -> Any:
        first, arguments = command.operands[0], command.operands[1:]
        if isinstance(first, Function):
            return self._function(first, command, arguments, dot, piped)
        if isinstance(first, Chain) and not first.is_dot:
            return self._chain(first, dot, arguments, piped)
        if arguments or piped:
            self._fail(first, f"can't give argument to non-function {first}")
        if isinstance(first, Literal) and first.value is None:
            self._fail(first, "nil is not a command")
        return self._operand(first, dot)

    def _operand(self, node: Any, dot: Any) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Chain):
            return self._chain(node, dot, (), ())
        if isinstance(node, Function):
            return self._function(node, node, (), dot, ())
        return self._pipe(node, dot)

    def _function(
        self, function: Function, node: Any, arguments: tuple[Any, ...], dot: Any, piped: _Piped
    ) -> Any:
        name = function.name
        wanted, call = FUNCTIONS[name]
        given = len(arguments) + len(piped)
        if given < abs(wanted) or (wanted < 0 and given > -wanted):
            least = "" if wanted < 0 else "at least "
            problem = f"want {least}{abs(wanted)} got {given}"
            self._fail(node, f"wrong number of args for {name}: {problem}")
        if name in ("and", "or"):
            return self._first(arguments, dot, piped, until=name == "or")
        values = [self._operand(argument, dot) for argument in arguments]
        if name == "call":
            what = f"non-function {arguments[0]} of type {type_name(values[0])}"
            self._fail(node, f"error calling call: {what}")
        return self._apply(node, name, call, (*values, *piped))

    def _first(self, arguments: tuple[Any, ...], dot: Any, piped: _Piped, *, until: bool) -> Any:
        value = None
        for argument in arguments:
            value = self._operand(argument, dot)
            if is_true(value) is until:
                return value
        return piped[0] if piped else value

    def _apply(self, node: Any, name: str, call: Callable[..., Any], values: _Piped) -> Any:
        try:
            found = call(*values)
        except _FAULTS as error:
            self._fail(node, f"error calling {name}: {error}")
        self._count(len(found) if isinstance(found, str) else 0)
        return found

    def _count(self, letters: int) -> None:
        self._steps += 1
        self._letters += letters
        if self._steps > MAX_STEPS or self._letters > MAX_TEXT:
            raise TemplateError(f"template: {self._name}: it does or writes too much")

    def _chain(self, node: Chain, dot: Any, arguments: tuple[Any, ...], piped: _Piped) -> Any:
        if node.start is None:
            value = dot
        elif isinstance(node.start, str):
            value = self._variable(node, node.start)
        else:
            value = self._operand(node.start, dot)
        if not node.path:
            if arguments or piped:
                self._fail(node, f"can't give argument to non-function {node}")
            return value
        for name in node.path[:-1]:
            value = self._field(node, name, value)
            if callable(value):
                value = self._apply(node, name, value, ())
        name = node.path[-1]
        found = self._field(node, name, value)
        if callable(found):
            values = [self._operand(argument, dot) for argument in arguments]
            return self._apply(node, name, found, (*values, *piped))
        if arguments or piped:
            is_map = isinstance(value, Mapping)
            problem = (
                "is not a method but has arguments"
                if is_map
                else "has arguments but cannot be invoked as function"
            )
            self._fail(node, f"{name} {problem}")
        return found

    def _variable(self, node: Chain, name: str) -> Any:
        for own, value in reversed(self._variables):
            if own == name:
                return value
        self._fail(node, f"undefined variable: {name}")

    def _field(self, node: Chain, name: str, value: Any) -> Any:
        if isinstance(value, Struct):
            if name not in value.fields:
                self._fail(node, f"can't evaluate field {name} in type {value.type_name}")
            return value.fields[name]
        if isinstance(value, Mapping):
            return value.get(name)
        self._fail(node, f"can't evaluate field {name} in type {type_name(value)}")
