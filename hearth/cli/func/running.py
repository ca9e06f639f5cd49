"""``hearth func run``: runs a function on this machine, without Hearth."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hearth.cli.deploy.words import found_words
from hearth.cli.errors import UserError
from hearth.cli.images import found_in
from hearth.functions.building.build import Built, build
from hearth.functions.building.builds import building
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import DetectionError

_BUILDS = ".func/builds"
_RUNNING = ".func/run"  # the port of the function that runs from a folder


def built_function(folder: Path) -> Built:
    """Make a function ready to run; raise UserError with the tool's own words."""
    try:
        source = SourceFolder(folder)
        application = found_in(source)
        print(found_words(application))
        builds = folder / _BUILDS
        with building(builds):
            return build(source, application, builds=builds, say=print)
    except (BuildError, DetectionError) as error:
        raise UserError(str(error)) from error


def run_function(folder: Path, address: str, env: dict[str, str]) -> int:
    """Run until Ctrl-C; return the function's exit code."""
    built = built_function(folder)
    host, _, port = address.rpartition(":")
    number = int(port) if port else _free_port()
    told = {"PORT": str(number), "LISTEN_ADDRESS": f"{host or '127.0.0.1'}:{number}"}
    environment = {**os.environ, **built.env, **told, **env}
    print(f"Running on http://localhost:{number}; Ctrl-C ends it", flush=True)
    with _noted(folder, number):
        command = [word.replace("$(PORT)", str(number)) for word in built.command]
        process = subprocess.Popen(command, cwd=built.folder, env=environment)
        signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the function gets it, too, and ends
                return process.wait()


def local_port(folder: Path) -> int | None:
    """Return the port of the function that runs from a folder, if one does."""
    try:
        port = int((folder / _RUNNING).read_text())
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return port
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _noted(folder: Path, port: int) -> Iterator[None]:
    note = folder / _RUNNING
    note.parent.mkdir(exist_ok=True)
    note.write_text(str(port))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _free_port() -> int:
    """8080, as func has it, or any other that is free."""
    for port in (8080, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise UserError("there is no free port")
