"""``@on``: what a script is started by; and the loading of a script as a module."""

from __future__ import annotations

import sys

from hearth.pipelines.sdk.matching import check, matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

MODULE = "pipeline"
"""What a script is called as a module."""

_handlers: list[tuple[str, Mapping[str, str], Callable[..., Any]]] = []


def on(pattern: str, /, **attributes: str) -> Callable[[F], F]:
    """Run a function for events of ``SOURCE:TYPE`` whose other attributes are as given.

    ``*`` and ``?`` stand for any characters. It may be given several times. Hearth reads it without
    running the script, so it takes texts and nothing that has to be worked out.
    """
    check(pattern, attributes)

    def added(function: F) -> F:
        _handlers.append((pattern, attributes, function))
        return function

    return added


def handlers_for(event: Mapping[str, object]) -> list[Callable[..., Any]]:
    """Return the functions that an event is for, each once, in the order of the script."""
    found = (each for pattern, attributes, each in _handlers if matches(pattern, attributes, event))
    return list(dict.fromkeys(found))


class _Loader:
    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, _module: str) -> str:
        return self._text


def patterns() -> list[str]:
    """Return what the script says it is started by."""
    return [pattern for pattern, _, _ in _handlers]


def load(text: str, name: str) -> types.ModuleType:
    """Run a script as the module ``pipeline``, ``name`` in tracebacks; raises what it raises."""
    _handlers.clear()
    module = type(sys)(MODULE)
    module.__file__ = name
    module.__dict__["__loader__"] = _Loader(text)  # where tracebacks find its lines
    sys.modules[MODULE] = module
    exec(compile(text, name, "exec"), module.__dict__)
    return module
