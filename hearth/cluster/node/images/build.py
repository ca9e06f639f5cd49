"""``hearth build``: makes an image name stand for the application in a folder.

No copy is made: the command runs in the folder itself. Python dependencies go into a venv of
their own in the data folder, one for each set of requirements, so that an older revision keeps
the versions that it was built with.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hearth.cluster.node.images.detect import Application, BuildError, detect
from hearth.cluster.node.images.store import ImageSpec, ImageStore

Say = Callable[[str], None]

_SKIPPED = frozenset(
    (".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache",
     ".ruff_cache", ".tox", ".idea", ".vscode")
)  # fmt: skip
_DONE = ".complete"


def build(folder: Path, name: str, store: ImageStore, *, builds: Path, say: Say) -> ImageSpec:
    """Detects, installs what it needs, registers. ``builds`` is where venvs are kept."""
    folder = folder.resolve()
    application = detect(folder)
    say(f"{folder}: {application.kind} application, runs {' '.join(application.command)}")
    env: dict[str, str] = {}
    command = application.command
    if application.needs_npm:
        _install_node(folder, say)
    if application.requirements:
        venv = _make_venv(folder, application, builds, say=say)
        env = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:{_path()}"}
        command = _in_venv(command, venv)
    elif command[0] == "python":
        command = (sys.executable, *command[1:])
    image = ImageSpec(
        entrypoint=command,
        env=env,
        workdir=str(folder),
        source=str(folder),
        content=tree_digest(folder),
    )
    return store.add(name, image)


def _path() -> str:
    shell = shutil.which("sh")
    return os.defpath if shell is None else _standard_path(shell)


def _standard_path(shell: str) -> str:
    node = shutil.which("node")
    folders = [*([str(Path(node).parent)] if node else []), "/usr/local/bin", "/usr/bin", "/bin"]
    folders.append(str(Path(shell).parent))
    return ":".join(dict.fromkeys(folders))


def _in_venv(command: tuple[str, ...], venv: Path) -> tuple[str, ...]:
    program = venv / "bin" / command[0]
    return (str(program), *command[1:]) if program.exists() else command


# -- dependencies -------------------------------------------------------------------------------


def _make_venv(folder: Path, application: Application, builds: Path, *, say: Say) -> Path:
    """The venv for these requirements; made once."""
    source = folder / application.requirements
    key = hashlib.sha256(source.read_bytes() + sys.version.encode())
    if application.requirements == "pyproject.toml":
        key.update(tree_digest(folder).encode())  # the project itself is installed with it
    venv = builds / key.hexdigest()[:16]
    if (venv / _DONE).exists():
        say("dependencies are installed already")
        return venv
    shutil.rmtree(venv, ignore_errors=True)
    venv.parent.mkdir(parents=True, exist_ok=True)
    say(f"installing {application.requirements}")
    what = ["-r", str(source)] if source.name == "requirements.txt" else [str(folder)]
    _run([*_make_with_pip(venv, folder), "install", "--quiet", "--no-input", *what], folder)
    (venv / _DONE).touch()
    return venv


def _make_with_pip(venv: Path, folder: Path) -> list[str]:
    """Makes a venv and returns the command of a pip that installs into it.

    Our own pip, where we have one: putting another into each venv takes seconds.
    """
    make = [sys.executable, "-m", "venv", str(venv)]
    python = str(venv / "bin" / "python")
    if importlib.util.find_spec("pip") is None:
        _run(make, folder)
        return [python, "-m", "pip", "--disable-pip-version-check"]
    _run([*make, "--without-pip"], folder)
    return [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]


def _install_node(folder: Path, say: Say) -> None:
    if shutil.which("npm") is None:
        raise BuildError("package.json has dependencies, but npm is not installed")
    say("installing package.json")
    how = "ci" if (folder / "package-lock.json").is_file() else "install"
    _run(["npm", how, "--omit=dev", "--no-audit", "--no-fund", "--silent"], folder)


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()[-2000:]
        raise BuildError(f"{' '.join(argv[:4])} failed with code {done.returncode}:\n{output}")


# -- content ------------------------------------------------------------------------------------


def tree_digest(folder: Path) -> str:
    """A digest of all files: names, contents, and whether they can be executed."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(os.fsencode(path.relative_to(folder)) + b"\0")
        if path.is_symlink():
            digest.update(b"link\0" + os.fsencode(os.readlink(path)))
        else:
            executable = b"x" if os.access(path, os.X_OK) else b"-"
            digest.update(executable + hashlib.sha256(path.read_bytes()).digest())
    return "sha256:" + digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _SKIPPED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file() or entry.is_symlink():
            yield entry
