"""What a folder holds: the first of these that is there.

Procfile, func.py, Python, package.json, go.mod, Cargo.toml, index.html, Dockerfile. What says it
most plainly goes first; a Dockerfile last, as it takes a builder of images to be of use.
"""

from __future__ import annotations

from hearth.functions.detection import compiled, functions, node, procfile, python
from hearth.functions.detection.application import Application, DetectionError, Source

_STATIC_FOLDERS = ("", "public/", "dist/", "build/", "site/", "_site/")


def detect(source: Source) -> Application:
    """Return how a folder is run; raise DetectionError where nothing is recognised."""
    for look in (
        procfile.detect,
        functions.detect,
        python.detect,
        node.detect,
        compiled.detect_go,
        compiled.detect_rust,
        _static,
        _dockerfile,
    ):
        application = look(source)
        if application is not None:
            return application
    raise DetectionError(
        f"{source.label} holds nothing that Hearth recognises: add a Procfile with a line "
        "`web: COMMAND`, a main.py, a func.py with a function handle(request), a package.json "
        "with a start script or an index.html; or name the command yourself with "
        "`hearth image add NAME -- COMMAND`"
    )


def _static(source: Source) -> Application | None:
    for folder in _STATIC_FOLDERS:
        if f"{folder}index.html" in source.paths:
            place = folder.rstrip("/") or "."
            why = f"{folder}index.html, and no program: the files of {place} are served"
            return Application("static", (place,), "static", reasons=(why,))
    return None


def _dockerfile(source: Source) -> Application | None:
    if "Dockerfile" not in source.paths:
        return None
    return Application("dockerfile", (), reasons=("a Dockerfile, and nothing else is recognised",))
