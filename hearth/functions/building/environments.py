"""Packages that an application needs: a venv or a node_modules for each set of them, kept.

An older revision keeps the versions that it was built with. What was left half made by an end in
the middle is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import Dependencies

Say = Callable[[str], None]

_DONE = ".complete"
_LAST_WORDS = 2000  # characters of a tool's output that are shown when it fails
_LOCKS = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", ".npmrc", "package.json")


def python_environment(source: SourceFolder, needs: Dependencies, builds: Path, say: Say) -> Path:
    """Return the venv with these packages; made once."""
    needs = with_what_is_here(source, needs, say)
    venv = builds / f"python-{python_key(source, needs)}"
    if (venv / _DONE).exists():
        say("its packages are installed already")
        return venv
    _begin(venv)
    say(f"installing {' and '.join(filter(None, (needs.file, *needs.added)))}")
    pip = _make_with_pip(venv, source.folder)
    run([*pip, "install", "--quiet", "--no-input", *requirements(source, needs, venv)],
        source.folder)  # fmt: skip
    (venv / _DONE).touch()
    return venv


def with_what_is_here(source: SourceFolder, needs: Dependencies, say: Say) -> Dependencies:
    """Return how it is installed here: by pip, too, where uv or poetry is missing."""
    if needs.tool not in _EXPORTS or shutil.which(needs.tool):
        return needs
    if "pyproject.toml" not in source.paths:
        raise BuildError(f"{needs.file} takes {needs.tool}, which is not installed")
    say(
        f"{needs.tool} is not installed: pip installs what pyproject.toml asks for, in versions "
        f"that {needs.file} may not name"
    )
    return replace(needs, tool="pip", file="pyproject.toml")


def python_key(source: SourceFolder, needs: Dependencies) -> str:
    """Return what tells one set of packages from another, for this Python."""
    key = hashlib.sha256(f"{sys.version}\0{needs}".encode())
    if needs.file:
        key.update((source.folder / needs.file).read_bytes())
    if needs.file == "pyproject.toml":
        key.update(source.digest.encode())  # the project itself is installed with it
    return key.hexdigest()[:16]


def requirements(source: SourceFolder, needs: Dependencies, scratch: Path) -> list[str]:
    """Return what pip is to install; uv and poetry say it in pip's words, in a file in scratch."""
    if needs.tool in _EXPORTS:
        exported = run([needs.tool, *_EXPORTS[needs.tool]], source.folder)
        file = scratch / "requirements.txt"
        file.write_text(exported)
        return ["-r", str(file), *needs.added]
    if not needs.file:
        return list(needs.added)
    is_list = needs.file.endswith(".txt")
    what = ["-r", str(source.folder / needs.file)] if is_list else [str(source.folder)]
    return [*what, *needs.added]


_EXPORTS = {
    "uv": ("export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"),
    "poetry": ("export", "--format=requirements.txt"),
}


def _make_with_pip(venv: Path, folder: Path) -> list[str]:
    """Make a venv and return the command of a pip that installs into it.

    Our own pip, where we have one: putting another into each venv takes seconds.
    """
    make = [sys.executable, "-m", "venv", str(venv)]
    python = str(venv / "bin" / "python")
    if importlib.util.find_spec("pip") is None:
        run(make, folder)
        return [python, "-m", "pip", "--disable-pip-version-check"]
    run([*make, "--without-pip"], folder)
    return [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]


def node_modules(
    source: SourceFolder, needs: Dependencies, builds: Path, say: Say, cpu: str = ""
) -> Path:
    """Return the folder with these packages; made once.

    ``cpu`` is another machine's, as npm says it: what has to be compiled there is a BuildError.
    """
    if shutil.which(needs.tool) is None:
        raise BuildError(f"package.json has dependencies, but {needs.tool} is not installed")
    files = [name for name in _LOCKS if name in source.paths]
    dev = " with dev" if needs.with_dev else ""
    key = hashlib.sha256(f"{needs.tool}{dev}{cpu}".encode())
    for name in files:
        key.update((source.folder / name).read_bytes())
    place = builds / f"node-{key.hexdigest()[:16]}"
    if (place / _DONE).exists():
        say("its packages are installed already")
        return place / "node_modules"
    _begin(place)
    place.mkdir()
    say(f"installing {needs.file}")
    for name in files:
        shutil.copy2(source.folder / name, place / name)
    run(node_install(needs, files, cpu), place)
    if cpu and (native := compiled_packages(place / "node_modules")):
        raise BuildError(
            f"compiled where they are installed, which is no {cpu} here: {', '.join(native)}; "
            "leave --platform out, or build by a Dockerfile"
        )
    (place / "node_modules").mkdir(exist_ok=True)
    (place / _DONE).touch()
    return place / "node_modules"


def compiled_packages(modules: Path) -> list[str]:
    """Return the packages that have native code, and none that came compiled with them."""
    roots = (path.parent for path in modules.rglob("binding.gyp"))
    return sorted(
        str(root.relative_to(modules)) for root in roots if not (root / "prebuilds").is_dir()
    )


def node_install(needs: Dependencies, files: Sequence[str], cpu: str = "") -> list[str]:
    """Return the command that installs packages; raise BuildError where it cannot for a ``cpu``."""
    if cpu and needs.tool != "npm":
        raise BuildError(f"{needs.tool} installs for this machine alone, npm for others, too")
    if needs.tool in ("pnpm", "yarn"):
        without = {"pnpm": "--prod", "yarn": "--production"}[needs.tool]
        dev = [] if needs.with_dev else [without]
        return [needs.tool, "install", *dev, "--frozen-lockfile", "--silent"]
    how = "ci" if "package-lock.json" in files else "install"
    dev = ["--include=dev"] if needs.with_dev else ["--omit=dev"]
    other = ["--os=linux", f"--cpu={cpu}", "--ignore-scripts"] if cpu else []
    return ["npm", how, *dev, *other, "--no-audit", "--no-fund", "--silent"]


def _begin(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)


def run(argv: Sequence[str], folder: Path) -> str:
    """Run a tool and return what it printed; BuildError with its last words where it fails."""
    try:
        done = subprocess.run(
            argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise BuildError(f"{argv[0]} is needed and not installed") from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()[-_LAST_WORDS:]
        raise BuildError(f"{' '.join(argv[:4])} failed with code {done.returncode}:\n{output}")
    return done.stdout
