"""Real container engines for tests: each with a storage of its own, stopped by its pid."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.runtime.engine.client import EngineClient
from hearth.cluster.node.runtime.engine.service import other_runtime
from tests.component.keda.servers import missing, process, program, wait_until
from tests.images import TestImage, is_root


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine at work; ``command`` is its command line for the same storage."""

    command: tuple[str, ...]
    socket: Path

    def run(self, *words: str) -> str:
        """What one command prints; raises CalledProcessError."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def client(self) -> EngineClient:
        """Calls of it."""
        return EngineClient(str(self.socket))


class Podman(Engine):
    """Podman as a service."""

    def load(self, image: TestImage, *names: str) -> None:
        """Puts an image into the storage under names."""
        said = self.run("load", "-q", "-i", str(image.archive()))
        identity = said.rpartition(": ")[2]
        for name in names:
            self.run("tag", identity, name)


class Docker(Engine):
    """A daemon of Docker."""

    def load(self, image: TestImage, name: str) -> None:
        """Puts an image there. Docker 20.10 reads no OCI layouts: skopeo writes its own form."""
        archive = image.layout.with_suffix(".docker.tar")
        places = [f"oci:{image.layout}:latest", f"docker-archive:{archive}:{name}"]
        archive.unlink(missing_ok=True)
        copy = [program("skopeo"), "--insecure-policy", "copy", "-q", *places]
        subprocess.run(copy, check=True)
        self.run("load", "-q", "-i", str(archive))


@contextlib.contextmanager
def docker(folder: Path) -> Iterator[Docker]:
    """A daemon for as long as the context is, rootless where the user is not root.

    That of root leaves the machine's firewall alone.
    """
    try:
        with docker_daemon(folder) as engine:
            try:
                yield engine
            finally:  # bridges would outlive the daemon
                if left := engine.run("ps", "-aq").split():
                    engine.run("rm", "-f", *left)
                engine.run("network", "prune", "-f")
    finally:
        wait_until(lambda: _removed(folder))


@contextlib.contextmanager
def docker_daemon(folder: Path, *more: str) -> Iterator[Docker]:
    """The same, with what a daemon before it has left in the folder, and leaving it."""
    socket = folder / "docker.sock"
    daemon = [program("dockerd")]
    options = ["--data-root", folder / "storage", "--exec-root", folder / "run"]
    options += ["-H", f"unix://{socket}", "-p", folder / "pid"]
    if is_root():
        options += ["--bridge=none", "--iptables=false"]
    else:
        _check_rootless("rootlesskit")
        daemon = [program("dockerd-rootless.sh", "/usr/share/docker.io/contrib")]
    options += ["--max-download-attempts", "1"]
    command = (program("docker"), "-H", f"unix://{socket}")

    def answers() -> bool:
        return subprocess.run([*command, "version"], capture_output=True).returncode == 0

    with process(*daemon, *options, *more, ready=answers, folder=folder):
        yield Docker(command, socket)


@contextlib.contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """A service of Podman for as long as the context is, rootless where the user is not root."""
    if not is_root():
        _check_rootless()
    places = [("--root", "storage"), ("--runroot", "run"), ("--tmpdir", "tmp")]
    options = [word for name, place in places for word in (name, str(folder / place))]
    command = (program("podman"), *options, "--cgroup-manager", "cgroupfs", *other_runtime())
    socket = folder / "podman.sock"
    service = ("system", "service", "--time", "0", f"unix://{socket}")
    try:
        with process(*command, *service, ready=socket.exists, folder=folder):
            yield Podman(command, socket)
    finally:
        subprocess.run([*command, "rm", "-af", "-t", "0"], capture_output=True, check=False)
        _end(folder, "conmon")  # of commands: each has Podman come again after 300 s
        if not is_root():
            _end(folder)  # a rootless service is a child of what was begun
            subprocess.run([*command, "system", "migrate"], capture_output=True, check=True)
        wait_until(lambda: not list(_users(folder)))
        wait_until(lambda: _removed(folder))


def _check_rootless(*programs: str) -> None:
    """Skips the test where rootless containers with a network cannot be."""
    for name in ("newuidmap", "slirp4netns", *programs):
        program(name)
    if getpass.getuser() not in Path("/etc/subuid").read_text():
        missing("this user has no subordinate ids: rootless containers were not tested")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        missing("this user may not open /dev/net/tun: rootless containers were not tested")


def _end(folder: Path, program: str = "podman") -> None:
    for pid in list(_users(folder, program)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _users(folder: Path, program: str = "podman") -> Iterator[int]:
    """Podman cleans up after each container in a process of its own, which mounts."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            is_it = words[0].endswith(program.encode())
            if is_it and any(word.startswith(os.fsencode(folder / "storage")) for word in words):
                yield int(path.parent.name)


def remove(folder: Path) -> None:
    """Unmounts and removes what an engine has left."""
    wait_until(lambda: _removed(folder))


def _removed(folder: Path) -> bool:
    unmount = ["umount", "-l", str(folder / "storage/overlay")]
    while subprocess.run(unmount, capture_output=True, check=False).returncode == 0:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    if not is_root():  # some files are of users that only a namespace has
        remove = ["unshare", "--map-root-user", "--map-auto", "rm", "-rf", str(folder)]
        subprocess.run(remove, capture_output=True, check=False)
    return not folder.exists()
