"""The library for CEL expressions, loaded when the first expression needs it.

Of its package the extension module alone is loaded: the rest (a command line with an interactive
prompt) would take 25 MB more of memory.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
from typing import Any


class CelError(ValueError):
    """An expression that does not compile, or fails when it is evaluated."""


class NoOverload(CelError):
    """An operation on types that it is not defined for."""


@functools.cache
def library() -> Any:
    """The extension module of the library; ``CelError`` where it is not installed."""
    package = importlib.util.find_spec("cel")
    if package is None or not package.submodule_search_locations:
        raise CelError("the library for CEL expressions is not installed")
    places = list(package.submodule_search_locations)
    spec = importlib.machinery.PathFinder.find_spec("cel", places)
    if spec is None or spec.loader is None:
        raise CelError("the library for CEL expressions is not installed")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def optional(value: Any, *, present: bool) -> Any:
    """An optional value, such as ``oldSelf`` where it may be missing."""
    kind = library().OptionalValue
    return kind.of(value) if present else kind.none()
