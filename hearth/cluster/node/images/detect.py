"""What kind of application a folder holds and which command runs it. Pure but for reading files.

First match wins::

    Procfile with a ``web:`` line      that line, through the shell
    func.py with handle() or main()    the function behind a small HTTP server
    Python: main.py app.py server.py __main__.py, or the one script of pyproject.toml
    Node:   package.json with a ``start`` script, a ``main``, or server.js or index.js
"""

from __future__ import annotations

import ast
import json
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PYTHON_ENTRIES = ("main.py", "app.py", "server.py", "__main__.py")
_NODE_ENTRIES = ("server.js", "index.js", "server.mjs", "index.mjs")
_FUNCTION_NAMES = ("handle", "main")
_SHELL_SIGNS = set("|&;<>()`*?[#~%\\\n")


class BuildError(Exception):
    """The folder cannot be built; the text says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Application:
    """``command`` with ``python`` standing for the interpreter of the application's own venv."""

    kind: str  # procfile, function, python, node
    command: tuple[str, ...]
    requirements: str = ""  # requirements.txt or pyproject.toml: what its venv is made from
    needs_npm: bool = False


def detect(folder: Path) -> Application:
    """Raises BuildError where nothing is recognised."""
    if not folder.is_dir():
        raise BuildError(f"{folder} is not a folder")
    application = _procfile(folder) or _function(folder) or _python(folder) or _node(folder)
    if application is None:
        raise BuildError(
            f"{folder} holds nothing that Hearth recognises: add a Procfile with a line "
            "`web: COMMAND`, a main.py, a func.py with a function handle(request), or a "
            "package.json with a start script; or name the command yourself with "
            "`hearth image add NAME -- COMMAND`"
        )
    return application


def _procfile(folder: Path) -> Application | None:
    path = folder / "Procfile"
    if not path.is_file():
        return None
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() == "web" and command.strip():
            needs_npm = _package(folder) is not None and _has_npm_dependencies(folder)
            return Application(
                "procfile", _words(command.strip()), _requirements(folder), needs_npm
            )
    raise BuildError(f"{path} has no line `web: COMMAND`")


def _words(command: str) -> tuple[str, ...]:
    """The words of a plain command; anything that needs a shell goes through one."""
    if not _SHELL_SIGNS & set(command) and "$" not in command and "=" not in command.split()[0]:
        return tuple(shlex.split(command))
    return ("/bin/sh", "-c", f"exec {command}" if "&&" not in command else command)


def _function(folder: Path) -> Application | None:
    path = folder / "func.py"
    if not path.is_file():
        return None
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        raise BuildError(f"{path}, line {error.lineno}: {error.msg}") from error
    defined = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in _FUNCTION_NAMES:
        if name in defined:
            runner = Path(__file__).with_name("funcrunner.py")
            command = ("python", str(runner), str(path), name)
            return Application("function", command, _requirements(folder))
    raise BuildError(f"{path} defines neither handle(request) nor main(request)")


def _python(folder: Path) -> Application | None:
    script = _project_script(folder)
    if script:
        return Application("python", (script,), "pyproject.toml")
    for name in _PYTHON_ENTRIES:
        if (folder / name).is_file():
            return Application("python", ("python", name), _requirements(folder))
    if _requirements(folder):
        raise BuildError(
            f"{folder} is a Python project without an entry: add main.py, app.py or a Procfile"
        )
    return None


def _requirements(folder: Path) -> str:
    if (folder / "requirements.txt").is_file():
        return "requirements.txt"
    return "pyproject.toml" if _project(folder).get("dependencies") else ""


def _project(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        project: dict[str, Any] = tomllib.loads(path.read_text()).get("project") or {}
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path}: {error}") from error
    return project


def _project_script(folder: Path) -> str:
    scripts = _project(folder).get("scripts") or {}
    return next(iter(scripts)) if len(scripts) == 1 else ""


def _package(folder: Path) -> dict[str, Any] | None:
    path = folder / "package.json"
    if not path.is_file():
        return None
    try:
        package: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise BuildError(f"{path}: {error}") from error
    return package


def _has_npm_dependencies(folder: Path) -> bool:
    package = _package(folder) or {}
    return bool(package.get("dependencies")) and not (folder / "node_modules").is_dir()


def _node(folder: Path) -> Application | None:
    package = _package(folder)
    if package is None:
        return None
    needs_npm = _has_npm_dependencies(folder)
    start = (package.get("scripts") or {}).get("start")
    if start:
        words = _words(start)
        # Without npm in between the process gets signals itself and starts 200 ms earlier.
        command = words if words[0] == "node" else ("npm", "start", "--silent")
        return Application("node", command, needs_npm=needs_npm)
    for entry in (package.get("main"), *_NODE_ENTRIES):
        if entry and (folder / entry).is_file():
            return Application("node", ("node", entry), needs_npm=needs_npm)
    raise BuildError(f"{folder}/package.json has neither a start script nor a main file")
