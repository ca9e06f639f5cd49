"""The files of one container: what runc is told, its root, what it writes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.bundles.kernel import Overlays, unmount
from hearth.oci.layers import read_inside


@dataclass(frozen=True, slots=True)
class Bundle:
    """``folder`` is in memory, and the mount is in there; ``writable`` is on disk."""

    folder: Path
    writable: Path

    @property
    def root(self) -> Path:
        """The root that the container sees."""
        return self.folder / "rootfs"

    @property
    def pipes(self) -> Path:
        """The folder of the pipes that take the output."""
        return self.folder / "io"

    @property
    def log(self) -> Path:
        """Where runc says what is wrong."""
        return self.folder / "log.json"

    @property
    def pid_file(self) -> Path:
        """Where runc says which process it has made."""
        return self.folder / "pid"

    @property
    def terminal(self) -> Path:
        """The socket by which runc hands over a terminal."""
        return self.folder / "tty"

    def make(self, overlays: Overlays, layers: list[Path]) -> tuple[str, str]:
        """Mounts the root; returns its ``/etc/passwd`` and ``/etc/group``."""
        self.folder.mkdir(mode=0o700, parents=True)
        overlays.mount(layers, self.writable, self.root)
        return read_inside(self.root, "etc/passwd"), read_inside(self.root, "etc/group")

    def write(self, config: Mapping[str, Any]) -> None:
        """What runc is told."""
        text = json.dumps(config, ensure_ascii=False)
        (self.folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))

    def pid(self) -> int:
        """The container's first process; raises OSError or ValueError where there is none."""
        return int(self.pid_file.read_text())

    def remove(self) -> None:
        """Unmounts and removes all; again, and no harm."""
        unmount(self.root)
        with contextlib.suppress(OSError):
            os.rmdir(self.root)  # never what is in there, should it still be mounted
            shutil.rmtree(self.folder)
        shutil.rmtree(self.writable, ignore_errors=True)


@contextlib.contextmanager
def terminal_socket(bundle: Bundle) -> Any:
    """A function that takes the terminal that runc sends, once it has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        listener.bind(str(bundle.terminal))
        listener.listen(1)
        listener.settimeout(5)

        def take() -> int:
            sender, _ = listener.accept()
            with sender:
                _, (fd, *_rest), _, _ = socket.recv_fds(sender, 4096, 1)
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)
            return fd

        yield take
