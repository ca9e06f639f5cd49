"""Applications that say themselves how they are run: a Procfile."""

from __future__ import annotations

from hearth.functions.detection import node, python
from hearth.functions.detection.application import (
    Application,
    DetectionError,
    Source,
    command_words,
)


def detect(source: Source) -> Application | None:
    """Return what the ``web:`` line runs; DetectionError where there is no such line."""
    if "Procfile" not in source.paths:
        return None
    for line in source.text("Procfile").splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() == "web" and command.strip():
            return Application(
                "procfile",
                command_words(command.strip()),
                dependencies=python.dependencies(source) or node.dependencies(source),
                reasons=(f"Procfile says `web: {command.strip()}`",),
            )
    raise DetectionError(f"{source.label}/Procfile has no line `web: COMMAND`")
