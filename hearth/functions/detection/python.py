"""Python applications: which file or object is run, by which server, with which packages.

An application object (``app = FastAPI()``) goes before a file that is only run: a server gives it
the right port and ends it well, while its own ``if __name__ == "__main__"`` mostly listens where
only the developer's machine reaches it. Servers that are added (uvicorn, waitress) import the
application before they listen, so that one that cannot be imported is never taken for ready.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hearth.functions.detection.application import (
    Application,
    Dependencies,
    DetectionError,
    Source,
)

# In this order a plain script is looked for; the first is run.
_SCRIPTS = ("main.py", "app.py", "server.py", "__main__.py")
_MODULES = ("main", "app", "server", "asgi", "wsgi", "application", "api")
_ASGI = {"FastAPI": "FastAPI", "Starlette": "Starlette", "Quart": "Quart", "Litestar": "Litestar"}
_WSGI = {"Flask": "Flask", "Bottle": "Bottle", "Falcon": "Falcon"}
_ASGI_SERVERS = ("uvicorn", "hypercorn")
_WSGI_SERVERS = ("gunicorn", "waitress")


@dataclass(frozen=True, slots=True)
class _Served:
    """An application object: ``module:name`` and who made it."""

    target: str
    framework: str
    is_asgi: bool


def detect(source: Source) -> Application | None:
    """Return how the folder's Python is run; DetectionError where that cannot be told."""
    for application in (_django(source), _served(source), _script(source)):
        if application is not None:
            return application
    if dependencies(source):
        raise DetectionError(
            f"{source.label} is a Python project without an entry: add main.py, app.py or a "
            "Procfile with a line `web: COMMAND`"
        )
    return None


# -- application objects -----------------------------------------------------------------------


def _served(source: Source) -> Application | None:
    found = [served for path in _module_files(source) for served in _objects(source, path)]
    if not found:
        return None
    if len({served.target.partition(":")[0] for served in found}) > 1:
        names = " and ".join(served.target for served in found)
        raise DetectionError(
            f"{source.label} has more than one application: {names}; say which one with a "
            f"Procfile, `web: {' '.join(_server(found[0], '').command)}`"
        )
    return _application(source, found[0])


def _module_files(source: Source) -> Iterator[str]:
    """The files that may hold an application, at the top, in src, or in a package there."""
    for name in (*_MODULES, lonely(source).removesuffix(".py")):
        for path in sorted(source.paths):
            folders, _, file = path.rpartition("/")
            parts = folders.split("/") if folders else []
            if parts[:1] == ["src"]:
                parts = parts[1:]
            if file == f"{name}.py" and len(parts) < 2 and "tests" not in parts:
                yield path


def lonely(source: Source) -> str:
    """Return the one Python file at the top where its name says nothing; else ""."""
    files = [path for path in source.paths if path.endswith(".py") and "/" not in path]
    return files[0] if len(files) == 1 and files[0].removesuffix(".py") not in _MODULES else ""


def _objects(source: Source, path: str) -> Iterator[_Served]:
    """The application objects that a module makes at its top, the first of each module only."""
    for node in parsed(source, path).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            continue
        maker = called(node.value.func)
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and maker in _ASGI | _WSGI:
            module = path.removesuffix(".py").removeprefix("src/").replace("/", ".")
            yield _Served(f"{module}:{target.id}", (_ASGI | _WSGI)[maker], maker in _ASGI)
            return


def called(function: ast.expr) -> str:
    """Return the last name of what is called: FastAPI of ``fastapi.FastAPI``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def parsed(source: Source, path: str) -> ast.Module:
    """Return a file's syntax tree; DetectionError names the line that is wrong."""
    try:
        return ast.parse(source.text(path))
    except SyntaxError as error:
        raise DetectionError(f"{source.label}/{path}, line {error.lineno}: {error.msg}") from error


def _django(source: Source) -> Application | None:
    if "manage.py" not in source.paths:
        return None
    for kind in ("asgi", "wsgi"):
        for path in sorted(source.paths):
            if path.endswith(f"/{kind}.py") and path.count("/") == 1:
                module = path.removesuffix(".py").replace("/", ".")
                served = _Served(f"{module}:application", "Django", kind == "asgi")
                if kind == "wsgi" or named_packages(source) & set(_ASGI_SERVERS):
                    return _application(source, served)
    return None


def _application(source: Source, served: _Served) -> Application:
    needs = dependencies(source)
    server = _server(served, next(iter(sorted(named_packages(source) & _servers(served))), ""))
    if server.missing:
        needs = needs or Dependencies("pip", "")
        needs = replace(needs, added=(*needs.added, server.missing))
    reasons = [f"{served.target} is {_article(served.framework)} application"]
    if server.missing:
        reasons.append(f"no server for it is among its packages: {server.missing} is added")
    return Application(
        "python",
        server.command,
        framework=served.framework,
        dependencies=needs,
        reasons=tuple(reasons),
    )


def _servers(served: _Served) -> set[str]:
    return set(_ASGI_SERVERS if served.is_asgi else _WSGI_SERVERS)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOU' else 'a'} {noun}"


@dataclass(frozen=True, slots=True)
class _Server:
    command: tuple[str, ...]
    missing: str  # the package that has to be installed for it


def _server(served: _Served, known: str) -> _Server:
    """The server that its packages name, else the usual one of its interface."""
    name = known or ("uvicorn" if served.is_asgi else "waitress")
    commands = {
        "uvicorn": ("python", "-m", "uvicorn", served.target, "--host", "0.0.0.0", "--port=$PORT"),
        "hypercorn": ("python", "-m", "hypercorn", served.target, "--bind=0.0.0.0:$PORT"),
        "gunicorn": ("python", "-m", "gunicorn", served.target, "--bind=0.0.0.0:$PORT",
                     "--threads=8"),
        "waitress": ("python", "-m", "waitress", "--listen=0.0.0.0:$PORT", "--threads=8",
                     served.target),
    }  # fmt: skip
    return _Server(commands[name], "" if known else name)


# -- scripts -----------------------------------------------------------------------------------


def _script(source: Source) -> Application | None:
    needs = dependencies(source)
    scripts = _project(source).get("scripts") or {}
    if len(scripts) == 1:
        name = next(iter(scripts))
        why = f"pyproject.toml has one script, {name}"
        needs = needs or Dependencies("pip", "pyproject.toml")
        return Application("python", (str(name),), dependencies=needs, reasons=(why,))
    for path in (*_SCRIPTS, lonely(source)):
        if path in source.paths:
            why = f"{path} is run as a program"
            return Application("python", ("python", path), dependencies=needs, reasons=(why,))
    return None


# -- packages ----------------------------------------------------------------------------------


def dependencies(source: Source, script: str = "") -> Dependencies | None:
    """Return what installs the packages that the project names, if it names any.

    ``script`` is the file whose inline metadata counts, where that is known.
    """
    if "uv.lock" in source.paths:
        return Dependencies("uv", "uv.lock")
    if "poetry.lock" in source.paths:
        return Dependencies("poetry", "poetry.lock")
    if "requirements.txt" in source.paths:
        return Dependencies("pip", "requirements.txt")
    if _project(source).get("dependencies") or _poetry(source).get("dependencies"):
        return Dependencies("pip", "pyproject.toml")
    inline = tuple(_inline(source, script))
    return Dependencies("pip", "", inline) if inline else None


_INLINE = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def _inline(source: Source, script: str = "") -> list[str]:
    """What a lone script says it needs: inline script metadata (PyPA specification)."""
    usual = (path for path in (*_SCRIPTS, lonely(source)) if path in source.paths)
    script = script or next(usual, "")
    found = _INLINE.search(source.text(script)) if script else None
    if found is None:
        return []
    block = re.sub(r"(?m)^# ?", "", found["content"])
    try:
        content = tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        raise DetectionError(f"{source.label}/{script}, its script block: {error}") from error
    return [str(each) for each in content.get("dependencies") or ()]


def named(source: Source) -> tuple[str, ...]:
    """Return what the project asks for, as it says it: requirements, one each."""
    lines: list[str] = list(_project(source).get("dependencies") or ())
    lines += _poetry(source).get("dependencies") or {}
    lines += _inline(source)
    if "requirements.txt" in source.paths:
        lines += source.text("requirements.txt").splitlines()
    return tuple(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def named_packages(source: Source) -> set[str]:
    """Return the names of packages that the project asks for, in normal form."""
    names = (re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line) for line in named(source))
    return {re.sub(r"[-_.]+", "-", found[1]).lower() for found in names if found}


def _project(source: Source) -> dict[str, Any]:
    project: dict[str, Any] = _pyproject(source).get("project") or {}
    return project


def _poetry(source: Source) -> dict[str, Any]:
    poetry: dict[str, Any] = (_pyproject(source).get("tool") or {}).get("poetry") or {}
    return poetry


def _pyproject(source: Source) -> dict[str, Any]:
    if "pyproject.toml" not in source.paths:
        return {}
    try:
        return tomllib.loads(source.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise DetectionError(f"{source.label}/pyproject.toml: {error}") from error
