"""Which folder a ``--name`` stands for.

A Hearth lies in a folder of its name below the default state folder, unless ``hearth up`` was given
another one with ``--data-dir``. Then its name is noted beside: a symbolic link below ``.names``, so
that every command finds it by ``--name`` alone. The name ``default`` is never noted: it always
means the default folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.state import is_running, read_state, state_file

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


def data_dir_of(name: str) -> Path:
    """The folder of a name: the noted one while a Hearth's state is in it, else the default."""
    folder = default_data_dir(name)
    with contextlib.suppress(OSError):
        if state_file(noted := _link(name).readlink()).exists():
            return noted
    return folder


def default_data_dir(name: str) -> Path:
    """The folder of a name that was given no other one; UserError for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name {name!r} is no name: letters, digits, '.', '_' and '-', at most 63 of them"
        )
    return _base() / name


def note(name: str, data_dir: Path) -> None:
    """Remembers where the Hearth of a name lies; UserError where another one of it runs.

    Where the note cannot be written the name stays unknown; ``is_found`` tells.
    """
    if name == DEFAULT:
        return
    other = data_dir_of(name)
    if other != data_dir and _runs(other):
        raise UserError(f"the name {name!r} is taken by the Hearth that runs on {other}")
    with contextlib.suppress(OSError):
        link = _link(name)
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = link.with_name(f"{name}.{os.getpid()}.new")
        fresh.symlink_to(data_dir)
        fresh.replace(link)


def known() -> list[Path]:
    """The folders of all Hearths that lie at the default place or whose names were noted."""
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders += [each for each in _base().iterdir() if state_file(each).exists()]
    with contextlib.suppress(OSError):
        folders += [link.readlink() for link in _link("").iterdir() if link.is_symlink()]
    return sorted(folders)


def forget(data_dir: Path) -> None:
    """Takes back the notes that lead to a folder."""
    with contextlib.suppress(OSError):
        for link in _link("").iterdir():
            if link.readlink() == data_dir:
                link.unlink()


def is_found(name: str, data_dir: Path) -> bool:
    """Tells whether ``--name`` alone leads to this folder."""
    return data_dir_of(name) == data_dir


def _runs(data_dir: Path) -> bool:
    with contextlib.suppress(OSError):
        return is_running(read_state(data_dir))
    return False


def _base() -> Path:
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(share).absolute() / "hearth"


def _link(name: str) -> Path:
    return _base() / ".names" / name
