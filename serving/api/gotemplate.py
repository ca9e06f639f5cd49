"""The part of Go's text/template that settings use: domain, tag and container name templates.

Fields, maps, ``index``, comparisons, ``printf``, pipes, ``if``/``else``/``with`` and trimming; no
variables, ranges or nested templates. Errors carry Go's words, since they reach the operator who
edits a ConfigMap. Pure; ``Template.execute`` gives text or raises ``TemplateError``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hearth.kube.gotext import parse_float, parse_int, quote

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?)"""
    r"""|(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<dot>\.)|(?P<word>[A-Za-z_]\w*)|(?P<mark>[|()]))"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class TemplateError(ValueError):
    """A template that cannot be parsed or executed."""


@dataclass(frozen=True, slots=True)
class Struct:
    """Data with named fields and a Go type name, which error messages quote."""

    type_name: str
    fields: Mapping[str, Any]
    """A field that can be called is a method."""
    items: Mapping[str, Any] | None = None
    """Of a map with methods: what ``index`` finds and ``len`` counts."""
    text: str | None = None
    """What is printed of it, where Go's type has a String method."""


@dataclass(frozen=True, slots=True)
class _Field:
    path: tuple[str, ...]
    offset: int

    def __str__(self) -> str:
        return "." + ".".join(self.path)


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any
    offset: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Call:
    """A function with its arguments, or a single operand when ``function`` is empty."""

    function: str
    arguments: tuple[Any, ...]
    offset: int

    def __str__(self) -> str:
        parts = [self.function] if self.function else []
        return " ".join(parts + [str(a) for a in self.arguments])


@dataclass(frozen=True, slots=True)
class _Pipe:
    commands: tuple[_Call, ...]
    offset: int

    def __str__(self) -> str:
        return " | ".join(map(str, self.commands))


@dataclass(frozen=True, slots=True)
class _Branch:
    keyword: str  # "if" or "with"
    condition: _Pipe
    then: tuple[Any, ...]
    otherwise: tuple[Any, ...]


class Template:
    """A parsed template."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._nodes = _Parser(name, text).parse()

    def execute(self, data: Struct) -> str:
        """Fill the template with data; raises TemplateError."""
        return "".join(_Run(self.name, self.text, data).walk(self._nodes, data))


@lru_cache(maxsize=64)
def parse(name: str, text: str) -> Template:
    """Parse a template; raises TemplateError."""
    try:
        return Template(name, text)
    except RecursionError:
        raise TemplateError(f"template: {name}: max expression depth exceeded") from None


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._at = 0
        self._pending_word = ""  # the else or end that closed a list
        self._pending_rest = ""
        self._pending_offset = 0

    def parse(self) -> tuple[Any, ...]:
        nodes = self._list(nested=False)
        return nodes

    def fail(self, message: str, offset: int | None = None) -> TemplateError:
        at = self._at if offset is None else offset
        line = self._text.count("\n", 0, at) + 1
        return TemplateError(f"template: {self._name}:{line}: {message}")

    def _list(self, *, nested: bool) -> tuple[Any, ...]:
        """Nodes until the end of the text, or until an else or end of the enclosing branch."""
        nodes: list[Any] = []
        while True:
            start = self._text.find("{{", self._at)
            if start < 0:
                nodes.append(self._text[self._at :])
                if nested:
                    raise self.fail("unexpected EOF", len(self._text))
                return tuple(nodes)
            body, offset = self._action(start, nodes)
            if body.startswith("/*"):
                continue
            word, rest = _first_word(body)
            if word in ("else", "end"):
                if not nested:
                    raise self.fail(f"unexpected {{{{{word}}}}}", start)
                self._pending_word, self._pending_rest = word, rest
                self._pending_offset = offset + len(body) - len(rest)
                return tuple(nodes)
            if word in ("if", "with"):
                nodes.append(self._branch(word, rest, offset + len(body) - len(rest)))
            elif word in ("range", "define", "template", "block", "break", "continue"):
                raise self.fail(f"{{{{{word}}}}} is not supported", start)
            else:
                nodes.append(self._pipe(body, offset, context="command"))

    def _action(self, start: int, nodes: list[Any]) -> tuple[str, int]:
        """The inside of the action that begins at ``start``; the text before it is added."""
        before, offset = self._text[self._at : start], start + 2
        if self._text.startswith("- ", offset):
            before, offset = before.rstrip(), offset + 2
        nodes.append(before)
        end = _close(self._text, offset)
        if end < 0:
            if "}" in self._text[offset:]:
                raise self.fail("bad character U+007D '}'", start)
            raise self.fail("unclosed action", start)
        body, self._at = self._text[offset:end], end + 2
        if body.endswith(" -"):
            body = body[:-2]
            rest = self._text[self._at :]
            self._at += len(rest) - len(rest.lstrip())
        stripped = body.lstrip()
        return stripped.rstrip(), offset + len(body) - len(stripped)

    def _branch(self, keyword: str, condition: str, offset: int) -> _Branch:
        pipe = self._pipe(condition, offset, context=keyword)
        then, otherwise = self._list(nested=True), ()
        if self._pending_word == "else":
            word, rest = _first_word(self._pending_rest)
            if word in ("if", "with"):
                at = self._pending_offset + len(self._pending_rest) - len(rest)
                return _Branch(keyword, pipe, then, (self._branch(word, rest, at),))
            otherwise = self._list(nested=True)
            if self._pending_word == "else":
                raise self.fail("expected end; found {{else}}")
        return _Branch(keyword, pipe, then, otherwise)

    def _pipe(self, body: str, offset: int, *, context: str) -> _Pipe:
        tokens = self._tokens(body, offset)
        pipe, left = self._pipe_of(tokens, 0, context=context)
        if left != len(tokens):
            raise self.fail(f"unexpected {quote(tokens[left][1])} in {context}", offset)
        return pipe

    def _tokens(self, body: str, offset: int) -> list[tuple[str, str, int]]:
        tokens, at = [], 0
        while body[at:].strip():
            match = _TOKEN.match(body, at)
            if match is None:
                rest = body[at:].lstrip()
                if rest.startswith('"'):
                    raise self.fail("unterminated quoted string", offset + at)
                if rest.startswith("$"):
                    raise self.fail(f"undefined variable {quote(rest.split()[0])}", offset + at)
                if rest[0].isascii() and rest[0] in "={}:,":
                    raise self.fail(f"unexpected {quote(rest[0])} in operand", offset + at)
                raise self.fail(
                    f"unexpected bad character U+{ord(rest[0]):04X} '{rest[0]}' in command",
                    offset + at,
                )
            kind = str(match.lastgroup)
            tokens.append((kind, match[kind], offset + match.start(kind)))
            at = match.end()
        return tokens

    def _pipe_of(
        self, tokens: Sequence[tuple[str, str, int]], at: int, *, context: str
    ) -> tuple[_Pipe, int]:
        commands: list[_Call] = []
        start = tokens[at][2] if at < len(tokens) else self._at
        while True:
            command, at = self._command(tokens, at, context=context)
            commands.append(command)
            if at == len(tokens) or tokens[at][1] != "|":
                return _Pipe(tuple(commands), start), at
            at += 1

    def _command(
        self, tokens: Sequence[tuple[str, str, int]], at: int, *, context: str
    ) -> tuple[_Call, int]:
        function = ""
        operands: list[Any] = []
        start = tokens[at][2] if at < len(tokens) else self._at
        while at < len(tokens) and tokens[at][1] not in ("|", ")"):
            kind, text, offset = tokens[at]
            at += 1
            if text == "(":
                inner, at = self._pipe_of(tokens, at, context="parenthesized pipeline")
                if at == len(tokens):
                    raise self.fail("unclosed left paren", offset)
                operands.append(inner)
                at += 1
            elif kind == "word" and text not in ("true", "false", "nil"):
                if text not in FUNCTIONS:
                    raise self.fail(f"function {quote(text)} not defined", offset)
                if operands or function:
                    operands.append(_Call(text, (), offset))
                else:
                    function = text
            else:
                operands.append(_operand(kind, text, offset))
        if not function and not operands:
            raise self.fail(f"missing value for {context}", start)
        return _Call(function, tuple(operands), start), at


def _first_word(body: str) -> tuple[str, str]:
    match = re.match(r"[a-z]+(?![\w.])", body)
    word = match[0] if match else ""
    return word, body[len(word) :].lstrip()


def _close(text: str, at: int) -> int:
    """Where the action's braces close, past any strings; -1 when they do not."""
    if text.startswith("/*", at):
        end = text.find("*/", at)
        return text.find("}}", end) if end >= 0 else -1
    while at < len(text):
        if text.startswith("}}", at):
            return at
        match = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`').match(text, at)
        at = match.end() if match else at + 1
    return -1


def _operand(kind: str, text: str, offset: int) -> _Field | _Literal:
    match kind:
        case "field":
            path = tuple(text[1:].split("."))
            # Go notes of a chain the place of its second link.
            return _Field(path, offset + len(path[0]) + 1 if len(path) > 1 else offset)
        case "dot":
            return _Field((), offset)
        case "string":
            inner = text[1:-1]
            if text[0] == '"':
                inner = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), inner)
            return _Literal(inner, offset, text)
        case "number":
            return _Literal(parse_float(text) if "." in text else parse_int(text), offset, text)
    return _Literal({"true": True, "false": False, "nil": None}[text], offset, text)


class _Run:
    """One execution: holds what error messages need."""

    def __init__(self, name: str, text: str, root: Struct) -> None:
        self._name, self._text, self._root = name, text, root

    def walk(self, nodes: Sequence[Any], dot: Any) -> list[str]:
        out: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
            elif isinstance(node, _Branch):
                value = self._value(node.condition, dot)
                if _truth(value):
                    out += self.walk(node.then, value if node.keyword == "with" else dot)
                else:
                    out += self.walk(node.otherwise, dot)
            else:
                out.append(_print(self._value(node, dot)))
        return out

    def _fail(self, node: Any, message: str) -> TemplateError:
        before = self._text[: node.offset]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1)
        text = str(node)
        shown = text if len(text) <= 20 else text[:17] + "..."
        return TemplateError(
            f"template: {self._name}:{line}:{column}: executing {quote(self._name)} "
            f"at <{shown}>: {message}"
        )

    def _value(self, node: Any, dot: Any) -> Any:
        if isinstance(node, _Literal):
            return node.value
        if isinstance(node, _Field):
            return self._field(node, dot)
        if isinstance(node, _Call):
            return self._call(node, dot, ())
        piped: tuple[Any, ...] = ()
        for command in node.commands:
            piped = (self._call(command, dot, piped),)
        return piped[0]

    def _call(self, call: _Call, dot: Any, piped: tuple[Any, ...]) -> Any:
        if not call.function and not piped and len(call.arguments) == 1:
            only = self._value(call.arguments[0], dot)
            if not callable(only):
                return only
        arguments = tuple([self._value(argument, dot) for argument in call.arguments])
        if call.function:
            return self._apply(call, call.function, FUNCTIONS[call.function], (*arguments, *piped))
        first, others = arguments[0], (*arguments[1:], *piped)
        if callable(first):
            node = call.arguments[0]
            return self._apply(node, node.path[-1], first, others)
        if others:
            node = call.arguments[0]
            raise self._fail(node, f"can't give argument to non-function {node}")
        return first

    def _apply(
        self, node: Any, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        try:
            return function(*arguments)
        except (TypeError, ValueError, LookupError) as error:
            raise self._fail(node, f"error calling {name}: {error}") from None

    def _field(self, node: _Field, dot: Any) -> Any:
        value = dot
        for name in node.path:
            if isinstance(value, Struct):
                if name not in value.fields:
                    raise self._fail(node, f"can't evaluate field {name} in type {value.type_name}")
                value = value.fields[name]
            elif isinstance(value, Mapping):
                value = value.get(name)
            else:
                raise self._fail(node, f"can't evaluate field {name} in type {_go_type(value)}")
        return value


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "int", float: "float64"}
    return names.get(type(value), "interface {}")


def _truth(value: Any) -> bool:
    return True if isinstance(value, Struct) else bool(value)


def _print(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Struct):
        return _print(value.items or {}) if value.text is None else value.text
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{k}:{_print(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_print, value)) + "]"
    return str(value)


def _index(container: Any, *at: Any) -> Any:
    for key in at:
        if isinstance(container, Struct) and container.items is not None:
            container = container.items
        if isinstance(container, Mapping):
            container = container.get(key, "")
        elif isinstance(container, str | list | tuple):
            if not isinstance(key, int) or not 0 <= key < len(container):
                raise ValueError(f"index out of range: {key}")
            container = container[key]
        else:
            raise ValueError(f"can't index item of type {_go_type(container)}")
    return container


def _len(value: Any) -> int:
    return len(value.items or {}) if isinstance(value, Struct) else len(value)


def _printf(form: str, *arguments: Any) -> str:
    left = list(arguments)

    def one(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if not left:
            return f"%!{match[1]}(MISSING)"
        value = left.pop(0)
        return quote(str(value)) if match[1] == "q" else _print(value)

    return re.sub(r"%(?:%|[-+#0 ]*[0-9]*(?:\.[0-9]+)?([vsdqtfgx]))", one, form)


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    return any(first == other for other in others)


def _and(*values: Any) -> Any:
    return next((value for value in values if not _truth(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if _truth(value)), values[-1])


_JS = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026"}
)


def _js(*values: Any) -> str:
    return "".join(map(_print, values)).translate(_JS)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not _truth(value),
    "eq": _equal,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "len": _len,
    "index": _index,
    "print": lambda *values: "".join(map(_print, values)),
    "printf": _printf,
    "js": _js,
}
