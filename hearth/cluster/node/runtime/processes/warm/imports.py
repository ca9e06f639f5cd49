"""What a warm interpreter imports: what a program's files import that is not their own. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

_CONNECTION = "hearth.pipelines.sdk.connection"
_ALSO = {
    "fastapi": ("anyio._backends._asyncio", "fastapi.telemetry._runtime", "pydantic.v1"),
    "flask": ("flask.json.provider",),
    "func_python": ("hypercorn.asyncio.run", "hypercorn.protocol", "h11", "h2.connection"),
    "functions_framework": ("functions_framework._cli", "functions_framework._http.flask"),
    "hearth": ("cloudevents.core.v1.event", "hearth.pipelines.sdk.function", _CONNECTION),
    "starlette": ("anyio._backends._asyncio",),
    "uvicorn": (
        *("uvicorn.main", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.loops.uvloop"),
        *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto"),
    ),
    "waitress": ("waitress.runner", "waitress.server"),
}
"""What these import only when they serve, or with the first request."""
_FOR_ALL = ("encodings.idna",)
_BEFORE_ALL = frozenset({"gevent", "eventlet"})
"""They change the standard library, and want to be imported before what uses it."""


def preloads(files: Mapping[str, str], target: tuple[str, ...]) -> tuple[str, ...]:
    """Return the modules to import for a program, in order; none where that would go wrong.

    ``files`` are texts by path from the program's folder, or from where its script is. Nothing that
    is among them is imported: a program's own code runs in its own process alone.
    """
    own = {part for path in files if path.endswith(".py") for part in _own_names(path)}
    wanted = dict.fromkeys((*_FOR_ALL, *((target[1],) if target[0] == "-m" else ())))
    for path in sorted(files):
        wanted |= dict.fromkeys(_imported(files[path]))
    tops = {name.partition(".")[0] for name in wanted}
    if tops & _BEFORE_ALL:
        return ()
    for top in sorted(tops & _ALSO.keys() - own):
        wanted |= dict.fromkeys(_ALSO[top])
    return tuple(name for name in wanted if name.partition(".")[0] not in own)


def _own_names(path: str) -> Iterator[str]:
    parts = path.removesuffix(".py").split("/")
    yield parts[0]
    yield parts[-1]
    if parts[0] in ("src", "lib") and len(parts) > 1:
        yield parts[1]


def _imported(text: str) -> list[str]:
    """The modules that a file imports when it is imported; those of its functions are not."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [name for node in _statements(body) for name in _names(node)]


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for field in ("body", "orelse", "handlers", "finalbody"):
                for below in getattr(node, field, ()):
                    inner = below.body if isinstance(below, ast.ExceptHandler) else [below]
                    yield from _statements(inner)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{each.name}" for each in node.names if each.name != "*")
