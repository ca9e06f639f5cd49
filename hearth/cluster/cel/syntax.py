"""Kubernetes' extensions of the CEL language, rewritten into what the library understands.

Optional selection (``a.?b``, ``a[?0]``), ``cel.bind``, ``optMap`` and macros with two variables
are not part of the library's grammar. One pass over the tokens, keeping the chain of selections
that ends where it stands, turns them into calls of ``optionalAt`` and ``indices`` (defined in
``celfunctions``) and plain macros. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NEEDED = re.compile(
    r"\.\s*\?|\[\s*\?|\bcel\s*\.\s*bind\b|\bopt(?:Flat)?Map\b|\btransformList\b"
    r"|\b(?:all|exists|existsOne|exists_one)\(\s*\w+\s*,\s*\w+\s*,",
    re.ASCII,
)
_TOKEN = re.compile(
    r"""\s+|//[^\n]*
    |[rRbB]{0,2}(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
        |'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    |[A-Za-z_]\w*|\d[\w.]*|&&|\|\||[<>=!]=|.""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_KEYWORDS = frozenset({"in"})


def rewrite(source: str) -> str:
    """The expression in the library's own grammar; most come back as they are."""
    if not _NEEDED.search(source):
        return source
    tokens = [t for t in _TOKEN.findall(source) if not t.isspace() and not t.startswith("//")]
    try:
        return _Rewriter(tokens).run("")
    except _Unfinished:
        return source  # the library says what is wrong with it


class _Unfinished(Exception):
    """The expression ends where it should go on."""


class _Chain:
    """The output so far, and where in it the chain of selections starts that ends it."""

    def __init__(self) -> None:
        self.text = ""
        self.start: int | None = None
        self.is_optional = False

    def begin(self, text: str) -> None:
        self._space(text)
        self.start = len(self.text)
        self.is_optional = False
        self.text += text

    def extend(self, text: str) -> None:
        self.text += text

    def operator(self, text: str) -> None:
        self._space(text)
        self.text += text
        self.start = None

    def wrap(self, make: Callable[[str], str], *, is_optional: bool) -> None:
        """Replaces the chain by what ``make`` makes of it."""
        start = 0 if self.start is None else self.start
        self.text = self.text[:start] + make(self.text[start:])
        self.start, self.is_optional = start, is_optional

    def _space(self, text: str) -> None:
        if self.text and (text[0].isalnum() or text in _KEYWORDS or self.text[-1].isalnum()):
            self.text += " "


class _Rewriter:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def run(self, closing: str) -> str:
        """Rewrites up to the closing bracket (or the end), which is left out."""
        chain = _Chain()
        while self._at < len(self._tokens):
            token = self._take()
            if token == closing:
                return chain.text
            self._one(token, chain)
        if closing:
            raise _Unfinished
        return chain.text

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise _Unfinished
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _one(self, token: str, chain: _Chain) -> None:
        if token == "." and chain.start is not None:
            self._select(chain)
        elif token == "[" and chain.start is not None:
            self._subscript(chain)
        elif token == "(" and chain.start is not None:
            chain.extend(f"({self.run(')')})")
        elif token in _CLOSING:
            closing = _CLOSING[token]
            inner = f"{token}{self.run(closing)}{closing}"
            chain.extend(inner) if chain.start is not None else chain.begin(inner)
        elif token[0].isalnum() or token[0] in "_'\"":
            chain.operator(token) if token in _KEYWORDS else chain.begin(token)
        else:
            chain.operator(token)

    def _select(self, chain: _Chain) -> None:
        if self._peek() == "?":
            self._take()
            name = self._take()
            chain.wrap(lambda text: f"optionalAt({text}, '{name}')", is_optional=True)
            return
        name = self._take()
        if self._peek() == "(":
            self._take()
            self._call(name, chain)
        elif chain.is_optional:
            chain.wrap(lambda text: f"optionalAt({text}, '{name}')", is_optional=True)
        else:
            chain.extend(f".{name}")

    def _subscript(self, chain: _Chain) -> None:
        is_optional = self._peek() == "?"
        if is_optional:
            self._take()
        index = self.run("]")
        if is_optional or chain.is_optional:
            chain.wrap(lambda text: f"optionalAt({text}, {index})", is_optional=True)
        else:
            chain.extend(f"[{index}]")

    def _call(self, name: str, chain: _Chain) -> None:
        arguments = self._arguments()
        macro = _MACROS.get((name, len(arguments)))
        if macro is not None:
            chain.wrap(lambda text: macro(text, arguments), is_optional=name.startswith("opt"))
        else:
            chain.extend(f".{name}({', '.join(arguments)})")
            chain.is_optional = False

    def _arguments(self) -> list[str]:
        """The arguments of a call, each rewritten; the closing bracket is taken."""
        arguments, depth, begin = [], 0, self._at
        while True:
            token = self._peek()
            if not token:
                raise _Unfinished
            if depth == 0 and token in (",", ")"):
                part = self._tokens[begin : self._at]
                if part:
                    arguments.append(_Rewriter(part).run(""))
                self._at += 1
                begin = self._at
                if token != ",":
                    return arguments
                continue
            depth += (token in _CLOSING) - (token in _CLOSING.values())
            self._at += 1


_Macro = Callable[[str, list[str]], str]


def _bind(_: str, arguments: list[str]) -> str:
    name, value, body = arguments
    return f"[{value}].map({name}, {body})[0]"


def _opt_map(text: str, arguments: list[str]) -> str:
    name, body = arguments
    mapped = f"[{text}.value()].map({name}, {body})[0]"
    return f"({text}.hasValue() ? optional.of({mapped}) : optional.none())"


def _opt_flat_map(text: str, arguments: list[str]) -> str:
    name, body = arguments  # an optional fits into no list, so the value is put in by its text
    tokens = _TOKEN.findall(body)
    put = [
        f"{text}.value()" if token == name and (not index or tokens[index - 1] != ".") else token
        for index, token in enumerate(tokens)
    ]
    return f"({text}.hasValue() ? {''.join(put)} : optional.none())"


def _over_pairs(macro: str, inner: str) -> _Macro:
    """A macro over (index or key, value) as one over indices, with the value bound inside."""

    def make(text: str, arguments: list[str]) -> str:
        index, value, condition = arguments
        return f"indices({text}).{macro}({index}, [{text}[{index}]].{inner}({value}, {condition}))"

    return make


def _transform_list(text: str, arguments: list[str]) -> str:
    index, value, *conditions, result = arguments
    source = f"indices({text})"
    for condition in conditions:
        source += f".filter({index}, [{text}[{index}]].exists({value}, {condition}))"
    return f"{source}.map({index}, [{text}[{index}]].map({value}, {result})[0])"


_MACROS: dict[tuple[str, int], _Macro] = {
    ("bind", 3): _bind,
    ("optMap", 2): _opt_map,
    ("optFlatMap", 2): _opt_flat_map,
    ("all", 3): _over_pairs("all", "all"),
    ("exists", 3): _over_pairs("exists", "exists"),
    ("exists_one", 3): _over_pairs("exists_one", "exists"),
    ("existsOne", 3): _over_pairs("exists_one", "exists"),
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
}
