"""What a script needs beyond Hearth: which file of a folder it is, which packages. Pure."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace

from hearth.functions.detection import functions
from hearth.functions.detection.application import Application, DetectionError, Source
from hearth.pipelines.reading import ScriptError, read_script

USUAL = "pipeline.py"
_EVENTS = "cloudevents>=2.0,<3"
"""What scripts get their events by."""
_BESIDE = "requirements.txt"
_THERE = frozenset({*sys.stdlib_module_names, "hearth", "cloudevents"})
_OURS = ("hearth/__init__.py", "hearth/pipelines/__init__.py", "hearth/pipelines/sdk/*.py")


def script_in(source: Source) -> str:
    """Return the path of a folder's script: pipeline.py, else the one file with an ``@on``."""
    files = sorted(path for path in source.paths if path.endswith(".py") and "/" not in path)
    if USUAL in files:
        return USUAL
    found = [path for path in files if len(files) == 1 or _is_script(source.text(path))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DetectionError(
            f"{source.label} has no script of a pipeline: none of its files has a function with "
            f"@on of hearth.pipelines at its top level; the usual name of one is {USUAL}"
        )
    raise DetectionError(
        f"{source.label} has more than one script: {', '.join(found)}; call the one that is meant "
        f"{USUAL}"
    )


def _is_script(text: str) -> bool:
    try:
        return bool(read_script(text))
    except ScriptError:
        return False


def application(source: Source, script: str) -> Application | None:
    """Return how an environment for a script is made; None where Hearth's own will do.

    That is for a file alone which imports nothing else, though packages may be named beside it.
    """
    needs = functions.unbuilt(source, script)
    is_alone = {script, _BESIDE}.issuperset(source.paths)
    more = sorted(set(_imported(source.text(script))) - _THERE)
    if is_alone and not (more and (needs.file or needs.added)):
        return None
    why = needs.file or ("its metadata" if needs.added else "")
    return Application(
        "python",
        ("python", "-m", "hearth.pipelines.sdk"),
        framework="pipeline",
        dependencies=replace(needs, added=(*needs.added, _EVENTS)),
        carries=_OURS,
        reasons=(script, *([f"with the packages of {why}"] if why else [])),
    )


def _imported(script: str) -> Iterator[str]:
    """The first parts of the names of all modules that a script imports, wherever it does."""
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
