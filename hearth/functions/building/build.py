"""From a folder to a command that runs it on this machine.

The files are copied, so that a revision goes on running what it was made of; packages are installed
beside, once for each set of them.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import hearth
from hearth.functions import runners
from hearth.functions.building.environments import (
    Say,
    node_modules,
    python_environment,
    run,
)
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder, kept_copy
from hearth.functions.detection.application import PORT, Application

_PYTHON_TOOLS = ("pip", "uv", "poetry")


@dataclass(frozen=True, slots=True)
class Built:
    """What runs, where, with which environment; ``content`` is the digest of the files.

    ``$(PORT)`` in the command is the port, as Kubernetes writes it.
    """

    command: tuple[str, ...]
    folder: Path
    content: str
    env: dict[str, str] = field(default_factory=dict)


def build(source: SourceFolder, application: Application, *, builds: Path, say: Say) -> Built:
    """Make the application ready below ``builds``; raise BuildError with the tool's own words."""
    if application.dockerfile:
        raise BuildError(
            f"{source.label} has a Dockerfile and nothing that runs without a container: "
            "`hearth deploy` builds it"
        )
    content = source.digest
    needs = application.dependencies
    venv, modules = None, None
    if needs is not None and needs.tool in _PYTHON_TOOLS:
        venv = python_environment(source, needs, builds, say)
    elif needs is not None:
        modules = node_modules(source, needs, builds, say)

    def prepare(place: Path) -> None:
        if modules is not None:
            (place / "node_modules").symlink_to(modules)
        if application.build:
            say(" ".join(application.build))
            run(application.build, place)

    key = f"source-{content.removeprefix('sha256:')[:16]}-{modules.parent.name if modules else ''}"
    place = kept_copy(source, builds / key.rstrip("-"), prepare)
    env = {}
    if venv is not None:
        env = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:{_path()}"}
    if modules is not None:
        env["NODE_PATH"] = str(modules)
    if application.carries:
        env["PYTHONPATH"] = str(_carrying(builds))
    return Built(_command(application, venv), place, content, env)


def _carrying(builds: Path) -> Path:
    """Return a folder in which nothing but Hearth's own package is found."""
    place = builds / "carried"
    place.mkdir(exist_ok=True)
    fresh = place / f"new-{os.getpid()}"
    fresh.symlink_to(Path(hearth.__file__).parent)
    fresh.replace(place / "hearth")
    return place


def _command(application: Application, venv: Path | None) -> tuple[str, ...]:
    python = sys.executable if venv is None else str(venv / "bin" / "python")
    words = application.command
    if application.runner:
        runner = Path(runners.__file__).with_name(f"{application.runner}.py")
        return (python, str(runner), *words)
    program = None if venv is None else venv / "bin" / words[0]
    if words[0] == "python":
        words = (python, *words[1:])
    elif program is not None and program.exists():
        words = (str(program), *words[1:])
    if words[0] == "/bin/sh":
        return words
    return tuple(PORT.sub("$(PORT)", word) for word in words)


def _path() -> str:
    """The PATH of applications: where the system's programs are, and Node's."""
    node = shutil.which("node")
    shell = shutil.which("sh")
    if shell is None:
        return os.defpath
    folders = [*([str(Path(node).parent)] if node else []), "/usr/local/bin", "/usr/bin", "/bin"]
    folders.append(str(Path(shell).parent))
    return ":".join(dict.fromkeys(folders))
