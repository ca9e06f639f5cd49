"""Gives a program its volumes at their mount paths, then becomes that program.

Run as a script of its own, before the container's program and only for containers with volumes:

    python -I -S mountlauncher.py '{"mounts": [[SOURCE, TARGET, READ_ONLY], ...],
                                    "staging": DIR, "cwd": DIR, "messages": FILE}' PROGRAM ARGS...

A mount namespace of its own (with a user namespace where we are not root) hides the mounts from
everybody else. Where a target does not exist, its nearest existing parent is replaced, in this
namespace only, by a folder in memory that shows the same entries and has room for one more: the
machine's own file system is never written to. ``--check`` in place of a program only tries. What
goes wrong is said on stderr and in the file for messages, which becomes part of the pod's status.

It imports nothing of Hearth, and little else: its start is part of the container's start.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _BIND, _MOVE, _REC, _PRIVATE = 1, 32, 4096, 8192, 16384, 1 << 18
_KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048  # nosuid nodev noexec noatime nodiratime
_CANNOT_MOUNT, _CANNOT_EXEC = 125, 127

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: Any) -> None:
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(args[1]) if len(args) > 1 else None)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    name = None if kind is None else kind.encode()
    _call("mount", os.fsencode(source), os.fsencode(target), name, ctypes.c_ulong(flags), None)


def _enter_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            _call("unshare", _NEWNS)
        except OSError:
            _call("unshare", _NEWNS | _NEWUSER)
            _map_user(uid, gid)
    else:
        _call("unshare", _NEWNS | _NEWUSER)
        _map_user(uid, gid)
    _mount("none", "/", None, _REC | _PRIVATE)


def _map_user(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _make_target(target: str, is_folder: bool, staging: str) -> str:
    """A path to mount on; the parent is replaced first where it must be."""
    resolved = os.path.realpath(target)
    if os.path.exists(resolved) and os.path.isdir(resolved) == is_folder:
        return resolved
    parent = os.path.dirname(resolved)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    _mirror(parent, staging, skip=os.path.basename(resolved))
    os.makedirs(resolved if is_folder else os.path.dirname(resolved), exist_ok=True)
    if not is_folder:
        open(resolved, "w").close()
    return resolved


def _mirror(folder: str, staging: str, skip: str) -> None:
    """Replaces ``folder`` by one in memory with the same entries."""
    os.makedirs(staging, exist_ok=True)
    _mount("tmpfs", staging, "tmpfs", 0)
    with os.scandir(folder) as entries:
        for entry in entries:
            copy = os.path.join(staging, entry.name)
            try:
                _show(entry, copy)
            except OSError:
                continue  # an entry that may not be shown is left out
    if folder == "/":
        os.chroot(staging)
        os.chdir("/")
    else:
        _mount(staging, folder, None, _MOVE)


def _show(entry: os.DirEntry[str], copy: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), copy)
        return
    if entry.is_dir():
        os.mkdir(copy)
    else:
        open(copy, "w").close()
    _mount(entry.path, copy, None, _BIND | _REC)


def _mount_all(plan: dict[str, Any]) -> None:
    _enter_namespace()
    for source, target, read_only in plan["mounts"]:
        path = _make_target(target, os.path.isdir(source), plan["staging"])
        _mount(source, path, None, _BIND | _REC)
        if read_only:
            kept = os.statvfs(path).f_flag & _KEPT_FLAGS
            _mount("none", path, None, _REMOUNT | _BIND | _RDONLY | kept)


def mount_or_exit(plan: dict[str, Any]) -> None:
    """Mounts and changes folder; ends with code 125 where it cannot.

    A warm interpreter calls it, too.
    """
    try:
        _mount_all(plan)
        os.chdir(plan["cwd"])
    except OSError as error:
        sys.exit(_report(f"the container cannot be set up: {error}", plan, _CANNOT_MOUNT))


def main() -> None:
    """Mounts and becomes the program; exit code 125 or 127 where it cannot."""
    plan = json.loads(sys.argv[1])
    program = sys.argv[2:]
    mount_or_exit(plan)
    if program == ["--check"]:
        return
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.exit(_report(f'exec: "{program[0]}": {error.strerror}', plan, _CANNOT_EXEC))


def _report(message: str, plan: dict[str, Any], code: int) -> int:
    print(message, file=sys.stderr)
    if plan["messages"]:
        try:
            with open(plan["messages"], "w") as file:
                file.write(message)
        except OSError:
            pass  # it is in the log, too
    return code


if __name__ == "__main__":
    main()
