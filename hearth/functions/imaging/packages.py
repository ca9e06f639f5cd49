"""The packages of an application in a folder of their own, as an image has them."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

from hearth.functions.building.environments import Say, requirements, run
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import Dependencies
from hearth.functions.imaging.plan import pip_platforms
from hearth.oci.manifests import Platform, platform_of

_SHEBANG = b"#!/usr/bin/env python3\n"


def install_python(
    source: SourceFolder,
    needs: Dependencies,
    target: Path,
    *,
    version: str,
    on: Platform,
    say: Say,
) -> None:
    """Install packages for a Python ``version`` on a platform; raise BuildError with pip's words.

    For this machine's own Python what has no wheel is built; for any other, wheels alone do.
    """
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    is_ours = version == ours and on == platform_of(platform.machine())
    what = requirements(source, needs, target.parent)
    say(f"installing {' and '.join(filter(None, (needs.file, *needs.added)))} for {on}")
    options = [f"--target={target}", "--no-compile", "--quiet", "--no-input", "--no-warn-conflicts"]
    if not is_ours:
        options += ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
        options += pip_platforms(on.architecture)
    run([*_pip(target.parent), "install", *options, *what], source.folder)
    for script in (target / "bin").glob("*"):
        content = script.read_bytes()
        if content.startswith(b"#!") and b"python" in content.partition(b"\n")[0]:
            script.write_bytes(_SHEBANG + content.partition(b"\n")[2])
    if version == ours:
        _compile(target)


def _compile(target: Path) -> None:
    """Bytecode that needs no times to be taken for right: the image's user cannot write it."""
    run([sys.executable, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash",
         "-s", str(target), "-p", "/packages", str(target)], target)  # fmt: skip


def _pip(scratch: Path) -> list[str]:
    """Our own pip, or one in a venv of its own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    venv = scratch / "pip"
    run([sys.executable, "-m", "venv", str(venv)], scratch)
    return [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
