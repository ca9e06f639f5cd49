"""Looks at this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from hearth.cli.doctor import verdicts
from hearth.cli.doctor.check import Check, ok, warn
from hearth.cli.errors import UserError
from hearth.cli.runtimes import Runtime, choose

_SECONDS = 5.0
_FEW = 2000
"""Files that are looked at for one from the future."""


def checks(data_dir: Path, environment: Mapping[str, str]) -> Iterator[Check]:
    """Give all that concern a Hearth on this folder, whether it runs or not."""
    is_root = os.geteuid() == 0
    yield from _folder(data_dir)
    stats = os.statvfs(_there(data_dir))
    yield verdicts.disk(
        stats.f_bavail * stats.f_frsize, stats.f_favail, stats.f_files, str(data_dir)
    )
    yield verdicts.memory(_available())
    yield verdicts.clock(_newest(data_dir), time.time())
    yield verdicts.open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))
    yield verdicts.processes(_most_processes(), _processes())
    yield verdicts.inotify(
        *(_number(f"fs/inotify/max_user_{each}") or 0 for each in ("instances", "watches"))
    )
    yield ok(
        "kernel", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    yield _groups(is_root)
    yield _namespaces(is_root)
    filesystems = _text(Path("/proc/filesystems"))
    yield verdicts.overlay(filesystems, shutil.which("fuse-overlayfs") is not None)
    yield _engine()
    yield _isolation()
    yield verdicts.localhost(_addresses("doctor.localhost"))
    yield verdicts.proxies(environment)


def _folder(data_dir: Path) -> Iterator[Check]:
    """Before the first start it is the nearest one that is there that has to be writable."""
    there = _there(data_dir)
    facts, is_writable = there.stat(), os.access(there, os.W_OK | os.X_OK)
    is_own = there == data_dir
    mode = facts.st_mode & 0o777 if is_own else 0o700
    owner = facts.st_uid if is_own else os.geteuid()
    yield from verdicts.folder(
        mode, owner, os.geteuid(), is_writable=is_writable, path=str(data_dir)
    )
    if os.statvfs(there).f_flag & os.ST_NOEXEC:
        text = "compiled applications cannot run from it: choose another with --data-dir"
        yield warn("state folder", f"{there} is mounted noexec", text)


def _there(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _newest(data_dir: Path) -> float:
    """When anything right in the folder or one level below was written, by the clock of then."""
    newest = 0.0
    for count, path in enumerate((*data_dir.glob("*"), *data_dir.glob("*/*"))):
        with contextlib.suppress(OSError):
            newest = max(newest, path.lstat().st_mtime)
        if count > _FEW:
            break
    return newest


def _available() -> int:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _most_processes() -> int | None:
    limits = [resource.getrlimit(resource.RLIMIT_NPROC)[0]] if os.geteuid() else []
    limits += [
        int(text)
        for text in (_group_file("pids.max"), str(_number("kernel/pid_max")))
        if text.isdecimal()
    ]
    limits = [limit for limit in limits if limit >= 0]
    return min(limits, default=None)


def _processes() -> int:
    current = _group_file("pids.current")
    if current.isdecimal():
        return int(current)
    loads = _text(Path("/proc/loadavg")).split()
    return int(loads[3].partition("/")[2]) if len(loads) > 3 else 0


def _group_file(name: str) -> str:
    """A file of this process's control group, of version 2."""
    line = next(iter(_text(Path("/proc/self/cgroup")).splitlines()), "")
    place = line.partition("::")[2].lstrip("/")
    return _text(Path("/sys/fs/cgroup") / place / name).strip() if line.startswith("0::") else ""


def _groups(is_root: bool) -> Check:
    controllers = Path("/sys/fs/cgroup/cgroup.controllers")
    return verdicts.control_groups(controllers.exists(), is_root, _text(controllers).split())


def _namespaces(is_root: bool) -> Check:
    return verdicts.namespaces(
        _number("user/max_user_namespaces"),
        _number("kernel/unprivileged_userns_clone"),
        _number("kernel/apparmor_restrict_unprivileged_userns"),
        is_root,
    )


def _engine() -> Check:
    name = "containers"
    try:
        pods = choose(Runtime.AUTO)
    except UserError as error:
        return warn(name, str(error), "see docs/containers.md")
    if pods.engine is None:
        text = "images that are no known commands cannot run: install podman, docker or runc"
        return warn(name, "no engine found", text)
    return ok(name, str(pods))


def _isolation() -> Check:
    program = shutil.which("bwrap")
    if program is None:
        return ok("isolation", "no bubblewrap: `hearth up --isolate` would take it")
    return ok("isolation", f"`hearth up --isolate` has {program}")


def kubectl_version() -> str | None:
    """Return the version of the kubectl on the path; None where there is none."""
    program = shutil.which("kubectl")
    if program is None:
        return None
    command = [program, "version", "--client", "-o", "json"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
        return str(orjson.loads(done.stdout)["clientVersion"]["gitVersion"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def _addresses(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(each[4][0]) for each in found]


def _number(name: str) -> int | None:
    text = _text(Path("/proc/sys") / name).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
