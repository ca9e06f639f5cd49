"""Functions: files with a function that somebody else's server calls.

Which style was seen is said among the reasons: Knative's ``func``, Google's functions-framework,
OpenFaaS, Fission, kubeless, or Hearth's own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

from hearth.functions.detection import python
from hearth.functions.detection.application import (
    Application,
    Dependencies,
    DetectionError,
    Source,
)

_NAMES = ("handle", "main")
_KNATIVE = "func-python>=0.8,<1"
_GOOGLE = "functions-framework>=3.8,<4"


@dataclass(frozen=True, slots=True)
class _Function:
    """A function at the top of a file: its arguments, and what decorates it."""

    name: str
    arguments: tuple[str, ...]
    decorators: tuple[str, ...]


def detect(source: Source) -> Application | None:
    """Return how a function is served; DetectionError where its project lacks one."""
    return (
        _knative(source) or _google(source) or _own(source) or _openfaas(source) or _others(source)
    )


def _knative(source: Source) -> Application | None:
    """A project of Knative func: its middleware runs it as its builders do."""
    if "func.yaml" not in source.paths:
        return None
    said = _func_yaml(source)
    runtime = said.get("runtime")
    if runtime != "python":
        return None  # what is in the folder is looked at as in any other
    if "function/__init__.py" not in source.paths and "function.py" not in source.paths:
        raise DetectionError(
            f"{source.label}/func.yaml says runtime python, and there is no package `function` "
            "that has new() or handle()"
        )
    invoke = "cloudevent" if said.get("invoke") == "cloudevent" else "http"
    needs = _with(unbuilt(source), "func-python", _KNATIVE, source)
    return Application(
        "function",
        ("function", invoke),
        "knativefunc",
        "Knative func",
        needs,
        reasons=(f"func.yaml, runtime python, called by {invoke}",),
    )


def _func_yaml(source: Source) -> dict[str, object]:
    try:
        said = yaml.safe_load(source.text("func.yaml"))
    except yaml.YAMLError as error:
        raise DetectionError(f"{source.label}/func.yaml: {error}") from error
    if not isinstance(said, dict):
        raise DetectionError(f"{source.label}/func.yaml says nothing")
    return said


def _google(source: Source) -> Application | None:
    """Functions-framework: what its decorators mark, or its package among those asked for."""
    if "main.py" not in source.paths:
        return None
    for function in _functions(source, "main.py"):
        kinds = {"http": "http", "cloud_event": "cloudevent", "typed": "typed"}
        kind = next((kinds[each] for each in function.decorators if each in kinds), "")
        if not kind or not _imports(source, "main.py", "functions_framework"):
            continue
        needs = python.dependencies(source) or Dependencies("pip", "")
        needs = _with(needs, "functions-framework", _GOOGLE, source)
        command = ("functions-framework", f"--target={function.name}", f"--signature-type={kind}")
        return Application(
            "function",
            (*command, "--host=0.0.0.0"),
            framework="functions-framework",
            dependencies=needs,
            reasons=(f"main.py marks {function.name} for Google's functions-framework ({kind})",),
        )
    return None


def unbuilt(source: Source, script: str = "") -> Dependencies:
    """Return what a project needs, without itself: its package is found in the folder.

    ``script`` may name packages in its inline metadata.
    """
    needs = python.dependencies(source, script) or Dependencies("pip", "")
    if needs.file != "pyproject.toml":
        return needs
    return Dependencies("pip", "", python.named(source))


def _with(needs: Dependencies, package: str, requirement: str, source: Source) -> Dependencies:
    if package in python.named_packages(source):
        return needs
    return replace(needs, added=(*needs.added, requirement))


def _own(source: Source) -> Application | None:
    if "func.py" not in source.paths:
        return None
    defined = {function.name for function in _functions(source, "func.py")}
    for name in _NAMES:
        if name in defined:
            return _run(source, "func.py", name, "request", "", f"{name}(request)")
    raise DetectionError(
        f"{source.label}/func.py defines neither handle(request) nor main(request)"
    )


def _openfaas(source: Source) -> Application | None:
    """OpenFaaS: ``handle(event, context)`` of python-http, ``handle(req)`` of python."""
    for path in ("handler.py", "function/handler.py"):
        if path not in source.paths:
            continue
        for function in _functions(source, path):
            if function.name == "handle" and len(function.arguments) in (1, 2):
                style = "openfaas" if len(function.arguments) == 2 else "text"
                shape = f"handle({', '.join(function.arguments)})"
                return _run(source, path, "handle", style, "OpenFaaS", shape)
    return None


def _others(source: Source) -> Application | None:
    """A lone file with one function of kubeless' or Fission's shape."""
    path = python.lonely(source)
    if not path:
        return None
    functions = list(_functions(source, path))
    if len(functions) != 1:
        return None
    [only] = functions
    if only.arguments == ("event", "context"):
        return _run(source, path, only.name, "kubeless", "kubeless", f"{only.name}(event, context)")
    if only.name == "main" and not only.arguments and not _runs_itself(source, path):
        return _run(source, path, "main", "fission", "Fission", "main()")
    return None


def _run(
    source: Source, path: str, name: str, style: str, framework: str, shape: str
) -> Application:
    return Application(
        "function",
        (path, name, style),
        "function",
        framework,
        python.dependencies(source),
        reasons=(f"{path} defines {shape}{f', as {framework} has it' if framework else ''}",),
    )


def _functions(source: Source, path: str) -> Iterator[_Function]:
    for node in python.parsed(source, path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = tuple(each.arg for each in (*node.args.posonlyargs, *node.args.args))
            decorators = tuple(python.called(_undecorated(each)) for each in node.decorator_list)
            yield _Function(node.name, arguments, decorators)


def _undecorated(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _imports(source: Source, path: str, module: str) -> bool:
    for node in ast.walk(python.parsed(source, path)):
        if isinstance(node, ast.Import) and any(each.name == module for each in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == module:
            return True
    return False


def _runs_itself(source: Source, path: str) -> bool:
    """Whether a file does something when it is run, beyond defining."""
    kinds = (ast.If, ast.Expr, ast.With, ast.For, ast.While)
    tree = python.parsed(source, path)
    return any(isinstance(each, kinds) and not _is_text(each) for each in tree.body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
