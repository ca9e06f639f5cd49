"""What a script says of itself, read without running it: which events start it. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from hearth.pipelines.api.keys import SCRIPT_BYTES
from hearth.pipelines.sdk.matching import check


class ScriptError(ValueError):
    """The script cannot be used; the text says where and why. ``reason`` is one word."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Handler:
    """One ``@on``."""

    pattern: str
    attributes: tuple[tuple[str, str], ...]
    function: str


def read_script(text: str) -> list[Handler]:
    """Return what starts a script, in its order; raise ScriptError where it is no use."""
    if len(text.encode()) > SCRIPT_BYTES:
        raise ScriptError(
            "ScriptTooLarge",
            f"the script is {len(text.encode())} bytes; {SCRIPT_BYTES} are the most: put what is "
            "large into an image, and run that as jobs",
        )
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ScriptError("ScriptInvalid", _in_words(error)) from error
    found = list(_handlers(tree))
    if not found:
        raise ScriptError(
            "NoEvents",
            'nothing starts the script: it needs a function with @on("SOURCE:TYPE") of '
            "hearth.pipelines at its top level",
        )
    return found


def _in_words(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return f"the script is no Python: {error}"
    line = f": {error.text.strip()}" if error.text else ""
    return f"the script is no Python: line {error.lineno}: {error.msg}{line}"


def _handlers(tree: ast.Module) -> Iterator[Handler]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and _is_on(decorator.func):
                    yield _handler(function, decorator)


def _is_on(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "on"


def _handler(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> Handler:
    where = f"line {call.lineno}"
    if isinstance(function, ast.AsyncFunctionDef):
        raise ScriptError("ScriptInvalid", f"{where}: {function.name} is async: use a plain def")
    texts = [_text(each) for each in call.args]
    attributes = {each.arg or "": _text(each.value) for each in call.keywords}
    if len(texts) != 1 or None in texts or "" in attributes or None in attributes.values():
        raise ScriptError(
            "ScriptInvalid",
            f"{where}: @on takes one text and attributes as texts, written out: the script is not "
            "run to find out what starts it",
        )
    pattern, given = texts[0] or "", {name: text or "" for name, text in attributes.items()}
    try:
        check(pattern, given)
    except ValueError as error:
        raise ScriptError("ScriptInvalid", f"{where}: {error}") from error
    return Handler(pattern, tuple(sorted(given.items())), function.name)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
