"""Functions: files with a function that somebody else's server calls."""

from __future__ import annotations

import ast

from hearth.functions.detection import python
from hearth.functions.detection.application import Application, DetectionError, Source

_NAMES = ("handle", "main")


def detect(source: Source) -> Application | None:
    """Return how func.py is served; DetectionError where it defines no function of ours."""
    if "func.py" not in source.paths:
        return None
    tree = python.parsed(source, "func.py")
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    defined = {node.name for node in tree.body if isinstance(node, kinds)}
    for name in _NAMES:
        if name in defined:
            return Application(
                "function",
                ("func.py", name),
                "function",
                dependencies=python.dependencies(source),
                reasons=(f"func.py defines {name}(request)",),
            )
    raise DetectionError(
        f"{source.label}/func.py defines neither handle(request) nor main(request)"
    )
