"""The words of bubblewrap (bwrap(1)) that give a program its view of the machine.

The system is read-only. All else is empty and in memory but for what the program is made of,
read-only, and what is its own. Mounts are made at their paths; where the system has no such path,
its nearest parent becomes a folder in memory with the same entries. The machine's own files are
never touched. Each bind costs about a millisecond, so there are few. Reads the file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.runtime.cgroups.files import Folders
from hearth.cluster.node.volumes.mounts import Mount

NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL")
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu")
_DEVICES = ("null", "zero", "full", "urandom", "tty")
_LINKS = {
    "random": "urandom",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_GROUPS = "/sys/fs/cgroup"
_RESOLVER = "/etc/resolv.conf"


@dataclass(slots=True)
class Sandbox:
    """One view, built from the outside to the inside; nothing is shown that ``secret`` is in."""

    secret: Sequence[Path]
    home: Path
    words: list[str] = field(default_factory=lambda: [*NAMESPACES])
    _covers: dict[str, str | None] = field(default_factory=dict)
    """What shows at a path: another path of the machine, or memory (None)."""
    _sealed: list[str] = field(default_factory=list)

    def build(
        self,
        *,
        readable: Iterable[Path],
        writable: Iterable[Path],
        own: Path,
        mounts: Sequence[Mount],
        cwd: str,
        groups: Folders | None = None,
    ) -> list[str]:
        """All words, but for the program's own.

        ``own`` becomes an empty folder in memory, ``groups`` all that it sees of control groups: so
        programs that go by their limits (Java, Node.js) find them.
        """
        self._covers["/"] = None
        self._system()
        if groups is not None:
            self._control_groups(groups)
        for path in readable:
            if not any(each.is_relative_to(path) for each in (*self.secret, own)):
                self._show(str(path))
        self.words += ["--dir", str(own)]
        for path in writable:
            self._bind(str(path), str(path), is_read_only=False)
        for mount in mounts:
            target = os.path.realpath(mount.target)
            self._bind(str(mount.source), target, is_read_only=mount.read_only)
        for folder in ("/", *self._sealed):
            self.words += ["--remount-ro", folder]
        return [*self.words, "--chdir", cwd, "--"]

    def _system(self) -> None:
        for name in _SYSTEM:
            path = f"/{name}"
            if os.path.islink(path):
                self.words += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path) and os.listdir(path):
                self._bind(path, path, is_read_only=True)
        self.words += ["--proc", "/proc", "--ro-bind", "/sys", "/sys", "--tmpfs", "/dev"]
        for name in _DEVICES:
            self.words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
        for name, target in _LINKS.items():
            self.words += ["--symlink", target, f"/dev/{name}"]
        for folder in ("/dev/shm", "/tmp", "/run", "/var/tmp", str(self.home)):
            self.words += ["--perms", "1777", "--tmpfs", folder]
        self.words += ["--symlink", "/run", "/var/run"]
        self._show(os.path.realpath(_RESOLVER))

    def _control_groups(self, groups: Folders) -> None:
        self.words += ["--unshare-cgroup"]
        if groups.v1:
            self.words += ["--tmpfs", _GROUPS]
        for folder in groups.all:
            below = folder.relative_to(_GROUPS).parts[:1] if groups.v1 else ()
            self.words += ["--ro-bind", str(folder), str(Path(_GROUPS, *below))]

    def _show(self, path: str) -> None:
        """Shows what the machine has at a path, where nothing is shown yet."""
        if self._seen(path) is None and os.path.exists(path):
            self._bind(path, path, is_read_only=True)

    def _bind(self, source: str, target: str, *, is_read_only: bool) -> None:
        self._make_place(target, is_folder=os.path.isdir(source))
        self.words += ["--ro-bind" if is_read_only else "--bind", source, target]
        self._covers[target] = source

    def _make_place(self, target: str, *, is_folder: bool) -> None:
        """Sees to it that something can be mounted at a path."""
        parent = target
        while (seen := self._seen(parent)) is not None and not os.path.exists(seen):
            parent = os.path.dirname(parent)
        if seen is None:
            return  # in memory: bubblewrap makes what is missing
        if parent == target and os.path.isdir(seen) == is_folder:
            return
        parent = os.path.dirname(target) if parent == target else parent
        self._mirror(parent, skip=target)

    def _seen(self, path: str) -> str | None:
        """The path of the machine that shows there; None: it is in memory."""
        place = path
        while place not in self._covers and place != "/":
            place = os.path.dirname(place)
        cover = self._covers.get(place)
        return None if cover is None else cover + path[len(place) :]

    def _mirror(self, folder: str, *, skip: str) -> None:
        """Puts a folder in memory in place of one, with the same entries, sealed at the end."""
        source = self._seen(folder)
        assert source is not None
        self.words += ["--tmpfs", folder]
        self._covers[folder] = None
        self._sealed.append(folder)
        for entry in sorted(os.scandir(source), key=lambda each: each.name):
            path = os.path.join(folder, entry.name)
            if entry.is_symlink():
                self.words += ["--symlink", os.readlink(entry.path), path]
            elif path != skip:
                self.words += ["--ro-bind-try", entry.path, path]  # it may go meanwhile
                self._covers[path] = entry.path


_BESIDE_BIN = ("bin", "lib", "lib64", "libexec")


def shown_for(word: str) -> set[Path]:
    """What a program needs to see that is started with a word: of a file its folder as well.

    Of ``bin``, or a file there, what belongs to it; links are followed, for the Python of a virtual
    environment is elsewhere.
    """
    named = named_by(word)
    return named.union(*map(_around, named))


def named_by(word: str) -> set[Path]:
    """The file or folder that a word is the path of, with and without links."""
    if not word.startswith("/") or not os.path.exists(word):
        return set()
    return {Path(os.path.abspath(word)), Path(os.path.realpath(word))}


def _around(path: Path) -> list[Path]:
    folder = path if path.is_dir() else path.parent
    if folder.name != "bin":
        return [folder]
    if (folder.parent / "pyvenv.cfg").exists():
        return [folder.parent]
    return [each for name in _BESIDE_BIN if (each := folder.parent / name).exists()]
