"""Tells of itself as JSON: its request, environment, files, cgroups, mounts, user, arguments."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serve import Request, port, serve

MUST = [
    "/dev/fd",
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/random",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/proc/self/fd",
    "/proc/self/fd/0",
    "/proc/self/fd/1",
    "/proc/self/fd/2",
    "/tmp",
]
SHOULD = ["/etc/resolv.conf", "/dev/console"]
NOT_OPENED = {"/dev/tty", "/dev/console"}
V1 = "memory/memory.limit_in_bytes cpu/cpu.cfs_period_us cpu/cpu.cfs_quota_us cpu/cpu.shares"
V2 = "memory.max cpu.max cpu.weight"


def file(path: str) -> dict[str, Any]:
    try:
        found = os.stat(path)
    except OSError as error:
        return {"error": f"stat {path}: {(error.strerror or '').lower()}"}
    source = os.readlink(path) if os.path.islink(path) else ""
    return {
        "size": found.st_size,
        "mode": stat.filemode(found.st_mode)[1:],
        "sourceFile": source,
        "isDir": stat.S_ISDIR(found.st_mode),
    }


def access(path: str) -> dict[str, str]:
    """Read and write where everybody may; what goes wrong is told."""
    said: dict[str, str] = {}
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return {"read_error": str(error), "write_error": str(error)}
    for key, bit, attempt in (("read", stat.S_IROTH, read), ("write", stat.S_IWOTH, write)):
        try:
            if mode & bit:
                attempt(path, stat.S_ISDIR(mode))
        except OSError as error:
            said[f"{key}_error"] = str(error)
    return said


def read(path: str, folder: bool) -> None:
    if folder:
        os.listdir(path)
    else:
        os.close(os.open(path, os.O_RDONLY))


def write(path: str, folder: bool) -> None:
    if folder:
        tempfile.TemporaryFile(dir=path).close()
    else:
        os.close(os.open(path, os.O_APPEND))


def cgroup(path: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = {"name": str(path), "value": path.read_text().strip("\n")}
    except OSError as error:
        return {"name": str(path), "error": str(error)}
    return said | {"readOnly": not os.access(path, os.W_OK)}


def cgroups() -> list[dict[str, Any]]:
    root = Path("/sys/fs/cgroup")
    names = V2 if (root / "cgroup.controllers").exists() else V1
    return [cgroup(root / name) for name in names.split()]


def mounts() -> list[dict[str, Any]]:
    lines = [line.split(" ") for line in Path("/proc/mounts").read_text().splitlines()]
    return [
        {"device": device, "path": path, "type": kind, "options": options.split(",")}
        for device, path, kind, options, *_ in lines
    ]


def stdin() -> dict[str, Any]:
    try:
        return {"eof": os.read(0, 1) == b""}
    except OSError as error:
        return {"error": str(error)}


def request_info(request: Request) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        if name.lower() != "host":
            headers.setdefault(name.title(), []).append(value)
    return {
        "ts": time.time(),
        "uri": request.path,
        "host": request.headers.get("Host", ""),
        "method": request.command,
        "headers": headers,
        "protoMajor": int(request.request_version[5]),
        "protoMinor": int(request.request_version[7]),
    }


def answer(request: Request) -> None:
    if request.url.path == "/healthz":
        probed = request.headers.get("User-Agent", "").startswith("kube-probe/")
        request.answer(status=200 if probed else 400)
        return
    paths = MUST + SHOULD
    host = {
        "envs": dict(os.environ),
        "files": {path: file(path) for path in paths},
        "fileaccess": {path: access(path) for path in paths if path not in NOT_OPENED},
        "cgroups": cgroups(),
        "mounts": mounts(),
        "stdin": stdin(),
        "user": {
            "uid": os.getuid(),
            "euid": os.geteuid(),
            "gid": os.getgid(),
            "egid": os.getegid(),
            "cwd": {"directory": os.getcwd(), "error": ""},
        },
        "args": sys.argv,
    }
    body = json.dumps({"request": request_info(request), "host": host}, indent="\t")
    request.answer(body, kind="application/json")


if "PORT" not in os.environ:
    sys.exit("Environment variable PORT is not set.")
print(f"Server starting on port {port()}", flush=True)
serve(answer)
