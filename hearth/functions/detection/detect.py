"""What a folder holds: the first of these that is there.

Procfile, func.py, Python, package.json, go.mod, Cargo.toml, index.html, Dockerfile. What says it
most plainly goes first; a Dockerfile last, as it takes an engine, and is chosen by ``--build``.
"""

from __future__ import annotations

from dataclasses import replace

from hearth.functions.detection import compiled, functions, node, procfile, python
from hearth.functions.detection.application import Application, DetectionError, Source

_STATIC_FOLDERS = ("", "public/", "dist/", "build/", "site/", "_site/")


DOCKERFILES = ("Dockerfile", "Containerfile")


def detect(source: Source, build: str = "") -> Application:
    """Return how a folder is run; raise DetectionError where nothing is recognised.

    ``build`` is ``code``, or the path of a Dockerfile; without it code is looked for first.
    """
    file = _dockerfile(source, build)
    if build and build != "code":
        return Application("Dockerfile", (), dockerfile=file, reasons=(f"{file}, as asked",))
    try:
        application = _code(source)
    except DetectionError as error:
        if build or not file:
            raise
        why = f"{file}; its code alone does not say how it runs ({error})"
        return Application("Dockerfile", (), dockerfile=file, reasons=(why,))
    if application is not None:
        also = (f"{file} is there, too: --build {file} builds that",) if file and not build else ()
        return replace(application, reasons=(*application.reasons, *also))
    if file and not build:
        why = f"{file}, and nothing else is recognised"
        return Application("Dockerfile", (), dockerfile=file, reasons=(why,))
    raise DetectionError(
        f"{source.label} holds nothing that Hearth recognises: add a Procfile with a line "
        "`web: COMMAND`, a main.py, a func.py with a function handle(request), a package.json "
        "with a start script, an index.html or a Dockerfile; or name the command yourself with "
        "`hearth image add NAME -- COMMAND`"
    )


def _code(source: Source) -> Application | None:
    looks = (
        *(procfile.detect, functions.detect, python.detect, node.detect),
        *(compiled.detect_go, compiled.detect_rust, _static),
    )
    return next(filter(None, (look(source) for look in looks)), None)


def _dockerfile(source: Source, build: str) -> str:
    """The Dockerfile that is asked for, or is there; "" where there is none."""
    if build in source.paths:
        return build
    file = next((name for name in DOCKERFILES if name in source.paths), "")
    if build in ("", "code") or (file and build.lower() == "dockerfile"):
        return file
    raise DetectionError(
        f"{source.label} has no {build}: --build takes code, or the path of a Dockerfile there"
    )


def _static(source: Source) -> Application | None:
    for folder in _STATIC_FOLDERS:
        if f"{folder}index.html" in source.paths:
            place = folder.rstrip("/") or "."
            why = f"{folder}index.html, and no program: the files of {place} are served"
            return Application("static", (place,), "static", reasons=(why,))
    return None
